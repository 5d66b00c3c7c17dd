"""A segmentation whose maps the engine has kept, so that it can be decoded again."""

from dataclasses import dataclass

from unet_napari._napari.layers.layer_axes import output_axes
from unet_napari._napari.layers.ownership import ResultOrigin
from unet_napari._napari.runs.segment_order import Order

__all__ = ["KeptRun"]


@dataclass(frozen=True)
class KeptRun:
    """A segmentation whose maps the engine has kept.

    Attributes
    ----------
    order : Order
        What was segmented.
    number : int
        The number of the maps.
    pid : int or None
        The engine that has them.
    origin : ResultOrigin or None
        Where the labels come from, where they are those of an image of the list.
    """

    order: Order
    number: int
    pid: int | None
    origin: ResultOrigin | None = None

    @property
    def region(self) -> dict[str, tuple[int, int]]:
        """The part of the image that the maps are of: start and stop by axis letter, T first."""
        image, order = self.order.image, self.order
        sizes = dict(zip(image.axes, image.data.shape, strict=True))
        letters = [letter for letter in "TZYX" if letter in output_axes(image.axes)]
        if "T" in letters and image.frames == 1:  # the engine leaves it out
            letters.remove("T")
        if order.whole:
            return {letter: (0, sizes[letter]) for letter in letters}
        outer = order.part.outer.region
        return {
            letter: outer[letter].indices(sizes[letter])[:2]
            for letter in letters
            if letter in outer
        }
