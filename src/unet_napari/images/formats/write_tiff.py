"""Create TIFF files that are filled through memory maps, part by part."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from unet_napari.system.disk import reserve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["create_ome_tiff", "create_tiff", "narrow_labels"]

_IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
_OME_DTYPES = ("int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64")
_IMAGEJ_AXES = "TZCYX"
# Most bytes of the pixels of a classic TIFF, whose offsets have 32 bits; the rest is for headers.
_LARGEST_CLASSIC = 2**32 - 2**25
# Number of labels that are copied at once.
_COPIED_LABELS = 2**23


def create_tiff(
    path: Path,
    shape: Sequence[int],
    dtype: np.dtype[Any],
    axes: str,
    pixel_size: Mapping[str, float],
    *,
    ome: bool = False,
) -> np.memmap[Any, Any]:
    """Create a TIFF file full of zeros and map its pixels for writing.

    The file is a TIFF for ImageJ where that can hold the image, because Fiji then opens it with its
    axes and pixel size. Else it is an OME-TIFF (signed and 32-bit integers, float64, channels
    before Z, more than 4 GiB).

    Parameters
    ----------
    path
        A file that does not exist yet.
    shape, dtype
        The shape and dtype of the image.
    axes
        One of ``TCZYX`` per axis of the image, in this order.
    pixel_size
        Micrometres per pixel for the axes where it is known.
    ome
        Whether the file is an OME-TIFF in any case.

    Returns
    -------
    numpy.memmap
        A map of the pixels; the disk space for them is reserved.

    Raises
    ------
    OSError
        If the file cannot be created or does not fit on the disk.
    ValueError
        If TIFF has no such type of pixels.
    """
    if dtype.name not in _OME_DTYPES:
        raise ValueError(f"TIFF programs cannot read {dtype.name} pixels; write to .zarr")
    large = math.prod(shape) * dtype.itemsize > _LARGEST_CLASSIC
    imagej = not (ome or large) and _fits_imagej(dtype, axes, pixel_size)
    pixels = tifffile.memmap(
        path,
        shape=tuple(shape),
        dtype=dtype,
        photometric="minisblack",
        imagej=imagej,
        ome=not imagej,
        bigtiff=large,
        **(_imagej_metadata(axes, pixel_size) if imagej else _ome_metadata(axes, pixel_size)),
    )
    with path.open("r+b") as file:
        reserve(file, path.stat().st_size)
    return pixels


def create_ome_tiff(
    path: Path,
    shape: Sequence[int],
    dtype: np.dtype[Any],
    axes: str,
    pixel_size: Mapping[str, float],
) -> np.memmap[Any, Any]:
    """Create an OME-TIFF in any case, see `create_tiff`."""
    return create_tiff(path, shape, dtype, axes, pixel_size, ome=True)


def narrow_labels(
    labels: np.memmap[Any, Any],
    path: Path,
    axes: str,
    pixel_size: Mapping[str, float],
) -> bool:
    """Write labels of 32 bits once more with 16, if all of them fit.

    ImageJ has no labels of 32 bits, but opens those of 16 bits with axes and pixel size. Only when
    all labels are there is their number known.

    Parameters
    ----------
    labels
        Pixels that `create_tiff` returned, after all of them were written.
    path
        Path of a file that does not exist yet. If the labels do not fit, it is left unfinished.
    axes, pixel_size
        As for `create_tiff`.

    Returns
    -------
    bool
        Whether they fit.

    Raises
    ------
    OSError
        If the file cannot be created or does not fit on the disk.
    """
    wide = labels.reshape(-1)
    parts = [slice(start, start + _COPIED_LABELS) for start in range(0, wide.size, _COPIED_LABELS)]
    narrow: np.memmap[Any, Any] | None = None
    for part in parts:
        values = np.asarray(wide[part])
        if values.max() > np.iinfo(np.uint16).max:
            return False
        if narrow is None:
            narrow = create_tiff(path, labels.shape, np.dtype(np.uint16), axes, pixel_size)
        narrow.reshape(-1)[part] = values
    if narrow is not None:
        narrow.flush()
    return True


def _fits_imagej(dtype: np.dtype[Any], axes: str, pixel_size: Mapping[str, float]) -> bool:
    in_order = axes == "".join(axis for axis in _IMAGEJ_AXES if axis in axes)
    # ImageJ cannot say that the size of a pixel is known along some of its axes only.
    complete = all(axis in pixel_size for axis in axes if axis in "ZYX")
    return dtype.name in _IMAGEJ_DTYPES and in_order and (complete or not pixel_size)


def _imagej_metadata(axes: str, pixel_size: Mapping[str, float]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": axes}
    if not pixel_size:
        return {"metadata": metadata}
    metadata["unit"] = "um"
    if "Z" in pixel_size:
        metadata["spacing"] = pixel_size["Z"]
    return {
        "metadata": metadata,
        "resolution": (1 / pixel_size["X"], 1 / pixel_size["Y"]),
        "resolutionunit": "NONE",
    }


def _ome_metadata(axes: str, pixel_size: Mapping[str, float]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": axes}
    for axis, size in pixel_size.items():
        metadata[f"PhysicalSize{axis}"] = size
        metadata[f"PhysicalSize{axis}Unit"] = "µm"
    if not {"Y", "X"} <= set(pixel_size):
        return {"metadata": metadata}
    # For programs that read no OME header; Fiji without Bio-Formats is one.
    return {
        "metadata": metadata,
        "resolution": (1e4 / pixel_size["X"], 1e4 / pixel_size["Y"]),
        "resolutionunit": "CENTIMETER",
    }
