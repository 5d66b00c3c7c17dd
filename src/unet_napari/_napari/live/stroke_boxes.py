"""Which boxes of a labels layer its own history says were changed: painted, undone and redone.

A layer of napari tells of strokes with the event ``paint``, but of neither an undo nor a redo. Both
move an item from one of its two histories to the other, which is how they are found here.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari.layers import Labels
from unet_napari.geometry import Box

__all__ = ["StrokeHistory", "boxes_of_item", "merge"]

_LOOSE_PIXELS = 1 << 18  # pixels; a larger box around scattered pixels is cut, plane by plane
_SLACK_PIXELS = 4096  # pixels that two boxes may gain by being joined, whatever their size
_MOST_BOXES = 16  # boxes that are left after a merge

_Item = Sequence[Any]  # the atoms of one step of napari's history


class StrokeHistory:
    """Tells which steps of a layer's history were made, undone or redone since the last look.

    Parameters
    ----------
    layer : napari.layers.Labels
    """

    def __init__(self, layer: Labels) -> None:
        self._layer = layer
        self._known = self._present()

    def has_moved(self) -> bool:
        """Tell whether there is anything new, without working out what; takes no time."""
        present = self._present()
        return len(present) != len(self._known) or any(
            a is not b for a, b in zip(present, self._known, strict=True)
        )

    def changes(self) -> list[Box]:
        """Return boxes that hold every pixel that was changed since the last call."""
        before, self._known = self._known, self._present()
        keys, now = {_key(item) for item in before}, {_key(item) for item in self._known}
        found = [item for item in self._known if _key(item) not in keys]
        # The history keeps a hundred steps: what is missing before one that is still there was
        # forgotten, and what is missing after it was undone.
        kept = [n for n, item in enumerate(before) if _key(item) in now]
        found += before[kept[-1] + 1 :] if kept else before
        return [box for item in found for box in boxes_of_item(item)]

    def _present(self) -> list[_Item]:
        return list(getattr(self._layer, "_undo_history", ()))


def _key(item: _Item) -> Hashable:
    """Return what a step is known by; undone, its atoms come in another list in reverse."""
    return frozenset((id(item[0]), id(item[-1]))) if item else frozenset()


def boxes_of_item(item: _Item) -> Iterator[Box]:
    """Yield boxes that hold all pixels of one step of a labels layer's history.

    Parameters
    ----------
    item : sequence
        The atoms of the step, as the event ``paint`` has them: masks in a box of the array, or
        tuples that begin with an index of arrays of int.
    """
    found = [box for atom in item for box in _boxes_of_atom(atom)]
    whole = Box.around(found) if found else None
    # A stroke of the brush is an atom for each move of the mouse, hundreds of boxes in one.
    yield from [whole] if whole is not None and whole.size <= _LOOSE_PIXELS else found


def _boxes_of_atom(atom: Any) -> Iterator[Box]:  # noqa: ANN401  see `boxes_of_item`
    window = getattr(atom, "slice_key", None)
    if window is not None:
        yield Box.from_slices(window)
        return
    indices = [np.atleast_1d(np.asarray(axis)).ravel() for axis in atom[0]]
    if indices and indices[0].size:
        yield from _around(np.broadcast_arrays(*indices))


def _around(indices: Sequence[NDArray[Any]]) -> Iterator[Box]:
    """Yield a box around pixels; where that is large and loose, one for each plane."""
    box = Box(
        tuple(int(axis.min()) for axis in indices), tuple(int(axis.max()) + 1 for axis in indices)
    )
    depth = next((n for n, size in enumerate(box.shape) if size > 1), box.ndim)
    if box.size <= max(_LOOSE_PIXELS, 4 * indices[0].size) or depth >= box.ndim - 2:
        yield box
        return
    order = np.argsort(indices[depth], kind="stable")
    edges = np.flatnonzero(np.diff(indices[depth][order])) + 1
    for part in np.split(order, edges):
        yield from _around([axis[part] for axis in indices])


def merge(boxes: Iterable[Box], most: int = _MOST_BOXES) -> list[Box]:
    """Join boxes that lie in or close to each other, until there are few of them.

    Parameters
    ----------
    boxes : iterable of Box
        Boxes of one array; empty ones are left out.
    most : int
        Largest number of boxes in the end.

    Returns
    -------
    list of Box
        Boxes that together hold every pixel of the given ones.
    """
    joined: list[Box] = []
    for new in boxes:
        if new.is_empty:
            continue
        box = new
        while (near := next((other for other in joined if _is_near(other, box)), None)) is not None:
            joined.remove(near)
            box = Box.around([near, box])
        joined.append(box)
        if len(joined) > most:
            _join_cheapest(joined)
    return joined


def _is_near(a: Box, b: Box) -> bool:
    return Box.around([a, b]).size <= 1.5 * (a.size + b.size) + _SLACK_PIXELS


def _join_cheapest(joined: list[Box]) -> None:
    """Join the last box with the one that this makes the fewest new pixels with."""
    last = joined.pop()
    best = min(joined, key=lambda other: Box.around([other, last]).size - other.size)
    joined[joined.index(best)] = Box.around([best, last])
