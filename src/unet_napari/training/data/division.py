"""What of the images is held out, decided once: paint that comes later is divided in the same way.

Training samples are cut physically: they do not contain the held-out pixels, so neither a
rotation nor a mirrored edge can bring one into a patch. Between the two lies a gap in which
nothing is annotated, because neighbouring pixels resemble each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.geometry import Box
from unet_napari.training.data.sample import Sample, focus

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Division", "Slab", "Split"]


@dataclass(frozen=True)
class Split:
    """What is trained on and what is held out; `message` says it in a few words."""

    training: list[Sample]
    validation: list[Sample]
    message: str


@dataclass(frozen=True)
class Slab:
    """The held-out part of an image: from `start` up to `stop` along one axis."""

    axis: int
    start: int
    stop: int
    gap: int


@dataclass(frozen=True)
class Division:
    """What is held out: whole images, or a slab of each; nothing of images that came later.

    Attributes
    ----------
    message
        What is held out, in a few words.
    spacing
        Relative pixel size per axis.
    context
        Pixels of image around a held-out slab that the network may see in validation.
    whole
        Whether objects that a slab cuts through are not judged.
    held
        Numbers of the images that are held out as a whole.
    slabs
        The slab of each image, by its number.
    """

    message: str
    spacing: tuple[float, ...]
    context: int
    whole: bool
    held: frozenset[int] = frozenset()
    slabs: Mapping[int, Slab] = field(default_factory=dict)

    def apply(self, samples: Iterable[Sample]) -> Split:
        """Divide samples, in the order of their images."""
        split = Split([], [], self.message)
        for sample in sorted(samples, key=lambda sample: sample.group):
            training, validation = self.parts(sample)
            split.training.extend(training)
            split.validation.extend(validation)
        return split

    def parts(self, sample: Sample) -> tuple[list[Sample], list[Sample]]:
        """Return what of a sample is trained on, and what is held out."""
        if sample.group in self.held:
            return [], [sample]
        slab = self.slabs.get(sample.group)
        if slab is None:
            return [sample], []
        return _outside(sample, slab), _inside(sample, slab, self)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values, from which `from_dict` makes it again."""
        slabs = [[number, asdict(slab)] for number, slab in self.slabs.items()]
        return {
            "message": self.message,
            "spacing": list(self.spacing),
            "context": self.context,
            "whole": self.whole,
            "held": sorted(self.held),
            "slabs": slabs,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make it again from `to_dict`."""
        slabs = {int(number): Slab(**slab) for number, slab in values["slabs"]}
        return cls(
            str(values["message"]),
            tuple(values["spacing"]),
            int(values["context"]),
            bool(values["whole"]),
            frozenset(values["held"]),
            slabs,
        )


def _outside(sample: Sample, slab: Slab) -> list[Sample]:
    """Return what of a sample lies on either side of a slab, without annotations in the gap."""
    origin, size = sample.origin[slab.axis], sample.labels.shape[slab.axis]
    start, stop = (int(np.clip(edge - origin, 0, size)) for edge in (slab.start, slab.stop))
    kept_before = int(np.clip(slab.start - slab.gap - origin, 0, start))
    kept_after = int(np.clip(slab.stop + slab.gap - origin, stop, size))
    sides = []
    whole = Box.whole(sample.labels.shape)
    for side, kept in (((0, start), (0, kept_before)), ((stop, size), (kept_after, size))):
        annotated = np.zeros_like(sample.annotated)
        index = whole.replace_axis(slab.axis, *kept).to_slices()
        annotated[index] = sample.annotated[index]
        if annotated.any():
            part = replace(sample, annotated=annotated)
            sides.append(part.crop(whole.replace_axis(slab.axis, *side)))
    return sides


def _inside(sample: Sample, slab: Slab, division: Division) -> list[Sample]:
    """Return the held-out part of a sample, with image around it for the network to see."""
    origin, size = sample.origin[slab.axis], sample.labels.shape[slab.axis]
    start, stop = (int(np.clip(edge - origin, 0, size)) for edge in (slab.start, slab.stop))
    if start >= stop:
        return []
    margins = _margins(division.context, division.spacing)
    box = Box.whole(sample.labels.shape).replace_axis(slab.axis, start, stop)
    part = focus(sample, box, margins, whole=division.whole)
    return [part] if part.annotated.any() else []


def _margins(context: int, spacing: Sequence[float]) -> list[int]:
    return [round(context / step) for step in spacing]
