"""Lines that users draw on labels, as pixels, and windows within windows."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unet_napari._napari.corrections.objects import LabelledObject

__all__ = ["index_in", "line_mask", "pixels_between"]


def pixels_between(pixels: NDArray[np.intp]) -> list[tuple[int, ...]]:
    """Return every pixel along the pieces of a line."""
    found: dict[tuple[int, ...], None] = {}
    for start, stop in pairwise(pixels):
        steps = int(np.abs(stop - start).max()) + 1
        for at in np.linspace(start, stop, steps + 1).round().astype(int):
            found[tuple(at.tolist())] = None
    return list(found)


def line_mask(
    pixels: NDArray[np.intp], found: LabelledObject, shown: Sequence[int]
) -> NDArray[np.bool_]:
    """Return the pixels of a line in the window of an object, through its whole depth.

    The line is drawn in a plane, and cuts everywhere along the axes that are not shown.
    """
    mask = np.zeros(found.mask.shape, bool)
    for pixel in pixels_between(pixels):
        at: list[int | slice] = [
            pixel[axis] - part.start if axis in shown else slice(None)
            for axis, part in enumerate(found.window)
        ]
        inside = all(isinstance(a, slice) or 0 <= a < mask.shape[axis] for axis, a in enumerate(at))
        if inside:
            mask[tuple(at)] = True
    # A slanted line of single pixels lets corners touch: it is drawn two pixels wide.
    for axis in list(shown)[:-1]:
        shifted = np.roll(mask, 1, axis)
        shifted[(slice(None),) * axis + (0,)] = False
        mask |= shifted
    return mask


def index_in(window: tuple[slice, ...], outer: tuple[slice, ...]) -> tuple[slice, ...]:
    """Return where a window lies in a larger one."""
    return tuple(
        slice(part.start - whole.start, part.stop - whole.start)
        for part, whole in zip(window, outer, strict=True)
    )
