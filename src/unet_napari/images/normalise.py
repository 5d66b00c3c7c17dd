"""Bring the brightness of an image to the range that a network was trained on.

The rule (`Normalisation`) belongs to the model and travels with it. The statistics that it finds
in an image (`Statistics`) are measured once per image and never per tile, because statistics per
tile would draw a grid into tiled predictions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from unet_napari.errors import ImageError, warn_user
from unet_napari.images.outliers import Outliers, blank, find_outliers
from unet_napari.images.pixel_sample import sample_blocks
from unet_napari.records import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unet_napari.images.image import Image

__all__ = ["Levels", "Normalisation", "Statistics"]

# Median of |a - b| for two independent normal values of standard deviation 1.
_MEDIAN_DIFFERENCE = 0.6744897501960817 * math.sqrt(2)
# The largest integer up to which float64 holds every integer.
_LARGEST_EXACT = 2.0**53
# Number of pixels up to which an image is a toy whose every pixel counts.
_TINY_IMAGE = 16
# Share of the pixels left out of the brightness scale from which on the user is told.
_SHARE_TO_TELL = 0.01


@dataclass(frozen=True)
class Statistics(Record):
    """The values of an image that become 0 and 1, one pair per channel.

    Equal values mean a channel without contrast, which becomes 0 everywhere.

    Attributes
    ----------
    low, high
        For each channel the values that become 0 and 1, in the image's own units.
    outside
        For each channel the exact values of padding, empty frames and dead pixels, which become
        0 as well; empty if no channel has such pixels.
    """

    record_name: ClassVar[str] = "The brightness scale"

    low: tuple[float, ...]
    high: tuple[float, ...]
    outside: tuple[tuple[float, ...], ...] = ()


class Levels(NamedTuple):
    """The levels of brightness in a sample of one channel.

    Attributes
    ----------
    low, high
        The percentiles of the rule.
    noise
        Standard deviation of the noise.
    outside
        Exact values that are no brightness.
    """

    low: float
    high: float
    noise: float
    outside: tuple[float, ...]


@dataclass(frozen=True)
class Normalisation(Record):
    """The rule that scales the brightness of an image.

    A value becomes ``(value - low) / (high - low)``, limited to `floor` .. `ceiling`.

    `low` and `high` are percentiles of the image, at least one pixel away from its extremes,
    so that one hot pixel does not change them. The contrast ``high - low`` is never taken to
    be less than `noise` times the noise of the image, so that an image with few objects, or
    none, does not become an image full of amplified noise. The noise is the median
    difference between neighbours along X, scaled to the standard deviation of normal noise
    (the robust estimate of Donoho and Johnstone, Biometrika 81, 1994).

    Parameters
    ----------
    low, high
        Percentiles, 0 to 100. 99.8 lies within the objects as soon as they cover 0.2 % of
        the image.
    noise
        Smallest contrast in units of the noise. Pure noise has a contrast of 5, micrographs
        one of 12 (dim confocal) to over 100; 16 leaves most micrographs alone and keeps the
        standard deviation of noise below 0.063.
    floor, ceiling
        Limits of the result. Values beyond are specks and hot pixels, which would otherwise
        disturb all that the network sees around them.

    Raises
    ------
    ValueError
        If the values are out of range or out of order.
    """

    record_name: ClassVar[str] = "The normalisation"

    low: float = 1.0
    high: float = 99.8
    noise: float = 16.0
    floor: float = -1.0
    ceiling: float = 4.0

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise ValueError(f"percentiles {self.low} and {self.high} are not in order")
        if not (0 <= self.noise < math.inf):
            raise ValueError(f"noise {self.noise} is negative or not finite")
        if not -math.inf < self.floor <= 0 < self.ceiling < math.inf:
            raise ValueError(f"limits {self.floor} and {self.ceiling} do not enclose 0")

    def measure(self, image: Image, *, quiet: bool = False) -> Statistics:
        """Find the values of an image that become 0 and 1, from a bounded sample of its pixels.

        Parameters
        ----------
        image
            A free time axis is sampled too, so that a time series gets one brightness scale; see
            `unet_napari.images.drift` for one that drifts.
        quiet
            Whether no warning is given.

        Returns
        -------
        Statistics
            One pair per channel; the same for every call.

        Raises
        ------
        ImageError
            If a channel has no finite value.

        Warns
        -----
        UnetNapariWarning
            If some values are NaN or infinite (they count as background), or if whole
            numbers are too large for floating point (beyond 2^53).
        """
        levels = self.levels(image, quiet=quiet)
        low = tuple(found.low for found in levels)
        high = tuple(self._white(found) for found in levels)
        if not quiet and any(abs(value) > _LARGEST_EXACT for value in (*low, *high)):
            _warn_if_whole(image)
        outside = tuple(found.outside for found in levels)
        return Statistics(low, high, outside if any(outside) else ())

    def levels(
        self, image: Image, *, pixels: int | None = None, quiet: bool = False
    ) -> list[Levels]:
        """Return the levels of each channel, from a sample of so many pixels of an image."""
        blocks = sample_blocks(image, pixels)
        found = []
        for channel in range(image.channels):
            which = f"{image.name}, channel {channel}," if image.channels > 1 else image.name
            found.append(self._look([block[channel] for block in blocks], which, quiet=quiet))
        return found

    def apply(self, array: NDArray[Any], statistics: Statistics) -> NDArray[np.float32]:
        """Normalise pixels.

        Parameters
        ----------
        array
            Shape ``(C, *S)``, any real dtype; it stays as it is. The computation is in
            float64, so that the result does not depend on the dtype.
        statistics
            Statistics that `measure` found in the image that the pixels belong to.

        Returns
        -------
        numpy.ndarray
            Same shape, float32, `floor` to `ceiling`; 0 where the value is not finite.

        Raises
        ------
        ValueError
            If array and statistics differ in their number of channels.
        """
        if len(array) != len(statistics.low):
            raise ValueError(f"{len(array)} channels, statistics of {len(statistics.low)}")
        result = np.zeros(array.shape, np.float32)
        for channel, (low, high) in enumerate(zip(statistics.low, statistics.high, strict=True)):
            if not high > low:
                continue
            with np.errstate(over="ignore", invalid="ignore"):
                values = np.subtract(array[channel], low, dtype=np.float64)
                values /= high - low
            np.clip(values, self.floor, self.ceiling, out=values)
            if array.dtype.kind == "f":
                values[~np.isfinite(array[channel]) | np.isnan(values)] = 0
            for constant in statistics.outside[channel] if statistics.outside else ():
                values[array[channel] == constant] = 0
            result[channel] = values
        return result

    def _look(self, blocks: Sequence[NDArray[Any]], which: str, *, quiet: bool) -> Levels:
        pixels = [np.asarray(block, np.float64) for block in blocks]
        lacking = _share_of_no_number(pixels)
        if lacking == 1:
            raise ImageError(f"{which} holds no number at all, only NaN or infinity")
        outliers = find_outliers(pixels, self._percentiles, _noise)
        if not quiet:
            _warn_of(outliers, lacking, which)
        pixels = blank(pixels, outliers.kept)
        values = np.concatenate([p[kept] for p, kept in zip(pixels, outliers.kept, strict=True)])
        return Levels(*self._percentiles(values), _noise(pixels), outliers.constants)

    def _white(self, found: Levels) -> float:
        """Return the value that becomes 1, which is so high that noise stays small."""
        if not found.high > found.low:
            return found.high
        return max(found.high, found.low + self.noise * found.noise)

    def _percentiles(self, values: NDArray[np.float64]) -> tuple[float, float]:
        """Return the values that become 0 and 1 if there is no noise."""
        return _percentiles(values, self.low, self.high)


def _share_of_no_number(blocks: Sequence[NDArray[np.float64]]) -> float:
    finite = sum(int(np.count_nonzero(np.isfinite(block))) for block in blocks)
    return 1 - finite / sum(block.size for block in blocks)


def _warn_of(outliers: Outliers, lacking: float, which: str) -> None:
    """Tell the user about pixels that do not count, if they are no numbers or if there are many."""
    if lacking:
        _warn(
            f"{which} holds NaN or infinity in {100 * lacking:.3g} % of its pixels; "
            "they count as background"
        )
    if outliers.constant_share >= _SHARE_TO_TELL:
        values = " or ".join(f"{value:g}" for value in outliers.constants)
        reason = f"are exactly {values}, as padding, empty frames and dead pixels are"
        share = outliers.constant_share
    elif outliers.bright_share >= _SHARE_TO_TELL:
        reason, share = "are much brighter than all else", outliers.bright_share
    else:
        return
    _warn(
        f"{100 * share:.2g} % of the pixels of {which} {reason}; they were left out of the "
        "brightness scale"
    )


def _warn(message: str) -> None:
    warn_user(message, stacklevel=6)


def _percentiles(values: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """Return two percentiles, at least one pixel away from the extremes of a real image."""
    one_pixel = 100 / (values.size - 1) if values.size > _TINY_IMAGE else 0.0
    second = 100 - one_pixel
    percents = [max(low, one_pixel), min(high, second), second]
    bottom, top, almost_largest = map(float, np.percentile(values, percents))
    # With few objects on a background without noise, as in a mask, the objects are the contrast.
    return bottom, top if top > bottom else almost_largest


def _noise(blocks: Sequence[NDArray[Any]]) -> float:
    """Estimate the standard deviation of the noise from neighbours along the last axis."""
    with np.errstate(invalid="ignore", over="ignore"):
        differences = np.concatenate(
            [np.abs(np.diff(np.asarray(block, np.float64), axis=-1)).ravel() for block in blocks]
        )
        differences = differences[np.isfinite(differences)]
        noise = float(np.median(differences)) if differences.size else 0.0
    return noise / _MEDIAN_DIFFERENCE if math.isfinite(noise) else 0.0


def _warn_if_whole(image: Image) -> None:
    if np.dtype(image.data.dtype).kind in "iu":
        warn_user(
            f"{image.name} holds whole numbers beyond 2^53, which are rounded",
            stacklevel=3,
        )
