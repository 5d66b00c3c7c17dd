"""Labels of which a part was segmented again: whole objects are replaced, the others stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Renewed", "belonging", "renew"]

Window: TypeAlias = tuple[slice, ...]
Pairs: TypeAlias = list[tuple[int, int, int]]
"""Number before, number found, pixels in common; most first."""


@dataclass(frozen=True)
class Renewed:
    """The objects of a part after it was segmented again.

    Attributes
    ----------
    ids : set of int
        Numbers of the objects that were found.
    gone : set of int
        Numbers that no object has any more.
    highest : int
        The highest number of an object.
    window : tuple of slice
        A part that holds all objects that were found.
    """

    ids: set[int]
    gone: set[int]
    highest: int
    window: Window


def belonging(sizes: NDArray[np.integer], within: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Tell which objects belong to a region: those of which at least half lies in it.

    Parameters
    ----------
    sizes, within : ndarray of int
        Pixels of each label, and how many of them lie in the region; the first entry is of 0.
    """
    kept = (within > 0) & (2 * within >= sizes)
    kept[:1] = False
    return kept


def renew(
    labels: NDArray[Any],
    window: Window,
    inner: Window | NDArray[np.bool_],
    found: NDArray[Any],
    highest: int,
    *,
    base: int | None = None,
) -> Renewed:
    """Replace the objects of a part of labels, in place, by those that were found there.

    An object belongs to the part if any of it lies in there, and is replaced as a whole. The
    others keep their pixels and numbers, but for those that turn out to be a piece of one. An
    object that is found again keeps its number, so that one which goes beyond what was looked
    at stays one.

    Parameters
    ----------
    labels : ndarray of int
        All labels.
    window : tuple of slice
        What was looked at of them: the part and what lies around it.
    inner : tuple of slice, or ndarray of bool
        The part, within the window; or the region, to which an object belongs that lies in it at
        least by half. All that was found belongs to that.
    found : ndarray of int
        What was found in the window.
    highest : int
        No object of `labels` has a higher number.
    base : int, optional
        Number that is added to those of new objects, where what is found in several windows has
        numbers of its own; by default the highest number so far.
    """
    old = np.array(labels[window])
    highest = max(highest, int(old.max(initial=0)))
    if isinstance(inner, tuple):
        gone = _numbers_in(old[inner], highest)
        seen = _numbers_in(found[inner], int(found.max(initial=0)))
    else:
        gone = belonging(_sizes(old, highest + 1), _sizes(old[inner], highest + 1))
        seen = _numbers_in(found, int(found.max(initial=0)))
    pairs = _overlaps(old, found)
    _add_counterparts(gone, seen, pairs, old, found)
    _settle_outsiders(gone, seen, pairs, old, found)
    numbers = _number(gone, seen, pairs, highest if base is None else base)
    replaced = gone[old]
    result = np.where((old > 0) & ~replaced, old, numbers[found])
    going_on = _going_on(labels.shape, window, old, result, gone)
    for number in going_on["ends"]:
        _erase(labels, window, number)
    labels[window] = result
    ids = set(numbers.tolist()) - {0}
    lost = set(np.flatnonzero(gone).tolist()) - ids
    whole = tuple(slice(0, size) for size in labels.shape)
    reach = whole if going_on["stays"] else window
    return Renewed(ids, lost, max(highest, *ids, 0), reach)


def _numbers_in(labels: NDArray[Any], highest: int) -> NDArray[np.bool_]:
    """Return a mask of the numbers up to the highest that occur; 0 never counts."""
    there = np.zeros(highest + 1, bool)
    there[labels.ravel()] = True
    there[0] = False
    return there


def _overlaps(old: NDArray[Any], found: NDArray[Any]) -> Pairs:
    """Count the pixels that objects before and objects found have in common."""
    both = np.flatnonzero((old > 0) & (found > 0))
    if not both.size:
        return []
    keys = old.ravel()[both].astype(np.uint64) << np.uint64(32) | found.ravel()[both]
    # Neighbours mostly belong to the same two objects: runs of them are soon sorted.
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    lengths = np.diff(starts, append=keys.size)
    unique, index = np.unique(keys[starts], return_inverse=True)
    counts = np.bincount(index, lengths).astype(int)
    table = [
        (int(key) >> 32, int(key) & 0xFFFFFFFF, int(count))
        for key, count in zip(unique, counts, strict=True)
    ]
    return sorted(table, key=lambda pair: -pair[2])


def _add_counterparts(
    gone: NDArray[np.bool_],
    seen: NDArray[np.bool_],
    pairs: Pairs,
    old: NDArray[Any],
    found: NDArray[Any],
) -> None:
    """Mark as seen what was found just outside the part in the place of an object that is gone."""
    before, after = _sizes(old, gone.size), _sizes(found, seen.size)
    for a, b, common in pairs:
        if gone[a] and not seen[b] and 2 * common > min(before[a], after[b]):
            seen[b] = True


def _settle_outsiders(
    gone: NDArray[np.bool_],
    seen: NDArray[np.bool_],
    pairs: Pairs,
    old: NDArray[Any],
    found: NDArray[Any],
) -> None:
    """Decide which object stays where a found one overlaps one just outside the part.

    A found object that lies mostly in the other one is left out, as that one stays. A found object
    that holds most of the other one takes its place.
    """
    before, after = _sizes(old, gone.size), _sizes(found, seen.size)
    needed = {b for a, b, common in pairs if gone[a] and 2 * common > before[a]}
    for a, b, common in pairs:
        if gone[a] or not seen[b]:
            continue
        if 2 * common > after[b] and b not in needed:
            seen[b] = False
        elif 2 * common > before[a]:
            gone[a] = True


def _sizes(labels: NDArray[Any], count: int) -> NDArray[np.int64]:
    return np.bincount(labels.ravel(), minlength=count)


def _number(
    gone: NDArray[np.bool_], seen: NDArray[np.bool_], pairs: Pairs, base: int
) -> NDArray[np.uint32]:
    """Return the number that each object found gets: that of the one it replaces, or a new one."""
    numbers = np.zeros(seen.size, np.uint32)
    taken: set[int] = set()
    for a, b, _ in pairs:
        if gone[a] and seen[b] and not numbers[b] and a not in taken:
            numbers[b] = a
            taken.add(a)
    new = np.flatnonzero(seen & (numbers == 0))
    numbers[new] = base + new
    return numbers


def _going_on(
    shape: tuple[int, ...],
    window: Window,
    old: NDArray[Any],
    result: NDArray[Any],
    gone: NDArray[np.bool_],
) -> dict[str, list[int]]:
    """Sort replaced objects that go beyond the window by whether their successors do, too."""
    before: set[int] = set()
    after: set[int] = set()
    for axis, (part, size) in enumerate(zip(window, shape, strict=True)):
        for side, open_ in ((0, part.start > 0), (-1, part.stop < size)):
            if open_:
                before |= set(np.unique(np.take(old, side, axis)).tolist())
                after |= set(np.unique(np.take(result, side, axis)).tolist())
    crossing = [number for number in before if gone[number]]
    return {
        "stays": [number for number in crossing if number in after],
        "ends": [number for number in crossing if number not in after],
    }


def _erase(labels: NDArray[Any], window: Window, number: int) -> None:
    """Erase an object that reaches out of a window, however far it goes."""
    while True:
        grown = tuple(
            slice(max(0, part.start - _step(part)), min(size, part.stop + _step(part)))
            for part, size in zip(window, labels.shape, strict=True)
        )
        part = np.array(labels[grown])
        here = part == number
        if grown == window or not _touches_border(here):
            part[here] = 0
            labels[grown] = part
            return
        window = grown


def _step(part: slice) -> int:
    return int(part.stop - part.start)


def _touches_border(mask: NDArray[np.bool_]) -> bool:
    return any(
        bool(np.take(mask, side, axis).any()) for axis in range(mask.ndim) for side in (0, -1)
    )
