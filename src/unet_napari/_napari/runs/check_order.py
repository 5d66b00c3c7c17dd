"""What is asked of the engine to draw the cells that a count is checked by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from napari.layers import Labels
from unet_napari._napari.layers.layer_axes import array_of, output_axes
from unet_napari._napari.layers.spots import placed
from unet_napari._napari.runs.kept_run import KeptRun
from unet_napari.engine import CheckJob
from unet_napari.errors import LabelsError
from unet_napari.geometry import Box
from unet_napari.inference.doubt.check_table import CheckPlace

__all__ = ["CheckOrder"]


@dataclass(frozen=True)
class CheckOrder:
    """The segmentation whose count is checked.

    Attributes
    ----------
    run : KeptRun
    thresholds : mapping
        Those that its labels have now, as of a `DecodeJob`.
    """

    run: KeptRun
    thresholds: Mapping[str, float]

    @property
    def axes(self) -> str:
        """The axes of the labels."""
        return output_axes(self.run.order.image.axes)

    @property
    def free(self) -> tuple[int, ...]:
        """The axes of the labels that a cell may reach along."""
        order = self.run.order
        letters = [letter for letter in self.run.region if letter != "T"]
        if order.info.ndim == 2 and order.slicewise and "Z" in letters:
            letters.remove("Z")
        return tuple(axis for axis, letter in enumerate(self.axes) if letter in letters)

    @property
    def bounds(self) -> Box:
        """The part of the labels that was segmented."""
        image, place = self.run.order.image, self.run.order.place
        sizes = dict(zip(image.axes, image.data.shape, strict=True))
        parts = [
            slice(place.index[letter], place.index[letter] + 1)
            if letter in place.index
            else place.region.get(letter, slice(None))
            for letter in self.axes
        ]
        return Box.from_slices(parts, [sizes[letter] for letter in self.axes])

    def request(self, number: int, seed: int) -> CheckJob:
        """Return what draws so many cells.

        Raises
        ------
        LabelsError
            If a plane of a volume was segmented, in which cells are cut.
        """
        order = self.run.order
        if order.whole:
            return CheckJob(self.run.number, dict(self.thresholds), number, seed)
        part = order.part
        if part.points:
            raise LabelsError(
                "A plane cuts the cells of a volume, so their number is checked as a whole: choose "
                "the whole image under Scope, and segment it."
            )
        inner = dict(zip(part.outer.region, part.inner, strict=True))
        box = tuple(inner[letter] for letter in self.run.region)
        return CheckJob(self.run.number, dict(self.thresholds), number, seed, box)

    def placed(self, places: Sequence[CheckPlace], layer: Labels) -> list[CheckPlace]:
        """Return the drawn cells with points and numbers of a labels layer.

        Raises
        ------
        LabelsError
            If one of them is not in the layer.
        """
        axes, region, index = self.axes, self.run.region, self.run.order.place.index
        spots = placed([place.item for place in places], axes, region, index)
        found, array = [], array_of(layer)
        for place, spot in zip(places, spots, strict=True):
            number = int(array[spot.point])
            if not number:
                raise LabelsError(
                    f"'{layer.name}' does not show what was found last: segment the image again."
                )
            found.append(replace(place, item=replace(place.item, point=spot.point, number=number)))
        return found
