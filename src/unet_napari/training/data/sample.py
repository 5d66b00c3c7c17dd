"""A part of an image in memory, with what was painted there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.tasks.kinds.kind import Labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.geometry import Box

__all__ = ["Sample", "focus", "surrounded"]


@dataclass(frozen=True)
class Sample:
    """A part of an image in memory, with what was painted there.

    Attributes
    ----------
    image
        Shape (C, *S), float32, normalised by the statistics of its whole image.
    labels
        Shape (*S), int32 or int64; the painted ids.
    annotated
        Shape (*S), bool; true where the labels say something, if only "background".
    group
        Number of the image. Samples of one image resemble each other, and lie in one frame.
    origin
        First pixel of the sample in that frame.
    key
        Number of the pair, then those of the time point and of the slice, where there are any.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.integer]
    annotated: NDArray[np.bool_]
    group: int
    origin: tuple[int, ...]
    key: tuple[int, ...] = ()

    @property
    def labelled(self) -> Labelled:
        """The labels without the image."""
        return Labelled(self.labels, self.annotated)

    def crop(self, box: Box) -> Sample:
        """Return a view of a box that lies within the sample."""
        index = box.to_slices()
        return replace(
            self,
            image=self.image[(slice(None), *index)],
            labels=self.labels[index],
            annotated=self.annotated[index],
            origin=box.shift(self.origin).start,
        )


def focus(sample: Sample, box: Box, context: Sequence[int], *, whole: bool) -> Sample:
    """Crop to a box with some image around it; only the box itself stays annotated.

    With `whole`, an object that the box cuts through is not annotated at all: a part of it
    would be judged as a whole.
    """
    part, inner = surrounded(sample, box, sample.annotated[box.to_slices()], context)
    if not whole:
        return part
    outside = part.labels.copy()
    outside[inner.to_slices()] = 0
    cut = np.intersect1d(outside, part.labels[inner.to_slices()])
    return replace(part, annotated=part.annotated & ~np.isin(part.labels, cut[cut > 0]))


def surrounded(
    sample: Sample, box: Box, annotated: NDArray[np.bool_], context: Sequence[int]
) -> tuple[Sample, Box]:
    """Crop to a box with some image around it, as far as the sample reaches.

    Parameters
    ----------
    sample
        The sample that is cropped.
    box
        A part of it.
    annotated
        Shape ``box.shape``; what is annotated in the box. Around it nothing is.
    context
        Pixels of image on each side, per axis.

    Returns
    -------
    part : Sample
        The box with its surroundings.
    inner : Box
        Place of the box in it.
    """
    outer = box.grow(context).clip(sample.labels.shape)
    part = sample.crop(outer)
    inner = box.relative_to(outer)
    everywhere = np.zeros_like(part.annotated)
    everywhere[inner.to_slices()] = annotated
    return replace(part, annotated=everywhere), inner
