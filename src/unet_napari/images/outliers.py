"""What of an image is no image: padding, empty frames, dead pixels, specks of debris.

Brightness is measured without it. Two rules, each of which leaves a picture with objects and
noise of its own or does nothing; images without such pixels are measured as ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Pixels = NDArray[np.float64]
    Percentiles = Callable[[Pixels], tuple[float, float]]
    Noise = Callable[[Sequence[Pixels]], float]

__all__ = ["Outliers", "blank", "find_outliers"]

# A constant lies apart if it is farther from the darkest (brightest) of the rest than this share
# of the rest's contrast and this many times its noise, with as good as nothing in between. The
# clipped backgrounds of 570 known images end within 0.07 of their contrast.
_APART = 0.1
_APART_NOISE = 3.0
_BETWEEN = 0.001
# Share of its pixels that lie outside the picture: in lines that reach the border, or alone, in
# at most so many pixels. The picture fills at least this share of the box around it, as one
# that was turned does; a small one, which may be a cell or two, fills it like a picture.
_OUTSIDE = 0.95
_ALONE = 16
_PICTURE = 0.3
_LARGE = 0.1
_BLUR = 2  # pixels along a padding that interpolation may have mixed with it
_LEVELS = 24  # different values that a picture has; with fewer it is a mask

# Specks are brighter than this share of the white point and cover at most this share of the
# image; so many pixels around them do not count either, as their glare is there (around single
# hot pixels as many as along a padding).
_BRIGHT = 0.7
_MOST_BRIGHT = 0.03
_GLARE = 16
# Without them the contrast is at least so many times smaller, but still so many times the noise,
# and for each speck there are so many objects: of at least so many pixels, brighter than this
# share of what is left of the contrast. Of 570 known images, many of them of few bright nuclei
# on little else, one has such a speck.
_TIMES_BRIGHTER = 2.2
_CLEAR = 16.0
_OBJECTS_EACH = 12
_OBJECT_SIZE = 9
_OBJECT_LEVEL = 1 / 3

_MOST_ROUNDS = 6


@dataclass(frozen=True)
class Outliers:
    """Pixels of blocks of one channel by which brightness is not to be measured.

    Attributes
    ----------
    kept
        True where a pixel counts, for each block.
    constants
        Exact values that are no brightness.
    constant_share, bright_share
        Of the finite pixels: how many have one of these values, and how many are in specks.
    """

    kept: tuple[Mask, ...]
    constants: tuple[float, ...] = ()
    constant_share: float = 0.0
    bright_share: float = 0.0


def find_outliers(blocks: Sequence[Pixels], percentiles: Percentiles, noise: Noise) -> Outliers:
    """Find the pixels of an image that are no image.

    *Constants*: a value at the dark or the bright end that many pixels have exactly, with a gap
    to all others, where these pixels lie along the border (also along that of a picture that was
    turned), fill frames or whole lines, or are single: padding, empty frames, dead pixels. A
    background that is exactly 0 between objects is none of these.

    *Specks*: the few brightest pixels, where they are several times as bright as all else and
    there are many other objects: debris, dead cells, hot pixels.

    Parameters
    ----------
    blocks
        Of one channel, float64, ``(..., Y, X)``.
    percentiles
        Returns what becomes 0 and 1 of some values.
    noise
        Returns the standard deviation of the noise of blocks, in which NaN does not count.

    Returns
    -------
    Outliers
        Where there are none, every finite pixel is kept.
    """
    kept = tuple(np.isfinite(block) for block in blocks)
    search = _Search(blocks, percentiles, noise, Outliers(kept))
    for _ in range(_MOST_ROUNDS):
        found = search.constant(bright=False) or search.constant(bright=True) or search.specks()
        if found is None:
            break
        search = _Search(blocks, percentiles, noise, found)
    return search.found


class _Search:
    """Looks for pixels to leave out, given those left out so far."""

    def __init__(
        self, blocks: Sequence[Pixels], percentiles: Percentiles, noise: Noise, found: Outliers
    ) -> None:
        self._blocks, self.found = blocks, found
        self._percentiles, self._noise = percentiles, noise
        values = self._values(found.kept)
        self._count = values.size
        self._all = _total(np.isfinite(block) for block in blocks)
        self._low, self._high = percentiles(values)

    def constant(self, *, bright: bool) -> Outliers | None:
        """Leave out the value that would become 0, or 1, if it is no brightness."""
        value = self._high if bright else self._low
        same = self._where(lambda block: block == value)
        count = _total(same)
        if not 1 < count < self._count:
            return None
        if self._gap(value, self._without(same), bright=bright) == 0:
            return None
        edges = [_reaching_the_border(mask) for mask in same]
        if not _outside_the_picture(same, edges):
            return None
        kept = self._without([m | _grown(e, _BLUR) for m, e in zip(same, edges, strict=True)])
        gap = self._gap(value, kept, bright=bright)
        if gap == 0 or gap < _APART_NOISE * self._noise(blank(self._blocks, kept)):
            return None
        rest = self._values(kept)
        between = np.count_nonzero(np.abs(rest - value) < gap / 2)
        if between > _BETWEEN * rest.size or not _is_picture(rest):
            return None
        return replace(
            self.found,
            kept=kept,
            constants=(*self.found.constants, value),
            constant_share=self.found.constant_share + count / self._all,
        )

    def specks(self) -> Outliers | None:
        """Leave out what is much brighter than all else, if it is little."""
        threshold = self._low + _BRIGHT * (self._high - self._low)
        bright = self._where(lambda block: block > threshold)
        count = _total(bright)
        if not 0 < count <= _MOST_BRIGHT * self._count:
            return None
        specks = [_sized(mask) for mask in bright]
        glare = [_grown(m, _BLUR) | _grown(s, _GLARE) for m, s in zip(bright, specks, strict=True)]
        kept = self._without(glare)
        rest = self._values(kept)
        if rest.size < self._count / 2:
            return None
        others = rest[rest != self._low]  # which may be the value of padding
        low, high = self._percentiles(others if others.size else rest)
        if not 0 < _TIMES_BRIGHTER * (high - low) <= self._high - low:
            return None
        noise = self._noise(blank(self._blocks, self.found.kept))
        if high - low < _CLEAR * noise or not _is_picture(rest[(rest > low) & (rest <= high)]):
            return None
        level = low + _OBJECT_LEVEL * (high - low)
        clear = [(b > level) & k for b, k in zip(self._blocks, kept, strict=True)]
        if _objects(map(_sized, clear)) < _OBJECTS_EACH * max(1, _objects(specks)):
            return None
        return replace(
            self.found, kept=kept, bright_share=self.found.bright_share + count / self._all
        )

    def _gap(self, value: float, kept: Sequence[Mask], *, bright: bool) -> float:
        """Return how far a value is from what is kept, or 0 if that is not far."""
        rest = self._values(kept)
        if not rest.size:
            return 0.0
        low, high = self._percentiles(rest)
        gap = value - high if bright else low - value
        return gap if high > low and gap >= _APART * (high - low) else 0.0

    def _where(self, condition: Callable[[Pixels], Mask]) -> list[Mask]:
        pairs = zip(self._blocks, self.found.kept, strict=True)
        return [condition(block) & kept for block, kept in pairs]

    def _without(self, masks: Sequence[Mask]) -> tuple[Mask, ...]:
        return tuple(kept & ~mask for kept, mask in zip(self.found.kept, masks, strict=True))

    def _values(self, kept: Sequence[Mask]) -> Pixels:
        return np.concatenate([b[mask] for b, mask in zip(self._blocks, kept, strict=True)])


def blank(blocks: Sequence[Pixels], kept: Sequence[Mask]) -> list[Pixels]:
    """Return blocks with NaN where a pixel does not count."""
    return [np.where(mask, block, np.nan) for block, mask in zip(blocks, kept, strict=True)]


def _total(masks: Iterable[Mask]) -> int:
    return sum(int(np.count_nonzero(mask)) for mask in masks)


def _is_picture(values: Pixels) -> bool:
    """Tell the values of a picture from those of a mask."""
    return len(np.unique(values)) >= _LEVELS


def _reaching_the_border(mask: Mask) -> Mask:
    """Return the pixels from which the mask goes on to the border along a row or column."""
    reaching = np.zeros_like(mask)
    for axis in (-2, -1):
        reaching |= np.logical_and.accumulate(mask, axis=axis)
        backwards = np.flip(mask, axis)
        reaching |= np.flip(np.logical_and.accumulate(backwards, axis=axis), axis)
    return reaching


def _outside_the_picture(same: Sequence[Mask], edges: Sequence[Mask]) -> bool:
    """Tell padding, empty frames and dead pixels from a background between objects."""
    outside = _total(edges)
    box = 0  # pixels of the boxes around what is left
    for mask, edge in zip(same, edges, strict=True):
        names, count = ndimage.label(mask & ~edge, _in_plane(mask.ndim))
        if count:
            sizes = np.bincount(names.ravel())[1:]
            outside += int(sizes[sizes <= _ALONE].sum())
        box += int(np.count_nonzero(_between_ends(~mask, -1) & _between_ends(~mask, -2)))
    size = sum(mask.size for mask in same)
    picture = size - _total(same)
    framed = picture >= (_PICTURE if picture >= _LARGE * size else _OUTSIDE) * box
    return framed and outside >= _OUTSIDE * _total(same)


def _between_ends(mask: Mask, axis: int) -> Mask:
    """Return the lines from the first to the last, along an axis, in which the mask has pixels."""
    lines = mask.any(axis=axis, keepdims=True)
    other = -3 - axis
    before = np.logical_or.accumulate(lines, axis=other)
    after = np.flip(np.logical_or.accumulate(np.flip(lines, other), axis=other), other)
    return before & after


def _sized(mask: Mask) -> Mask:
    """Return the connected parts that are no single pixels."""
    names, _ = ndimage.label(mask)
    sized = np.bincount(names.ravel()) >= _OBJECT_SIZE
    sized[0] = False
    found: Mask = sized[names]
    return found


def _objects(masks: Iterable[Mask]) -> int:
    return sum(int(ndimage.label(mask)[1]) for mask in masks)


def _grown(mask: Mask, pixels: int) -> Mask:
    """Add what lies within a square of so many pixels to either side, plane by plane."""
    grown = mask.astype(np.uint8)
    for axis in (-2, -1):
        grown = ndimage.maximum_filter1d(grown, 2 * pixels + 1, axis=axis)
    return grown.astype(bool)


def _in_plane(ndim: int) -> Mask:
    """Return which neighbours of a pixel are connected to it: those in its plane."""
    structure = np.zeros((3,) * ndim, bool)
    structure[(1,) * (ndim - 2)] = ndimage.generate_binary_structure(2, 1)
    return structure
