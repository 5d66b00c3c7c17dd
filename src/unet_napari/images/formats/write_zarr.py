"""Create OME-Zarr images that are filled part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import zarr

__all__ = ["create_zarr"]

# About a million pixels: large enough to compress, small enough to rewrite.
_CHUNK = {"T": 1, "C": 1, "Z": 16, "Y": 256, "X": 256}
_CHUNK_OF_A_PLANE = {"T": 1, "C": 1, "Y": 1024, "X": 1024}
_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}


def create_zarr(
    path: Path,
    shape: Sequence[int],
    dtype: np.dtype[Any],
    axes: str,
    pixel_size: Mapping[str, float],
) -> zarr.Array[Any]:
    """Create an OME-Zarr 0.5 image of zeros with one level.

    Parameters
    ----------
    path
        A folder that does not exist yet.
    shape, dtype, axes, pixel_size
        As for `create_tiff`; any type of numbers.

    Returns
    -------
    zarr.Array

    Raises
    ------
    OSError
        If the folder cannot be created.
    """
    import zarr  # takes 0.3 s, and whoever writes a TIFF needs none

    described = [
        {"name": axis.lower(), "type": _TYPES[axis]}
        | ({"unit": "micrometer"} if axis in pixel_size else {})
        for axis in axes
    ]
    scale = [pixel_size.get(axis, 1.0) for axis in axes]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    ome = {"version": "0.5", "multiscales": [{"axes": described, "datasets": [level]}]}
    group = zarr.create_group(str(path), zarr_format=3, attributes={"ome": ome})
    sizes = _CHUNK if "Z" in axes else _CHUNK_OF_A_PLANE
    return group.create_array(
        "0",
        shape=tuple(shape),
        dtype=dtype,
        chunks=tuple(min(sizes[axis], size) for axis, size in zip(axes, shape, strict=True)),
        dimension_names=[axis.lower() for axis in axes],
        fill_value=0,
    )
