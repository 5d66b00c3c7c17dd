"""Background that was painted, with a label number that means it. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.labels.sparse import SparseArray, boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images import LazyArray

__all__ = ["part_background"]


def part_background(
    labels: LazyArray, annotated: LazyArray | None, number: int
) -> tuple[LazyArray, LazyArray]:
    """Part labels of cells from the background that was painted among them.

    Parameters
    ----------
    labels
        Whole numbers of any shape ``(*S)``; pixels of `number` are background, and no cell.
    annotated
        Nonzero where everything is annotated, ``(*S)``; None where nothing is known to be.
    number
        The label number that means background.

    Returns
    -------
    labels : LazyArray (*S)
        The same with 0 for `number`.
    annotated : LazyArray (*S)
        True where `annotated` is not 0, and where the background was painted. Both are read when
        they are asked for, except those of a `SparseArray`, which are sparse themselves.
    """
    if not isinstance(labels, SparseArray):
        return _Cells(labels, number), _Annotated(labels, annotated, number)
    cells = SparseArray(labels.shape, labels.dtype)
    known = SparseArray(labels.shape, bool)
    for box in labels.boxes():
        block = labels[box.to_slices()]
        cells.put(box, np.where(block == number, 0, block))
        known.put(box, block == number)
    for box in () if annotated is None else boxes(annotated):
        inside = np.asarray(annotated[box.to_slices()]) != 0  # type: ignore[index]
        known.put(box, inside, add=True)
    return cells, known


class _Cells:
    """The labels of the cells alone, with 0 for the background, as a `LazyArray`."""

    def __init__(self, labels: LazyArray, number: int) -> None:
        self._labels, self._number = labels, number
        self.shape, self.dtype = labels.shape, labels.dtype

    def __getitem__(self, key: Any, /) -> NDArray[Any]:  # noqa: ANN401  as `LazyArray` has it
        block = np.asarray(self._labels[key])
        return np.where(block == self._number, np.zeros_like(block), block)


class _Annotated:
    """The pixels that are background, or annotated otherwise, as a `LazyArray` of bool."""

    dtype = np.dtype(bool)

    def __init__(self, labels: LazyArray, annotated: LazyArray | None, number: int) -> None:
        self._labels, self._annotated, self._number = labels, annotated, number
        self.shape = labels.shape

    def __getitem__(self, key: Any, /) -> NDArray[Any]:  # noqa: ANN401  as `LazyArray` has it
        known = np.asarray(self._labels[key]) == self._number
        if self._annotated is None:
            return np.asarray(known)
        return np.asarray(known | (np.asarray(self._annotated[key]) != 0))
