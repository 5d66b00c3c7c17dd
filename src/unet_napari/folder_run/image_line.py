"""What is told of one image of a list. Free of torch, for the napari side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from unet_napari.inference.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["IMAGE_STATES", "ImageLine", "Underway", "list_table"]

IMAGE_STATES = ("done", "unchanged", "kept", "failed")
"""What became of an image, see `ImageLine`."""

# Into how many steps the work on one image is divided where all images are counted.
_STEPS_OF_AN_IMAGE = 1000


@dataclass(frozen=True)
class ImageLine:
    """What is told of one image of a list when it is done with.

    Attributes
    ----------
    number : int
        Its place in the list, from 0.
    name : str
        Its name.
    state : str
        ``"done"``: segmented now. ``"unchanged"``: image, model and settings are those of the
        result that was there. ``"kept"``: the labels that were there are of another program, or
        were edited, and were left alone. ``"failed"``: there is no result.
    output : str
        The file of the result; empty where there is none.
    objects : int or None
        Number of objects; of a film, of all frames together. None of classes.
    doubt, worst : float or None
        Mean doubt of the objects and that of the most doubtful one, 0 to 1, see
        `unet_napari.inference.doubt`. None where it is not known.
    worst_at : tuple of int
        A pixel of the most doubtful object, along all axes of the labels; empty if unknown.
    familiarity : float or None
        How like the image is to those that the model was judged by: 1 as usual, less the less it
        is. None where it is not known.
    seconds : float
        Seconds that reading, segmenting, measuring and writing it have taken.
    message : str
        Why it failed or was kept, else the warnings of it.
    thumbnail : uint8 ``(Y, X, 3)`` or None
        A small picture with the outlines of the objects. None where it was not asked for.
    """

    number: int
    name: str
    state: str
    output: str = ""
    objects: int | None = None
    doubt: float | None = None
    worst: float | None = None
    worst_at: tuple[int, ...] = ()
    familiarity: float | None = None
    seconds: float = 0.0
    message: str = ""
    thumbnail: Any = None

    @property
    def has_result(self) -> bool:
        """Whether there are labels of it."""
        return self.state != "failed"


@dataclass(frozen=True)
class Underway:
    """A step of the work on one image of a list.

    Attributes
    ----------
    number, total : int
        Place of the image in the list, from 0, and number of images.
    name : str
        Name of the image.
    step : Progress
        How far this image is.
    seconds_left : float or None
        Seconds that all images will still take, about.
    """

    number: int
    total: int
    name: str
    step: Progress
    seconds_left: float | None = None

    def overall(self) -> Progress:
        """Return how far all images are, with the name of this one in the words."""
        share = self.step.done / max(self.step.total, 1)
        done = int((self.number + share) * _STEPS_OF_AN_IMAGE)
        return replace(
            self.step,
            done=min(done, self.total * _STEPS_OF_AN_IMAGE - 1),
            total=self.total * _STEPS_OF_AN_IMAGE,
            stage=f"{self.name} ({self.number + 1} of {self.total}): {self.step.stage}",
            region=None,
            seconds_left=self.seconds_left,
        )


def list_table(lines: Iterable[ImageLine]) -> dict[str, Sequence[object]]:
    """Return lines as the columns of a table, an image a row; what is not known is empty."""
    ordered = sorted(lines, key=lambda line: line.number)
    return {
        "image": [line.name for line in ordered],
        "state": [line.state for line in ordered],
        "objects": [_known(line.objects) for line in ordered],
        "doubt": [_known(line.doubt) for line in ordered],
        "worst_doubt": [_known(line.worst) for line in ordered],
        "worst_at": [" ".join(map(str, line.worst_at)) for line in ordered],
        "familiarity": [_known(line.familiarity) for line in ordered],
        "seconds": [round(line.seconds, 3) for line in ordered],
        "result": [line.output for line in ordered],
        "message": [line.message for line in ordered],
    }


def _known(value: float | None) -> float | int | str:
    if value is None:
        return ""
    return value if isinstance(value, int) else round(value, 4)
