"""Which losses there are, for checks, menus and documentation. No torch.

To add a loss, write its function (see `unet_napari.tasks.losses`) and add an entry to `LOSSES`;
``docs/extending.md`` shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from unet_napari.errors import SettingsError
from unet_napari.registry import Registry

__all__ = ["LOSSES", "LossEntry", "MapKind", "loss_terms", "losses_of"]

MapKind: TypeAlias = Literal["independent", "exclusive"]
"""How the maps of a network belong together.

Each of several independent maps says yes or no to a question of its own (a sigmoid makes
probabilities of it). Of exclusive maps exactly one holds at each pixel (a softmax over the maps).
"""

_HERE = "unet_napari.tasks.losses"


@dataclass(frozen=True)
class LossEntry:
    """One loss as a person chooses it.

    Parameters
    ----------
    name : str
        The name in settings and model files; no "+", which joins the terms of a sum.
    description : str
        What the loss is good for, in one line.
    source : str
        Its source, such as authors, year and arXiv number.
    independent, exclusive : str
        The function for maps of that kind, as ``"package.module:name"``; empty where the loss
        means nothing for such maps.

    Raises
    ------
    ValueError
        If there is a "+" in the name, or no function.
    """

    name: str
    description: str
    source: str
    independent: str = ""
    exclusive: str = ""

    def __post_init__(self) -> None:
        if "+" in self.name:
            raise ValueError(f"The name of the loss {self.name!r} must not hold a '+'.")
        if not (self.independent or self.exclusive):
            raise ValueError(
                f"The loss {self.name!r} has no function: give one for independent maps, for "
                "exclusive maps, or for both."
            )

    def implementation(self, maps: MapKind) -> str:
        """Return where the function for such maps is; empty if there is none."""
        return self.independent if maps == "independent" else self.exclusive


LOSSES: Registry[LossEntry] = Registry(
    "loss",
    (
        LossEntry(
            "bce",
            "Binary cross entropy of each map: every pixel counts alike.",
            "Ronneberger et al. 2015, arXiv:1505.04597",
            independent=f"{_HERE}:binary_cross_entropy",
        ),
        LossEntry(
            "ce",
            "Cross entropy of the classes: every pixel counts alike.",
            "Ronneberger et al. 2015, arXiv:1505.04597",
            exclusive=f"{_HERE}:cross_entropy",
        ),
        LossEntry(
            "dice",
            "Overlap of each map: a rare class counts as much as a frequent one.",
            "Milletari et al. 2016, arXiv:1606.04797",
            independent=f"{_HERE}:soft_dice",
            exclusive=f"{_HERE}:soft_dice",
        ),
        LossEntry(
            "focal",
            "Cross entropy in which pixels that are easy count less.",
            "Lin et al. 2017, arXiv:1708.02002",
            independent=f"{_HERE}:binary_focal",
            exclusive=f"{_HERE}:class_focal",
        ),
    ),
)


def losses_of(maps: MapKind) -> tuple[str, ...]:
    """Return the names of the losses that suit maps of a kind."""
    return tuple(name for name, entry in LOSSES.items() if entry.implementation(maps))


def loss_terms(name: str, maps: MapKind) -> tuple[LossEntry, ...]:
    """Return the terms of a loss or of a sum of losses, such as "bce+dice+focal".

    Raises
    ------
    SettingsError
        If a term is unknown, does not suit such maps or occurs twice.
    """
    terms = name.split("+")
    suitable = losses_of(maps)
    for term in terms:
        if term not in suitable:
            raise SettingsError(
                f"There is no loss {term[:40]!r} for this task, only {', '.join(suitable)} and "
                f"sums of them, such as {'+'.join(suitable[:2])}."
            )
    if len(set(terms)) < len(terms):
        raise SettingsError(f"The loss {name[:80]!r} names a term twice: name each term once.")
    return tuple(LOSSES[term] for term in terms)
