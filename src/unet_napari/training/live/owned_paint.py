"""A training's own copy of what was painted on an image, which changes box by box."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import LabelsError
from unet_napari.labels.background import part_background
from unet_napari.labels.label_blocks import whole_numbers
from unet_napari.labels.sparse import SparseArray, boxes
from unet_napari.training.data.pairs import AsPainted, Pair

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.geometry import Box
    from unet_napari.images import LazyArray

__all__ = ["OwnedPaint"]


class OwnedPaint:
    """The labels of a pair, copied, so that nobody else changes them.

    Parameters
    ----------
    pair
        The pair whose paint is copied, the blocks that hold something.

    Attributes
    ----------
    pair
        The pair with the copy as its labels; they change with `put`.
    raw
        The labels as they were painted, background among them.
    changed
        The boxes that were changed, in their order.
    """

    def __init__(self, pair: Pair) -> None:
        painted = pair.painted
        labels = _copy(painted.labels, _label_type(np.dtype(painted.labels.dtype)))
        annotated = None if painted.annotated is None else _copy(painted.annotated, np.dtype(bool))
        self.raw = AsPainted(labels, annotated, painted.background)
        self._labels, self._annotated = labels, annotated
        self._cells, self._known = labels, annotated
        self.pair = Pair(pair.image, labels, annotated, self.raw, pair.file)
        if painted.background:
            self._part_all()
        self.changed: list[Box] = []

    def mark(self, background: int) -> None:
        """Let a label number mean background, if it does not already."""
        if background in self.raw.background:
            return
        self.raw = self.raw._replace(background=(*self.raw.background, background))
        self._part_all()

    @property
    def labels(self) -> SparseArray:
        """The labels as they were painted."""
        return self._labels

    @property
    def annotated(self) -> SparseArray | None:
        """Where they are annotated as a whole; None where nobody said so."""
        return self._annotated

    @property
    def painted(self) -> int:
        """How many pixels are painted."""
        return sum(int(np.count_nonzero(self._labels[b.to_slices()])) for b in self._labels.boxes())

    def put(self, box: Box, labels: NDArray[Any], annotated: NDArray[Any] | None) -> None:
        """Change a box of the paint.

        Parameters
        ----------
        box
            A part of the labels.
        labels
            What is painted there now, of the box's shape.
        annotated
            Mask of what is annotated as a whole; None where that stays as it is.

        Raises
        ------
        LabelsError
            If the labels are no whole numbers, or too large for those that there were.
        """
        values = _whole(labels, self._labels.dtype)
        self._labels.put(box, values)
        self.changed.append(box)
        if annotated is not None:
            self._annotate(box, np.asarray(annotated) != 0)
        if self.raw.background:
            self._part(box)

    def clear(self) -> None:
        """Erase all of the paint."""
        for box in {*self._labels.boxes(), *(self._annotated or self._labels).boxes()}:
            nothing = np.zeros(box.shape, bool)
            self.put(box, nothing, None if self._annotated is None else nothing)

    def _annotate(self, box: Box, inside: NDArray[np.bool_]) -> None:
        if self._annotated is None:
            if not inside.any():
                return
            self._annotated = SparseArray(self._labels.shape, bool)
            self.raw = self.raw._replace(annotated=self._annotated)
            if not self.raw.background:
                self._known = self._annotated
            self.pair = replace(self.pair, labels=self._cells, annotated=self._known, raw=self.raw)
        self._annotated.put(box, inside)

    def _part_all(self) -> None:
        """Tell the cells from the background, in arrays of their own."""
        self._cells = SparseArray(self._labels.shape, self._labels.dtype)
        self._known = SparseArray(self._labels.shape, bool)
        for array in (self._labels, self._annotated):
            for box in () if array is None else array.boxes():
                self._part(box)
        self.pair = replace(self.pair, labels=self._cells, annotated=self._known, raw=self.raw)

    def _part(self, box: Box) -> None:
        """Tell the cells of a box from the background in it."""
        index = box.to_slices()
        region = None if self._annotated is None else self._annotated[index]
        cells: Any = self._labels[index]
        known: Any = region
        for number in self.raw.background:
            cells, known = part_background(cells, known, number)
        self._cells.put(box, np.asarray(cells[...]))
        if self._known is not None:
            self._known.put(box, np.asarray(known[...]))


def _copy(data: LazyArray, dtype: np.dtype[Any]) -> SparseArray:
    """Copy the blocks of an array that hold something."""
    array = SparseArray(data.shape, dtype)
    for box in boxes(data):
        block = np.asarray(data[box.to_slices()])
        array.put(box, block != 0 if dtype.kind == "b" else _whole(block, dtype))
    return array


def _label_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a type that holds all labels of a type."""
    small = dtype.kind in "bui" and (dtype.itemsize < 4 or dtype == np.int32)
    return np.dtype(np.int32 if small else np.int64)


def _whole(labels: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return labels as whole numbers of a type."""
    labels = whole_numbers(np.asarray(labels))
    highest = np.iinfo(dtype).max
    if labels.size and (labels.min() < 0 or labels.max() > highest):
        raise LabelsError(
            f"The new labels are from {labels.min()} to {labels.max()}, but those that training "
            f"began with are from 0 to {highest}: start over to use such numbers."
        )
    return labels.astype(dtype)
