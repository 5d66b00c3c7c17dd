"""An image: pixels that are read when they are needed, their axes and their size."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from unet_napari.errors import ImageError
from unet_napari.images.axes import SPATIAL_AXES, describe_shape, parse_axes
from unet_napari.images.formats.zarr_tasks import settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Image", "LazyArray"]

# Largest number of channels, as all of them are read at once. Spectral cameras have up to 2,000.
_MOST_IMAGE_CHANNELS = 4096


class LazyArray(Protocol):
    """An array as NumPy arrays, memory maps, zarr and dask arrays are all of them.

    Their types for keys and pixels have nothing in common, so these are `Any`.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of every axis."""

    @property
    def dtype(self) -> Any:  # noqa: ANN401
        """Type of the pixels, as NumPy knows it."""

    def __getitem__(self, key: Any, /) -> Any:  # noqa: ANN401
        """Read, or prepare to read, the part that integers and slices select."""


@dataclass(frozen=True, eq=False)
class Image:
    """An array whose axes have names and whose pixels have a size.

    Nothing is read until `read` is called.

    Parameters
    ----------
    data
        The pixels: boolean, integer or floating point, with any axes in any memory order.
    axes
        One letter of ``TCZYX`` per axis of `data`, in array order.
    pixel_size
        Micrometres per pixel for each spatial axis where it is known.
    name
        Name of the image in messages and new layers.
    source
        The file that the image was read from.
    fixed
        Axes held at one index by `select`.

    Raises
    ------
    ImageError
        If the pixels are not numbers, an axis has no length, or axes or pixel size do not
        fit.
    """

    data: LazyArray
    axes: str
    pixel_size: Mapping[str, float] = field(default_factory=dict)
    name: str = "image"
    source: Path | None = None
    fixed: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_pixels(self.data, self.name)
        object.__setattr__(self, "axes", parse_axes(self.axes, self.data.shape))
        object.__setattr__(self, "pixel_size", _checked_pixel_size(self.pixel_size, self.name))
        if self.channels > _MOST_IMAGE_CHANNELS:
            raise ImageError(
                f"{self.name} has {self.channels} channels, more than any microscope: its axes "
                f"are hardly {self.axes}, or it is damaged"
            )
        for axis, index in self.fixed.items():
            if not 0 <= index < self._size(axis):
                raise ImageError(
                    f"{self.name} has no {axis} = {index}: {axis} runs from 0 to "
                    f"{self._size(axis) - 1}"
                )

    @property
    def ndim(self) -> int:
        """Number of free spatial axes, 2 or 3."""
        return len(self.spatial_axes)

    @property
    def spatial_axes(self) -> str:
        """The free spatial axes, ``"YX"`` or ``"ZYX"``."""
        return "".join(a for a in self.axes if a in SPATIAL_AXES and a not in self.fixed)

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of every free spatial axis."""
        return tuple(self._size(axis) for axis in self.spatial_axes)

    @property
    def channels(self) -> int:
        """Number of channels that `read` returns; 1 without a channel axis."""
        return self._free_size("C")

    @property
    def frames(self) -> int:
        """Number of time points to choose from; 1 without a free time axis."""
        return self._free_size("T")

    def select(self, **index: int) -> Image:
        """Hold some axes at one index; nothing is read.

        Parameters
        ----------
        **index
            For example ``T=3`` or ``Z=5``, from 0 to the size of the axis less one.
            ``T=0`` and ``C=0`` are allowed where there is no such axis.

        Returns
        -------
        Image
            A view of the same data with fewer free axes.

        Raises
        ------
        ImageError
            If the index is beyond the end of its axis.
        ValueError
            If there is no such axis, or it is held already, or it is Y or X.
        """
        fixed = dict(self.fixed)
        for axis, value in index.items():
            if axis in fixed or axis not in "TCZ" or (axis == "Z" and axis not in self.axes):
                raise ValueError(f"{self.name} has no free axis {axis} to select from")
            if axis in self.axes:
                fixed[axis] = int(value)
            elif value != 0:
                raise ImageError(f"{self.name} has no {axis} axis, so only {axis} = 0 exists")
        return replace(self, fixed=fixed)

    def read(self, region: tuple[slice, ...] | None = None) -> NDArray[Any]:
        """Read all channels of a region, and nothing else.

        Parameters
        ----------
        region
            One slice with step 1 per free spatial axis; None reads everything.

        Returns
        -------
        numpy.ndarray
            Shape ``(C, *region)``, in native byte order; changing it changes nothing else.

        Raises
        ------
        ImageError
            If the file turns out to be damaged.
        ValueError
            If the region does not fit, or a time point has yet to be selected.
        """
        if self.frames > 1:
            raise ValueError(f"{self.name} has {self.frames} time points: select one first")
        key = self._key(region)
        pixels = self._stored(key)
        kept = [a for a, part in zip(self.axes, key, strict=True) if isinstance(part, slice)]
        pixels = np.moveaxis(pixels, kept.index("C"), 0) if "C" in kept else pixels[np.newaxis]
        return np.array(pixels, dtype=pixels.dtype.newbyteorder("="), order="C", copy=True)

    def loaded(self) -> Image:
        """Return the image with all of its pixels in memory, as they are stored.

        Raises
        ------
        ImageError
            If the file turns out to be damaged.
        """
        return replace(self, data=np.array(self._stored((slice(None),) * len(self.axes))))

    def _stored(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        """Read a part of the array."""
        try:
            return np.asarray(self.data[key])
        except (MemoryError, ImageError):
            raise
        except Exception as error:
            # Decoders of damaged files raise whatever they like.
            settle()
            raise ImageError(f"{self.source or self.name} cannot be read: {error}") from error

    def _key(self, region: tuple[slice, ...] | None) -> tuple[int | slice, ...]:
        """Return the index into `data`, with an integer for each axis that `read` drops."""
        if region is None:
            region = tuple(slice(0, size) for size in self.shape)
        if len(region) != self.ndim:
            raise ValueError(f"{len(region)} slices for {self.ndim} spatial axes")
        slices = dict(zip(self.spatial_axes, region, strict=True))
        key: list[int | slice] = []
        for axis in self.axes:
            if axis in self.fixed or axis == "T":
                key.append(self.fixed.get(axis, 0))
            elif axis == "C":
                key.append(slice(0, self.channels))
            else:
                start, stop, step = slices[axis].indices(self._size(axis))
                if step != 1:
                    raise ValueError(f"a region is read with step 1, not {step}")
                key.append(slice(start, stop))
        return tuple(key)

    def _size(self, axis: str) -> int:
        return int(self.data.shape[self.axes.index(axis)])

    def _free_size(self, axis: str) -> int:
        return self._size(axis) if axis in self.axes and axis not in self.fixed else 1


def override(
    image: Image,
    *,
    axes: str | None = None,
    pixel_size: Mapping[str, float] | None = None,
    channel: int | None = None,
    name: str | None = None,
) -> Image:
    """Return an image with the values that the user gave in place of its own."""
    image = replace(
        image,
        axes=axes or image.axes,
        pixel_size={**image.pixel_size, **(pixel_size or {})},
        name=name or image.name,
    )
    if channel is None:
        return image
    if not 0 <= channel < image.channels:
        raise ImageError(
            f"{image.name} has {image.channels} channel(s), counted from 0; "
            f"there is no channel {channel}"
        )
    return image.select(C=channel)


def check_pixels(data: LazyArray, name: str) -> None:
    """Raise `ImageError` for an array that is empty or does not hold plain numbers."""
    if 0 in data.shape:
        raise ImageError(f"{name} is empty: its shape is {describe_shape(data.shape)}")
    dtype = np.dtype(data.dtype)
    if dtype.kind not in "biuf":
        raise ImageError(
            f"{name} does not hold plain numbers but {dtype.name}; "
            "use boolean, integer or floating-point pixels"
        )


def _checked_pixel_size(pixel_size: Mapping[str, float], name: str) -> dict[str, float]:
    checked: dict[str, float] = {}
    for axis, size in pixel_size.items():
        if axis not in SPATIAL_AXES:
            raise ImageError(f"{name}: a pixel has a size along Z, Y and X, not along {axis!r}")
        if not (math.isfinite(size) and size > 0):
            raise ImageError(f"{name}: a pixel size of {size} along {axis} is impossible")
        checked[axis] = float(size)
    return checked
