"""Image-label pairs: what a training is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from unet_napari.labels.background import part_background
from unet_napari.labels.label_axes import fit_labels, labels_shape

if TYPE_CHECKING:
    from unet_napari.images import Image, LazyArray

__all__ = ["AsPainted", "Pair", "reference_image", "spacing_of"]


class AsPainted(NamedTuple):
    """The labels of a pair before known background was told from cells.

    Attributes
    ----------
    labels, annotated
        Labels and regions of a `Pair`.
    background
        Label numbers that mean background.
    """

    labels: LazyArray
    annotated: LazyArray | None
    background: tuple[int, ...] = ()


@dataclass(frozen=True)
class Pair:
    """An image and what was painted on it.

    Parameters
    ----------
    image
        May have channels and time.
    labels
        Integers, of the image's axes without the channels; axes of length 1 may be there or
        not, see `fit_labels`. 0 is unpainted.
    annotated
        An array of the same shape, true where everything is painted, so that a 0 is background.
    raw
        What `with_background` was asked of; not given by a caller.
    file
        The file that the image was read from, if its pixels may be others by now.
    """

    image: Image
    labels: LazyArray
    annotated: LazyArray | None = None
    raw: AsPainted | None = field(default=None, repr=False, compare=False)
    file: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", fit_labels(self.labels, self.image))
        if self.annotated is not None:
            object.__setattr__(self, "annotated", fit_labels(self.annotated, self.image))

    def with_background(self, number: int | None) -> Pair:
        """Return the pair with pixels of a label number as known background, see `TrainConfig`."""
        if number is None:
            return self
        painted = self.painted
        parted = part_background(self.labels, self.annotated, number)
        raw = painted._replace(background=(*painted.background, number))
        return Pair(self.image, *parted, raw, self.file)

    @property
    def painted(self) -> AsPainted:
        """The labels as they were painted, with the numbers that mean background."""
        return self.raw or AsPainted(self.labels, self.annotated)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the labels must have."""
        return labels_shape(self.image)

    def slices(self, ndim: int) -> int:
        """Return how many slices a network with `ndim` axes sees of each frame."""
        return self.image.shape[0] if self.image.ndim > ndim else 1


def spacing_of(image: Image, ndim: int) -> tuple[float, ...]:
    """Return the pixel size per axis of the network, relative to the smallest; 1 if unknown."""
    sizes = [image.pixel_size.get(axis) for axis in image.spatial_axes[-ndim:]]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return (1.0,) * ndim
    return tuple(size / min(known) for size in known)


def reference_image(pairs: Sequence[Pair], ndim: int) -> Image:
    """Return the image whose pixel size stands for all: the first that knows all of it, if any."""
    for pair in pairs:
        if all(axis in pair.image.pixel_size for axis in pair.image.spatial_axes[-ndim:]):
            return pair.image
    return pairs[0].image
