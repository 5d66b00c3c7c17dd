"""Letters that name the axes of an array.

``T`` time, ``C`` channel, ``Z`` depth, ``Y`` rows, ``X`` columns. Everything else in the
package asks for an axis by its letter and never by its position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unet_napari.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike

__all__ = ["AXES", "SPATIAL_AXES", "describe_shape", "guess_axes", "parse_axes"]

AXES = "TCZYX"
SPATIAL_AXES = "ZYX"

# Number of planes up to which the first axis of a 3-D array is as likely to be the channels.
_AMBIGUOUS_CHANNELS = 4


def parse_axes(axes: str, shape: Sequence[int]) -> str:
    """Check the axes that somebody gave for an array.

    Parameters
    ----------
    axes
        One letter of `AXES` per axis of the array, in array order; case does not matter.
    shape
        The shape of the array.

    Returns
    -------
    str
        The letters in capitals.

    Raises
    ------
    ImageError
        If a letter is unknown or doubled, if the number of letters is not the number of
        axes, if Y or X is missing, or if the spatial axes are not in the order Z, Y, X.
    """
    letters = axes.strip().upper()
    unknown = [letter for letter in letters if letter not in AXES]
    if unknown:
        raise ImageError(
            f"axes {axes!r}: there is no axis {unknown[0]!r}; use the letters T (time), "
            "C (channel), Z, Y and X, for example ZYX"
        )
    if len(set(letters)) != len(letters):
        raise ImageError(f"axes {axes!r}: each letter may stand there only once")
    if len(letters) != len(shape):
        raise ImageError(
            f"axes {axes!r} name {len(letters)} axes, but the image has {len(shape)}: "
            f"its shape is {describe_shape(shape)}"
        )
    spatial = "".join(letter for letter in letters if letter in SPATIAL_AXES)
    if spatial not in ("YX", "ZYX"):
        if set("YX") <= set(spatial):
            raise ImageError(
                f"axes {axes!r}: the spatial axes must come in the order Z, Y, X, but some readers "
                "(of NIfTI, say) give them the other way round; turn the image first "
                f"(in Python image.transpose{_order(letters)}), or save it from Fiji as TIFF"
            )
        raise ImageError(f"axes {axes!r}: an image needs both Y and X")
    return letters


def guess_axes(shape: Sequence[int], dtype: DTypeLike, *, rgb: bool = False) -> str:
    """Return the axes of a bare array, where only one answer is sensible.

    Two axes are ``YX``. Three are ``YXC`` if the last holds the 3 or 4 values of an RGB
    picture (uint8 or floating point), ``TYX`` if the first has length 1, else ``ZYX``. An array
    that might as well be several channels or a time series is not guessed at.

    Parameters
    ----------
    shape, dtype
        Shape and type of the array.
    rgb
        Whether the last axis is known to be the colour of an RGB picture.

    Returns
    -------
    str
        One letter of `AXES` per axis.

    Raises
    ------
    ImageError
        If more than one answer is sensible; the message names the shape and what to give.
    """
    sizes = tuple(shape)
    if rgb:
        if len(sizes) in (3, 4):
            return "ZYXC"[4 - len(sizes) :]
        raise _ambiguous(sizes, "TZYXC")
    if len(sizes) < 2:
        raise ImageError(f"an image has at least two axes; this one is {describe_shape(sizes)}")
    if len(sizes) == 2:
        return "YX"
    if len(sizes) > 3:
        raise _ambiguous(sizes, "TZYX or CZYX" if len(sizes) == 4 else "TCZYX or TZCYX")
    colour_last = sizes[-1] in (3, 4) and min(sizes[:-1]) > _AMBIGUOUS_CHANNELS
    if colour_last:
        kind = np.dtype(dtype)
        if kind == np.uint8 or kind.kind == "f":
            return "YXC"
        raise _ambiguous(sizes, "YXC or ZYX")
    if sizes[0] == 1:  # A projection is an example: whatever the axis is, there is one of it.
        return "TYX"
    if sizes[0] <= _AMBIGUOUS_CHANNELS:
        raise _ambiguous(sizes, "CYX (channels) or ZYX (a stack)")
    return "ZYX"


def describe_shape(shape: Sequence[int]) -> str:
    """Write a shape the way a microscopist does: ``30 x 512 x 512``."""
    return " x ".join(str(size) for size in shape) if len(shape) else "a single number"


def _order(letters: str) -> tuple[int, ...]:
    """Return the order of the axes in which the spatial ones are in our order, for `transpose`."""
    spatial = iter(sorted(a for a in letters if a in SPATIAL_AXES)[::-1])
    return tuple(letters.index(next(spatial) if a in SPATIAL_AXES else a) for a in letters)


def _ambiguous(shape: Sequence[int], examples: str) -> ImageError:
    return ImageError(
        f"cannot tell what the axes of a {describe_shape(shape)} image are; say so with "
        f'--axes (in Python: axes="..."), for example {examples}'
    )
