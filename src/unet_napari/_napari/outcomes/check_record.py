"""The answers of a check of the count, kept with the labels that they are about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from napari.layers import Labels
from unet_napari._napari.layers.ownership import is_unedited, pixels_noted
from unet_napari.errors import SettingsError
from unet_napari.evaluation.count_check import CountEstimate, estimate_count
from unet_napari.geometry import Box
from unet_napari.inference.doubt.check_table import CheckPlace, answered_strata

__all__ = ["CheckRecord", "note_check", "noted_check"]

_QUESTION = "How many cells have their middle inside the orange line? R none, T one, S two, O +1."


@dataclass
class CheckRecord:
    """The places that were drawn in some labels, and what was answered.

    Attributes
    ----------
    places : list of CheckPlace
        With points and numbers of the labels.
    axes : str
        Axes of the labels.
    free : tuple of int
        The axes that a cell may reach along.
    bounds : Box
        The part of the labels that was segmented.
    part : bool
        Whether that is not all of them.
    seed : int
        The number that they were drawn by.
    pixels : int or None
        What the pixels of the labels were, as of `pixels_noted`.
    answers : list of int or None
        How many cells there are at each place; None where that is open.
    at : int
        The place that is looked at.
    """

    places: list[CheckPlace]
    axes: str
    free: tuple[int, ...]
    bounds: Box
    part: bool
    seed: int
    pixels: int | None
    answers: list[int | None] = field(default_factory=list)
    at: int = 0

    def __post_init__(self) -> None:
        self.answers += [None] * (len(self.places) - len(self.answers))

    @property
    def answered(self) -> int:
        """Number of places that are answered."""
        return sum(answer is not None for answer in self.answers)

    @property
    def complete(self) -> bool:
        """Whether all places are answered."""
        return self.answered == len(self.places)

    @property
    def found(self) -> int:
        """Number of cells that were found."""
        return sum({place.stratum: place.stratum_cells for place in self.places}.values())

    def answers_for(self, places: Sequence[CheckPlace]) -> list[int | None]:
        """Return the answers for a longer draw; none where it does not begin with these places."""
        drawn = [place.item.point for place in places[: len(self.places)]]
        same = drawn == [place.item.point for place in self.places]
        return list(self.answers) if same else []

    def following(self) -> int:
        """Return the next open place after the present one, the first after the last."""
        count = len(self.places)
        order = [(self.at + step) % count for step in range(1, count + 1)]
        return next((place for place in order if self.answers[place] is None), self.at)

    def estimate(self) -> CountEstimate | None:
        """Return the count with its error; None as long as too little is answered."""
        try:
            return estimate_count(answered_strata(self.places, self.answers))
        except SettingsError:
            return None

    def describe(self, more: int, *, goes_on: bool) -> str:
        """Say how far the check is.

        Parameters
        ----------
        more : int
            Cells that there are besides those that the next answer says.
        goes_on : bool
            Whether there is more space around the cell than is shown.
        """
        answer = self.answers[self.at]
        words = [f"Place {self.at + 1:,} of {len(self.places):,}."]
        if more:
            words.append(f"{more} more than the next key says.")
        elif answer is not None:
            words.append(f"Your answer: {answer}.")
        if not self.complete:
            words.append(_QUESTION)
        if goes_on:
            words.append("The space around this cell goes on beyond the line.")
        return " ".join([*words, self._about_count()]).strip()

    def _about_count(self) -> str:
        """Say what the count is, as far as it is known."""
        estimate = self.estimate()
        if estimate is None:
            return ""
        part = " That is of the part that was segmented last." if self.part else ""
        said = f"{estimate.describe('cells')}{part}"
        if not self.complete:
            return f"So far {said}"
        left = "" if estimate.checked == estimate.found else " More places make it narrower."
        return f"All are answered: {said}{left}"

    def holds_of(self, layer: Labels) -> bool:
        """Tell whether labels are still those that the places were drawn in."""
        return self.pixels == pixels_noted(layer) and is_unedited(layer)


_checks: WeakKeyDictionary[Labels, CheckRecord] = WeakKeyDictionary()


def note_check(layer: Labels, record: CheckRecord | None) -> None:
    """Keep a check with its labels, also while the dock is closed; None forgets it."""
    if record is None:
        _checks.pop(layer, None)
    else:
        _checks[layer] = record


def noted_check(layer: Labels) -> CheckRecord | None:
    """Return the check of some labels, if there is one that still holds."""
    record = _checks.get(layer)
    return record if record is not None and record.holds_of(layer) else None
