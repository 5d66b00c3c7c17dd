"""Pixels that show nothing of a specimen: padding, empty frames, dead pixels, specks of debris.

Brightness is measured without them. There are two rules, and each of them either leaves a picture
with objects and noise of its own or does nothing. Images without such pixels are measured whole.
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

# A constant value lies apart if its distance to the darkest (or brightest) of the other pixels is
# more than this share of their contrast and this many times their noise, and if at most this share
# of them lies in between. The clipped backgrounds of 570 known images end within 0.07 of their
# contrast.
_APART_CONTRAST = 0.1
_APART_NOISE = 3.0
_BETWEEN_SHARE = 0.001
# Share of the pixels of a constant that lie outside the picture, either in lines that reach the
# border, or in spots of at most so many pixels.
_OUTSIDE_SHARE = 0.95
_SPOT_PIXELS = 16
# A picture that covers this share of the image must fill this share of the box around it, as a
# picture that was turned does. A smaller one, which may be a cell or two, must fill it nearly.
_LARGE_PICTURE = 0.1
_FILLED_SHARE = 0.3
# Width of the seam along a padding, in pixels, in which interpolation may have mixed the two.
_SEAM_PIXELS = 2
# Number of different values from which on pixels are a picture; with fewer they are a mask.
_PICTURE_LEVELS = 24

# Specks are brighter than one of these shares of the white point, tried in turn, and cover at most
# this share of the image. So many pixels around them do not count either, because their glare lies
# there. Single hot pixels have a seam like that of a padding.
_SPECK_LEVELS = (0.7, 0.4, 0.25)
_SPECK_SHARE = 0.05
_GLARE_PIXELS = 16
# Without specks the contrast is at least so many times smaller, but still so many times the noise.
_TIMES_BRIGHTER = 2.2
_TIMES_NOISE = 16.0
# For each speck there are so many objects of at least so many pixels, brighter than this share of
# the remaining contrast.
_OBJECTS_PER_SPECK = 12
_OBJECT_PIXELS = 9
_OBJECT_LEVEL = 1 / 3
# Or there are so many whose area is at least this share of a speck's: others beside a few very
# bright cells. Grains of noise between the nuclei of an embryo are many as well, but smaller.
_LIKE_PER_SPECK = 4
_LIKE_SIZE = 1 / 2

# Constants and kinds of specks that are looked for in one image.
_MOST_ROUNDS = 6


@dataclass(frozen=True)
class Outliers:
    """Pixels of one channel that brightness is not measured by.

    Attributes
    ----------
    kept
        For each block, true where a pixel counts.
    constants
        Exact values that are no brightness.
    constant_share, bright_share
        Share of the finite pixels that have one of these values, and share that are in specks.
    """

    kept: tuple[Mask, ...]
    constants: tuple[float, ...] = ()
    constant_share: float = 0.0
    bright_share: float = 0.0


def find_outliers(blocks: Sequence[Pixels], percentiles: Percentiles, noise: Noise) -> Outliers:
    """Find the pixels of an image that show nothing of a specimen.

    *Constants* are padding, empty frames and dead pixels: a value at the dark or the bright end
    that many pixels have exactly, with a gap to all others. These pixels lie along the border (also
    along that of a picture that was turned), fill frames or whole lines, or are single. A
    background that is exactly 0 between objects is none of these.

    *Specks* are debris, hot pixels and a few very bright cells: the brightest pixels, where they
    are several times as bright as all others and there are many other objects.

    Parameters
    ----------
    blocks
        Blocks of one channel, float64, ``(..., Y, X)``.
    percentiles
        Function that returns the values that become 0 and 1, given some values.
    noise
        Function that returns the standard deviation of the noise of blocks, without NaN.

    Returns
    -------
    Outliers
        The pixels found; where there are none, every finite pixel is kept.
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
    """A search for pixels to leave out, which knows those that are left out so far."""

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
        kept = self._without(
            [m | _grown(e, _SEAM_PIXELS) for m, e in zip(same, edges, strict=True)]
        )
        gap = self._gap(value, kept, bright=bright)
        if gap == 0 or gap < _APART_NOISE * self._noise(blank(self._blocks, kept)):
            return None
        rest = self._values(kept)
        between = np.count_nonzero(np.abs(rest - value) < gap / 2)
        if between > _BETWEEN_SHARE * rest.size or not _has_many_levels(rest):
            return None
        return replace(
            self.found,
            kept=kept,
            constants=(*self.found.constants, value),
            constant_share=self.found.constant_share + count / self._all,
        )

    def specks(self) -> Outliers | None:
        """Leave out the few pixels that are much brighter than all others, if there are such."""
        return next(filter(None, map(self._brighter_than, _SPECK_LEVELS)), None)

    def _brighter_than(self, share: float) -> Outliers | None:
        """Leave out what is brighter than a share of the contrast, if that is specks."""
        threshold = self._low + share * (self._high - self._low)
        bright = self._where(lambda block: block > threshold)
        count = _total(bright)
        if not 0 < count <= _SPECK_SHARE * self._count:
            return None
        specks = [_sized(mask) for mask in bright]
        glare = [
            _grown(m, _SEAM_PIXELS) | _grown(s, _GLARE_PIXELS)
            for m, s in zip(bright, specks, strict=True)
        ]
        kept = self._without(glare)
        rest = self._values(kept)
        if rest.size < self._count / 2:
            return None
        # The lowest value may be that of a padding, which is no part of the contrast.
        others = rest[rest != self._low]
        low, high = self._percentiles(others if others.size else rest)
        if not 0 < _TIMES_BRIGHTER * (high - low) <= self._high - low:
            return None
        noise = self._noise(blank(self._blocks, self.found.kept))
        if high - low < _TIMES_NOISE * noise or not _has_many_levels(
            rest[(rest > low) & (rest <= high)]
        ):
            return None
        level = low + _OBJECT_LEVEL * (high - low)
        clear = [(b > level) & k for b, k in zip(self._blocks, kept, strict=True)]
        if not _outnumber(_areas(clear), _areas(specks)):
            return None
        bright_share = self.found.bright_share + count / self._all
        return replace(self.found, kept=kept, bright_share=bright_share)

    def _gap(self, value: float, kept: Sequence[Mask], *, bright: bool) -> float:
        """Return the distance of a value to the kept pixels, or 0 if it does not lie apart."""
        rest = self._values(kept)
        if not rest.size:
            return 0.0
        low, high = self._percentiles(rest)
        gap = value - high if bright else low - value
        return gap if high > low and gap >= _APART_CONTRAST * (high - low) else 0.0

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


def _has_many_levels(values: Pixels) -> bool:
    """Tell whether values are those of a picture rather than those of a mask."""
    return len(np.unique(values)) >= _PICTURE_LEVELS


def _reaching_the_border(mask: Mask) -> Mask:
    """Return the pixels from which the mask goes on to the border along a row or column."""
    reaching = np.zeros_like(mask)
    for axis in (-2, -1):
        reaching |= np.logical_and.accumulate(mask, axis=axis)
        backwards = np.flip(mask, axis)
        reaching |= np.flip(np.logical_and.accumulate(backwards, axis=axis), axis)
    return reaching


def _outside_the_picture(same: Sequence[Mask], edges: Sequence[Mask]) -> bool:
    """Tell whether a constant is padding, empty frames or dead pixels, and no background."""
    outside = _total(edges)
    box = 0  # pixels of the boxes around the pictures
    for mask, edge in zip(same, edges, strict=True):
        names, count = ndimage.label(mask & ~edge, _in_plane(mask.ndim))
        if count:
            sizes = np.bincount(names.ravel())[1:]
            outside += int(sizes[sizes <= _SPOT_PIXELS].sum())
        box += int(np.count_nonzero(_between_ends(~mask, -1) & _between_ends(~mask, -2)))
    size = sum(mask.size for mask in same)
    picture = size - _total(same)
    framed = (
        picture >= (_FILLED_SHARE if picture >= _LARGE_PICTURE * size else _OUTSIDE_SHARE) * box
    )
    return framed and outside >= _OUTSIDE_SHARE * _total(same)


def _between_ends(mask: Mask, axis: int) -> Mask:
    """Return all lines between the first and the last one along an axis that has a mask pixel."""
    lines = mask.any(axis=axis, keepdims=True)
    other = -3 - axis
    before = np.logical_or.accumulate(lines, axis=other)
    after = np.flip(np.logical_or.accumulate(np.flip(lines, other), axis=other), other)
    return before & after


def _sized(mask: Mask) -> Mask:
    """Return the connected parts that are no single pixels."""
    names, _ = ndimage.label(mask)
    sized = np.bincount(names.ravel()) >= _OBJECT_PIXELS
    sized[0] = False
    found: Mask = sized[names]
    return found


def _outnumber(objects: Pixels, specks: Pixels) -> bool:
    """Tell whether objects are so many that specks do not count; both are given by their areas."""
    like = objects[objects >= _LIKE_SIZE * np.median(specks)] if specks.size else objects
    count = max(1, specks.size)
    return objects.size >= _OBJECTS_PER_SPECK * count or like.size >= _LIKE_PER_SPECK * count


def _areas(masks: Iterable[Mask]) -> Pixels:
    """Return the pixels of each connected part that is no single pixel."""
    sizes = [np.bincount(ndimage.label(mask)[0].ravel())[1:] for mask in masks]
    found = np.concatenate(sizes).astype(float)
    return found[found >= _OBJECT_PIXELS]


def _grown(mask: Mask, pixels: int) -> Mask:
    """Return the mask grown by so many pixels to each side, plane by plane."""
    grown = mask.astype(np.uint8)
    for axis in (-2, -1):
        grown = ndimage.maximum_filter1d(grown, 2 * pixels + 1, axis=axis)
    return grown.astype(bool)


def _in_plane(ndim: int) -> Mask:
    """Return the neighbours that a pixel is connected to, which are those in its plane."""
    structure = np.zeros((3,) * ndim, bool)
    structure[(1,) * (ndim - 2)] = ndimage.generate_binary_structure(2, 1)
    return structure
