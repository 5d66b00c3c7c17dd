"""The columns of a table of measurements, made of sums and shapes.

The names are those of `skimage.measure.regionprops_table` where it has one; in physical units a
column has the unit behind its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images import Image
    from unet_napari.labels.object_shapes import ObjectShape
    from unet_napari.labels.object_sums import ObjectSums

__all__ = ["PROPERTIES", "SHAPES", "check_properties", "columns_of"]

PROPERTIES = (
    "label", "area", "centroid", "bbox", "eccentricity", "equivalent_diameter_area", "perimeter",
    "solidity", "feret_diameter_max", "surface_area",
    "intensity_mean", "intensity_min", "intensity_max", "intensity_sum",
)  # fmt: skip
"""What can be measured, in the order of the columns."""

SHAPES = {
    2: ("solidity", "feret_diameter_max"),
    3: ("solidity", "feret_diameter_max", "surface_area"),
}
"""What is measured object by object, by the number of axes."""

Columns = dict[str, "NDArray[Any]"]


def check_properties(names: Sequence[str] | None) -> tuple[str, ...]:
    """Return what is to be measured; by default everything.

    Raises
    ------
    SettingsError
        If there is no such measurement, naming those that there are.
    """
    if names is None:
        return PROPERTIES
    unknown = [name for name in names if name not in PROPERTIES]
    if unknown:
        raise SettingsError(
            f"There is no measurement {', '.join(unknown)}; there are {', '.join(PROPERTIES)}."
        )
    return tuple(name for name in PROPERTIES if name in names or name == "label")


def columns_of(
    labels: Image,
    sums: ObjectSums,
    shapes: Sequence[ObjectShape] | None,
    wanted: Sequence[str],
    start: Sequence[int],
) -> dict[str, list[Any]]:
    """Return the columns of one time point.

    Parameters
    ----------
    labels
        The labels: their axes and pixel size.
    sums, shapes
        What was measured; no shapes if none is wanted.
    wanted
        Some of `PROPERTIES`, in their order.
    start
        First pixel of the labels in the image that they are a part of.
    """
    sizes = [labels.pixel_size.get(axis, math.nan) for axis in labels.spatial_axes]
    table = _Columns(sums, shapes or (), sizes, start)
    columns: Columns = {}
    for name in wanted:
        columns |= table.make(name)
    return {name: values.tolist() for name, values in columns.items()}


class _Columns:
    """Makes the columns of each property; in physical units where the pixel size is known."""

    def __init__(
        self,
        sums: ObjectSums,
        shapes: Sequence[ObjectShape],
        sizes: Sequence[float],
        start: Sequence[int],
    ) -> None:
        self._sums, self._shapes = sums, shapes
        self._sizes = np.array(sizes)
        self._known = bool(np.isfinite(self._sizes).all())
        self._start = np.array(start)
        self._ndim = len(sizes)

    def make(self, name: str) -> Columns:
        """Return the columns of a property; none where image or labels do not allow it."""
        if name.startswith("intensity"):
            return self._intensity(name)
        maker: Callable[[], Columns] = getattr(self, f"_{name}")
        return maker()

    def _label(self) -> Columns:
        ids = self._sums.ids
        small = not ids.size or ids.max() <= np.iinfo(np.int64).max
        return {"label": ids.astype(np.int64) if small else ids}

    def _area(self) -> Columns:
        columns: Columns = {"area": self._sums.pixels}
        if self._known:
            name = "area_um2" if self._ndim == 2 else "volume_um3"
            columns[name] = self._sums.pixels * float(np.prod(self._sizes))
        return columns

    def _centroid(self) -> Columns:
        sums = self._sums
        place = sums.start + sums.first / sums.pixels[:, np.newaxis] + self._start
        columns = {f"centroid-{axis}": place[:, axis] for axis in range(self._ndim)}
        if self._known:
            for axis, size in enumerate(self._sizes):
                columns[f"centroid_um-{axis}"] = place[:, axis] * size
        return columns

    def _bbox(self) -> Columns:
        ends = np.concatenate(
            [self._sums.start + self._start, self._sums.stop + self._start], axis=1
        )
        return {f"bbox-{number}": column for number, column in enumerate(ends.T)}

    def _eccentricity(self) -> Columns:
        if self._ndim != 2:
            return {}
        # The inertia tensor has the same eigenvalues as the moments, the axes swapped.
        values = np.linalg.eigvalsh(self._sums.central()).clip(min=0)
        minor, major = values[:, 0], values[:, 1]
        ratio = np.divide(minor, major, out=np.ones_like(major), where=major > 0)
        return {"eccentricity": np.sqrt(1 - ratio)}

    def _equivalent_diameter_area(self) -> Columns:
        power = 1 / self._ndim
        diameter = (2 * self._ndim * self._sums.pixels / math.pi) ** power
        columns: Columns = {"equivalent_diameter_area": diameter}
        if self._known:
            factor = float(np.prod(self._sizes)) ** power
            columns["equivalent_diameter_area_um"] = diameter * factor
        return columns

    def _perimeter(self) -> Columns:
        if self._ndim != 2:
            return {}
        length = self._sums.steps @ np.array([1, math.sqrt(2), (1 + math.sqrt(2)) / 2])
        columns: Columns = {"perimeter": length}
        if self._known and math.isclose(*self._sizes):  # the weights are for square pixels
            columns["perimeter_um"] = length * self._sizes[0]
        return columns

    def _solidity(self) -> Columns:
        convex = np.array([math.nan if s.convex is None else s.convex for s in self._shapes])
        return {"solidity": self._sums.pixels / convex.reshape(len(self._sums))}

    def _feret_diameter_max(self) -> Columns:
        return self._pair("feret_diameter_max", "um", [s.feret for s in self._shapes])

    def _surface_area(self) -> Columns:
        if self._ndim != 3:
            return {}
        return self._pair("surface_area", "um2", [s.surface for s in self._shapes])

    def _pair(self, name: str, unit: str, values: Sequence[tuple[float, float]]) -> Columns:
        both = np.array(values, float).reshape(len(self._sums), 2)
        columns: Columns = {name: both[:, 0]}
        if self._known:
            columns[f"{name}_{unit}"] = both[:, 1]
        return columns

    def _intensity(self, name: str) -> Columns:
        sums = self._sums
        total, low, high = np.moveaxis(sums.intensity, -1, 0)
        values = {
            "intensity_mean": total / sums.pixels[:, np.newaxis],
            "intensity_min": low,
            "intensity_max": high,
            "intensity_sum": total,
        }[name]
        if values.shape[1] == 1:
            return {name: values[:, 0]}
        return {f"{name}-{channel}": column for channel, column in enumerate(values.T)}
