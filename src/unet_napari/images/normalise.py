"""Bring the brightness of an image to the range that a network was trained on.

The rule (`Normalisation`) belongs to the model and travels with it; what it finds in one
image (`Statistics`) is measured once per image, never per tile: statistics per tile are what
draws a grid into tiled predictions.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import ImageError, UnetNapariWarning
from unet_napari.images.sample import sample_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from unet_napari.images.image import Image

__all__ = ["Normalisation", "Statistics"]

# Median of |a - b| for two independent normal values of standard deviation 1.
_MEDIAN_DIFFERENCE = 0.6744897501960817 * math.sqrt(2)
# The largest integer up to which float64 holds every integer.
_LARGEST_EXACT = 2.0**53
# Images with fewer pixels are toys, whose every pixel counts.
_TINY = 16


@dataclass(frozen=True)
class Statistics:
    """What becomes 0 and what becomes 1, one pair per channel, in the image's own values.

    Equal values mean a channel without contrast, which becomes 0 everywhere.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def to_dict(self) -> dict[str, list[float]]:
        """Return plain lists, fit for JSON."""
        return {"low": list(self.low), "high": list(self.high)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence[float]]) -> Statistics:
        """Undo `to_dict`."""
        return cls(tuple(map(float, values["low"])), tuple(map(float, values["high"])))


@dataclass(frozen=True)
class Normalisation:
    """The rule ``(value - low) / (high - low)``, limited to `floor` .. `ceiling`.

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

    def to_dict(self) -> dict[str, float]:
        """Return plain numbers, fit for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Normalisation:
        """Undo `to_dict`; raises TypeError or ValueError for anything else."""
        return cls(**{key: float(value) for key, value in values.items()})

    def measure(self, image: Image) -> Statistics:
        """Find what becomes 0 and 1 in an image, from a bounded sample of its pixels.

        Parameters
        ----------
        image
            A free time axis is sampled too, so that a time series gets one brightness scale.

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
        blocks = sample_blocks(image)
        pairs = [
            self._measure_channel([block[channel] for block in blocks], channel, image)
            for channel in range(image.channels)
        ]
        if any(abs(value) > _LARGEST_EXACT for pair in pairs for value in pair):
            _warn_if_whole(image)
        return Statistics(tuple(low for low, _ in pairs), tuple(high for _, high in pairs))

    def apply(self, array: NDArray[Any], statistics: Statistics) -> NDArray[np.float32]:
        """Normalise pixels.

        Parameters
        ----------
        array
            Shape ``(C, *S)``, any real dtype; it stays as it is. The computation is in
            float64, so that the result does not depend on the dtype.
        statistics
            What `measure` found in the image that the pixels belong to.

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
            result[channel] = values
        return result

    def _measure_channel(
        self, blocks: Sequence[NDArray[Any]], channel: int, image: Image
    ) -> tuple[float, float]:
        values = np.concatenate([np.asarray(block, np.float64).ravel() for block in blocks])
        finite = values[np.isfinite(values)]
        which = f"{image.name}, channel {channel}," if image.channels > 1 else image.name
        if finite.size == 0:
            raise ImageError(f"{which} holds no number at all, only NaN or infinity")
        if finite.size < values.size:
            share = 100 * (values.size - finite.size) / values.size
            warnings.warn(
                f"{which} holds NaN or infinity in {share:.3g} % of its pixels; "
                "they count as background",
                UnetNapariWarning,
                stacklevel=3,
            )
        low, high = _percentiles(finite, self.low, self.high)
        if high > low:
            high = max(high, low + self.noise * _noise(blocks))
        return low, high


def _percentiles(values: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """Return two percentiles, at least one pixel away from the extremes of a real image."""
    one_pixel = 100 / (values.size - 1) if values.size > _TINY else 0.0
    second = 100 - one_pixel
    percents = [max(low, one_pixel), min(high, second), second]
    bottom, top, almost_largest = map(float, np.percentile(values, percents))
    # Few objects on a background without any noise, as in a mask: the objects are the contrast.
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
        warnings.warn(
            f"{image.name} holds whole numbers beyond 2^53, which are rounded",
            UnetNapariWarning,
            stacklevel=3,
        )
