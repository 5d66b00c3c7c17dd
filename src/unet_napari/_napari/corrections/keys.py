"""The keys and tools of the plugin: one table for tooltips, the list on the screen and the docs.

None of them is one of napari's own for labels or images; napari has P for its brush.
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["KEY_TABLE", "TOOLS", "KeyEntry", "entry_of", "key_lines"]


@dataclass(frozen=True)
class KeyEntry:
    """One of our keys.

    Attributes
    ----------
    name : str
        What the code calls it.
    key : str
        Name of the key, as napari writes it.
    text : str
        On its button.
    brief : str
        What it does, in a few words.
    does : str
        What it does, in a sentence or two.
    where : str
        While what is selected it works.
    """

    name: str
    key: str
    text: str
    brief: str
    does: str
    where: str = "the labels are selected"

    @property
    def tooltip(self) -> str:
        """What its button says under the mouse."""
        sentences = self.does.replace(". ", ".\n").replace(": ", ":\n")
        return f"{sentences}\nKey: {self.key}, while {self.where}."


KEY_TABLE = (
    KeyEntry(
        "take",
        "T",
        "Take",
        "take a predicted cell",
        "Click a predicted cell, and it is painted. Draw around several to take them all. "
        "A double click takes all that are on the screen.",
    ),
    KeyEntry(
        "reject",
        "R",
        "Not a cell",
        "not a cell",
        "Click on a predicted cell that is none: it is painted as background.",
    ),
    KeyEntry(
        "split",
        "S",
        "Split",
        "split a cell along a line",
        "Draw a line right across a cell: its two parts are painted as two cells.",
    ),
    KeyEntry(
        "merge",
        "J",
        "Merge",
        "merge two cells",
        "Drag from one cell to another: both are painted as one.",
    ),
    KeyEntry(
        "next",
        "N",
        "Next",
        "next doubtful cell",
        "Go to the predicted cell that is to be doubted most. Then T, R, S and J mean this cell: "
        "it is right, it is not a cell, it is split in two, it is one with its neighbour.",
    ),
    KeyEntry(
        "previous",
        "Shift-N",
        "Back",
        "doubtful cell before",
        "Go back to the doubtful cell before.",
    ),
    KeyEntry(
        "all",
        "A",
        "All",
        "mark all doubtful cells",
        "Mark all doubtful cells with rings, or again the present one alone.",
    ),
    KeyEntry(
        "hide",
        "D",
        "Hide",
        "hide or show the prediction",
        "Hide the prediction, or show it again.",
    ),
    KeyEntry(
        "keys",
        "H",
        "Keys",
        "hide this list",
        "Show these keys on the screen, or hide them.",
    ),
)
"""All keys, in the order in which they are listed."""

TOOLS = ("take", "reject", "split", "merge")
"""The entries that are tools for the mouse."""


def entry_of(name: str) -> KeyEntry:
    """Return an entry by its name."""
    return next(entry for entry in KEY_TABLE if entry.name == name)


def key_lines(table: Sequence[KeyEntry] = KEY_TABLE) -> list[str]:
    """Return one short line for each key of a table, for the list on the screen."""
    return [f"{entry.key}   {entry.brief}" for entry in table]
