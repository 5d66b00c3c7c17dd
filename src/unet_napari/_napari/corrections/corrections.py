"""From prediction to paint: predicted objects are taken, rejected, split and merged as labels.

Every correction is one step of the labels layer's own history, so that Ctrl+Z takes it back in
order with the strokes of the brush.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari.layers import Image, Labels
from unet_napari._napari.corrections.free_numbers import free_number, note_number
from unet_napari._napari.corrections.lines import index_in, line_mask, pixels_between
from unet_napari._napari.corrections.objects import (
    LabelledObject,
    bridge,
    cut_along,
    halves,
    neighbour_of,
    object_at,
    objects_within,
)
from unet_napari._napari.corrections.one_step import one_step
from unet_napari._napari.layers.empty_array import check_room
from unet_napari._napari.layers.grid import LayerGrid
from unet_napari._napari.layers.layer_axes import array_of
from unet_napari.errors import LabelsError

__all__ = ["Corrections", "on_one_grid"]

Point = Sequence[float] | NDArray[np.floating]
Indices = tuple[NDArray[np.intp], ...]

_FREE_SHARE = 0.5  # of a predicted cell; where more of it is painted, it is a painted cell


@dataclass(frozen=True)
class Corrections:
    """What can be done with the predicted objects of an image, as paint in its labels.

    Parameters
    ----------
    labels : napari.layers.Labels
        What is painted, on the image's grid.
    prediction : napari.layers.Labels
        What a model has found, on the image's grid.
    free : tuple of int
        The axes of the labels that an object may reach along, such as Y and X for a 2D model.
    reserved : int or None
        The number that means background in the labels, where there is one.
    reserve : callable
        Returns that number, and has it reserved where there is none yet.
    """

    labels: Labels
    prediction: Labels
    free: tuple[int, ...]
    reserved: int | None
    reserve: Callable[[], int]

    def take(self, point: Point) -> str:
        """Paint the predicted object at a point of the world; return what was done."""
        taken = self._take([self._pixel(point)])
        return f"Taken as number {taken[0]}." if taken else "This cell is painted already."

    def take_within(self, plane: tuple[int | slice, ...], inside: NDArray[np.bool_]) -> str:
        """Paint all predicted objects that mostly lie within an area of the plane on the screen.

        Parameters
        ----------
        plane : tuple of int or slice
            The plane, as an index of the labels.
        inside : ndarray of bool, 2D
            The area, in the plane.
        """
        points = objects_within(self._predicted, plane, inside)
        taken = self._take(points)
        count = len(taken)
        return f"{count} cell{'s' * (count != 1)} taken." if count else "There is no cell to take."

    def reject(self, point: Point, *, painted: bool = False) -> str:
        """Paint the predicted object at a point, or the painted one, as background."""
        pixel = self._pixel(point)
        found = self._object(pixel) if painted else self._find(self._predicted, pixel)
        number = self.reserve()
        with one_step(self.labels):
            self._paint(found.indices, number, over=(found.number,) if painted else ())
        return f"Painted as background (number {number})."

    def add(self, window: tuple[slice, ...], mask: NDArray[np.bool_], *, cell: bool) -> str:
        """Paint a cell that was not found, or background where there is none.

        Parameters
        ----------
        window : tuple of slice
            A box of the labels.
        mask : ndarray of bool
            The pixels in it.
        cell : bool
            Whether there is a cell.
        """
        number = self._free() if cell else self.reserve()
        with one_step(self.labels):
            self._paint(LabelledObject(number, window, mask).indices, number, over=())
        return f"Painted as {'number' if cell else 'background: number'} {number}."

    def split(self, line: Sequence[Point], shown: Sequence[int]) -> str:
        """Cut the object in two that a line crosses, and paint both parts.

        Parameters
        ----------
        line : sequence of points of the world
        shown : sequence of int
            The axes of the labels that the line is drawn in; it cuts through all of the others.

        Raises
        ------
        LabelsError
            If the line crosses no object from side to side.
        """
        pixels = np.array([self._pixel(point) for point in line])
        found = self._crossed(pixels)
        drawn = line_mask(pixels, found, shown)
        parts = cut_along(found.mask, drawn)
        if parts is None:
            raise LabelsError("To split a cell, draw a line right across it, from side to side.")
        return self._split(found, parts)

    def split_itself(self, point: Point) -> str:
        """Cut the object at a point in two where it is narrowest, and paint both parts.

        Raises
        ------
        LabelsError
            If it is a single pixel.
        """
        found = self._object(self._pixel(point))
        parts = halves(found.mask)
        if parts is None:
            raise LabelsError("This cell is too small to be split.")
        return self._split(found, parts)

    def merge_with_neighbour(self, point: Point) -> str:
        """Paint the object at a point and the one that it touches most as one.

        Raises
        ------
        LabelsError
            If it touches no other.
        """
        found = self._object(self._pixel(point))
        for array, others in ((self._predicted, ()), (self._painted, (self.reserved or 0,))):
            own = (found.number,) if self._is_painted(found) == (array is self._painted) else ()
            beside = neighbour_of(found, array, self.free, besides=(*own, *others))
            if beside is not None:
                world = self.labels.data_to_world
                return self.merge(world(found.pixel), world(beside))
        raise LabelsError("This cell touches no other: drag from one to the other with Merge.")

    def _split(self, found: LabelledObject, parts: Sequence[NDArray[np.bool_]]) -> str:
        painted = self._is_painted(found)
        first = found.number if painted else self._free()
        numbers = (first, self._free(above=first))
        with one_step(self.labels):
            for part, number in zip(parts, numbers, strict=True):
                half = LabelledObject(number, found.window, part)
                self._paint(half.indices, number, over=(found.number,) if painted else ())
        return f"Split into numbers {numbers[0]} and {numbers[1]}."

    def merge(self, start: Point, stop: Point) -> str:
        """Paint the objects at two points as one, together with a gap of a pixel between them.

        Raises
        ------
        LabelsError
            If there is no object at one of the points, or the same one at both.
        """
        two = [self._object(self._pixel(point)) for point in (start, stop)]
        painted = [self._is_painted(found) for found in two]
        if two[0].number == two[1].number and painted[0] == painted[1]:
            raise LabelsError("To merge two cells, drag from one of them to the other.")
        known = [found.number for found, own in zip(two, painted, strict=True) if own]
        number = known[0] if known else self._free()
        window = tuple(
            slice(min(a.start, b.start), max(a.stop, b.stop))
            for a, b in zip(two[0].window, two[1].window, strict=True)
        )
        union = np.zeros([part.stop - part.start for part in window], bool)
        for found in two:
            union[index_in(found.window, window)] |= found.mask
        with one_step(self.labels):
            whole = LabelledObject(number, window, bridge(union))
            self._paint(whole.indices, number, over=tuple(known))
        return f"Merged as number {number}."

    @property
    def _predicted(self) -> NDArray[np.integer]:
        return np.asarray(array_of(self.prediction))

    @property
    def _painted(self) -> NDArray[np.integer]:
        return np.asarray(array_of(self.labels))

    def _pixel(self, point: Point) -> tuple[int, ...]:
        """Return the pixel of the labels at a point of the world."""
        return tuple(round(at) for at in self.labels.world_to_data(point))

    def _find(self, array: NDArray[np.integer], pixel: Sequence[int]) -> LabelledObject:
        found = object_at(array, pixel, self.free)
        if found is None:
            raise LabelsError("There is no predicted cell here.")
        return found

    def _object(self, pixel: Sequence[int]) -> LabelledObject:
        """Return the painted object at a pixel, else the predicted one."""
        painted = object_at(self._painted, pixel, self.free)
        if painted is not None and painted.number != self.reserved:
            return painted
        return self._find(self._predicted, pixel)

    def _is_painted(self, found: LabelledObject) -> bool:
        pixels = self._painted[found.window][found.mask]
        return bool((pixels == found.number).all())

    def _crossed(self, pixels: NDArray[np.intp]) -> LabelledObject:
        """Return the object that holds most of a line."""
        counts: dict[tuple[int, bool], list[tuple[int, ...]]] = {}
        for pixel in pixels_between(pixels):
            try:
                found = int(self._painted[pixel]), True
                if found[0] in (0, self.reserved):
                    found = int(self._predicted[pixel]), False
            except IndexError:
                continue
            if found[0] > 0:
                counts.setdefault(found, []).append(pixel)
        if not counts:
            raise LabelsError("To split a cell, draw a line right across it, from side to side.")
        (_, painted), on_it = max(counts.items(), key=lambda item: len(item[1]))
        return self._find(self._painted if painted else self._predicted, on_it[0])

    def _take(self, points: Sequence[tuple[int, ...]]) -> list[int]:
        taken = []
        with one_step(self.labels):
            for point in points:
                found = self._find(self._predicted, point)
                present = self._painted[found.indices]
                if np.isin(present, (0, self.reserved or 0)).mean() < _FREE_SHARE:
                    continue  # or else the rim of a painted cell would be a cell of its own
                number = self._free()
                if self._paint(found.indices, number, over=()):
                    taken.append(number)
        return taken

    def _free(self, *, above: int = 0) -> int:
        return free_number(self.labels, above=above, reserved=self.reserved)

    def _paint(self, indices: Indices, number: int, *, over: Sequence[int]) -> bool:
        """Paint pixels that nothing is painted on, or one of some numbers; tell if there were any.

        A stroke of the user's is never painted over, but for the background, which a taken cell
        corrects.
        """
        present = self._painted[indices]
        where = (present == 0) | np.isin(present, [*over, self.reserved or 0])
        if not where.any():
            return False
        check_room(array_of(self.labels), present.nbytes)
        self.labels.data_setitem(tuple(axis[where] for axis in indices), number)
        note_number(self.labels, number)
        return True


def on_one_grid(image: Image, axes: str, *layers: Labels) -> bool:
    """Tell whether labels layers lie on an image pixel by pixel."""
    grid = LayerGrid(image, axes)
    try:
        return all(grid.resampling(layer) is None for layer in layers)
    except LabelsError:
        return False
