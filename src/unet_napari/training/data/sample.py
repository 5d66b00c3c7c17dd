"""A part of an image in memory, with what was painted there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Region", "Sample", "focus"]

Region = tuple[slice, ...]


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
        Where the sample begins in that frame, in pixels.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.integer]
    annotated: NDArray[np.bool_]
    group: int
    origin: tuple[int, ...]

    def crop(self, region: Region) -> Sample:
        """Return a view of a part; slices with a start and a stop within the sample."""
        return replace(
            self,
            image=self.image[(slice(None), *region)],
            labels=self.labels[region],
            annotated=self.annotated[region],
            origin=tuple(o + part.start for o, part in zip(self.origin, region, strict=True)),
        )


def focus(sample: Sample, region: Region, context: Sequence[int], *, cells: bool) -> Sample:
    """Crop to a region with some image around it; only the region itself stays annotated.

    With `cells`, a cell that the region cuts through is not annotated at all: a part of it
    would be judged as a whole.
    """
    outer = tuple(
        slice(max(0, part.start - c), min(size, part.stop + c))
        for part, c, size in zip(region, context, sample.labels.shape, strict=True)
    )
    part = sample.crop(outer)
    inner = tuple(
        slice(r.start - o.start, r.stop - o.start) for r, o in zip(region, outer, strict=True)
    )
    annotated = np.zeros_like(part.annotated)
    annotated[inner] = part.annotated[inner]
    if cells:
        outside = part.labels.copy()
        outside[inner] = 0
        cut = np.intersect1d(outside, part.labels[inner])
        annotated &= ~np.isin(part.labels, cut[cut > 0])
    return replace(part, annotated=annotated)
