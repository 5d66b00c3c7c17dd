"""The keys of a check of the count, for its buttons, the list on the screen and the docs.

None of them is one of napari's own for vectors layers, which the check selects.
"""

from dataclasses import replace

from unet_napari._napari.corrections.keys import KeyEntry

__all__ = ["ANSWERS", "CHECK_KEYS", "check_key"]

_KEYS = (
    KeyEntry(
        "none",
        "R",
        "None",
        "no cell in the orange line",
        "No cell has its middle inside the orange line. What was found is none, or a part of one "
        "whose middle lies elsewhere.",
    ),
    KeyEntry(
        "one",
        "T",
        "One",
        "one cell: it is right",
        "One cell has its middle inside the orange line. What was found is right.",
    ),
    KeyEntry(
        "two",
        "S",
        "Two",
        "two cells: joined, or one missed",
        "Two cells have their middle inside the orange line. Two were found as one, or one beside "
        "it was missed.",
    ),
    KeyEntry(
        "more",
        "O",
        "+1",
        "one more than the next key says",
        "One more cell was missed or joined than the next key says. Press it again for each, then "
        "R, T or S.",
    ),
    KeyEntry(
        "check back",
        "Shift-N",
        "Back",
        "place before",
        "Go back to the place before, to answer it again.",
    ),
    KeyEntry(
        "check later",
        "N",
        "Later",
        "answer this place later",
        "Go on without an answer. The place comes again at the end.",
    ),
    KeyEntry(
        "check keys",
        "H",
        "Keys",
        "hide this list",
        "Show these keys on the screen, or hide them.",
    ),
)

CHECK_KEYS = tuple(replace(entry, where="the layer of the check is selected") for entry in _KEYS)
"""All keys, in the order in which they are listed."""

ANSWERS = {"none": 0, "one": 1, "two": 2}
"""How many cells the keys say that there are."""


def check_key(name: str) -> KeyEntry:
    """Return an entry by its name."""
    return next(entry for entry in CHECK_KEYS if entry.name == name)
