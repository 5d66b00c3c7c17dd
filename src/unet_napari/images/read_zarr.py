"""Zarr arrays and OME-Zarr images, opened without reading their pixels.

The metadata are looked at before zarr sees them, because a zarr array may ask for pickles to
be loaded.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from unet_napari.errors import ImageError
from unet_napari.images.axes import AXES
from unet_napari.images.units import micrometres

if TYPE_CHECKING:
    from pathlib import Path

    from unet_napari.images.image import LazyArray

__all__ = ["is_zarr", "open_zarr"]

# The limit of Blosc, zarr's usual compressor; a chunk is decoded as a whole.
_LARGEST_CHUNK = 2**31


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a zarr array or group."""
    return any((path / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup"))


def open_zarr(path: Path) -> tuple[LazyArray, str | None, dict[str, float]]:
    """Open a zarr array, level 0 of an OME-Zarr image, or the only array of a group.

    Parameters
    ----------
    path
        The folder of an array or of a group.

    Returns
    -------
    data, axes, pixel_size
        As `open_tiff` returns them.

    Raises
    ------
    ImageError
        If there is no image, more than one, or one that is damaged, holds anything but
        numbers, or asks for pickles to be loaded.
    """
    import zarr  # takes 0.3 s, and whoever has a TIFF needs none

    node = _metadata(path)
    pixel_size: dict[str, float] = {}
    axes: str | None = None
    if not _is_array(node):
        if "bioformats2raw.layout" in node["attributes"]:
            path = path / "0"
            node = _metadata(path)
        multiscales = _ome(node).get("multiscales")
        if multiscales:
            path, axes, pixel_size = _level_0(path, multiscales)
        else:
            path = _only_array(path)
        node = _metadata(path)
    _check_harmless(node, path)
    try:
        array = zarr.open_array(str(path), mode="r")
    except Exception as error:
        raise ImageError(f"{path} is not a zarr array that can be read: {error}") from error
    if math.prod(array.chunks) * array.dtype.itemsize > _LARGEST_CHUNK:
        raise ImageError(f"{path} has chunks of more than 2 GiB; store it in smaller chunks")
    return array, axes or _named_dimensions(node), pixel_size


def _metadata(folder: Path) -> dict[str, Any]:
    """Read the JSON of a node, of zarr format 2 or 3, with its attributes."""
    try:
        if (folder / "zarr.json").is_file():
            node = json.loads((folder / "zarr.json").read_bytes())
            node.setdefault("attributes", {})
            return dict(node)
        for name in (".zarray", ".zgroup"):
            if (folder / name).is_file():
                node = json.loads((folder / name).read_bytes())
                attributes = folder / ".zattrs"
                node["attributes"] = (
                    json.loads(attributes.read_bytes()) if attributes.is_file() else {}
                )
                node["node_type"] = "array" if name == ".zarray" else "group"
                return dict(node)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ImageError(f"{folder} has damaged zarr metadata: {error}") from error
    raise ImageError(f"{folder} is not a zarr array or group")


def _is_array(node: dict[str, Any]) -> bool:
    return node.get("node_type") == "array"


def _ome(node: dict[str, Any]) -> dict[str, Any]:
    """Return the OME attributes: under "ome" since OME-Zarr 0.5, at the top before."""
    attributes: dict[str, Any] = node["attributes"]
    ome: dict[str, Any] = attributes.get("ome", attributes)
    return ome


def _level_0(path: Path, multiscales: Any) -> tuple[Path, str | None, dict[str, float]]:  # noqa: ANN401 (JSON)
    try:
        image = multiscales[0]
        level = image["datasets"][0]
        described = image.get("axes", ["t", "c", "z", "y", "x"])
        named = [{"name": axis} if isinstance(axis, str) else axis for axis in described]
        axes = "".join(axis["name"].upper() for axis in named)
        scale = [1.0] * len(named)
        for step in [
            *level.get("coordinateTransformations", []),
            *image.get("coordinateTransformations", []),
        ]:
            if step["type"] == "scale":
                scale = [a * b for a, b in zip(scale, step["scale"], strict=True)]
        sizes = {
            axis["name"].upper(): micrometres(size, str(axis.get("unit", "")))
            for axis, size in zip(named, scale, strict=True)
            if axis["name"].upper() in set("ZYX")
        }
        folder = path / str(level["path"])
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ImageError(f"{path} has damaged OME-Zarr metadata: {error!r}") from error
    known = {axis: size for axis, size in sizes.items() if size is not None}
    return folder, axes if set(axes) <= set(AXES) else None, known


def _only_array(path: Path) -> Path:
    inside = [child for child in sorted(path.iterdir()) if child.is_dir() and is_zarr(child)]
    arrays = [child for child in inside if _is_array(_metadata(child))]
    if len(arrays) == 1:
        return arrays[0]
    names = ", ".join(child.name for child in (arrays or inside)[:8]) or "nothing"
    raise ImageError(
        f"{path} is a zarr group without one image in it; it holds {names}: "
        "give the path of the image inside"
    )


def _named_dimensions(node: dict[str, Any]) -> str | None:
    """Return the axes that zarr 3 or xarray wrote beside an array, if they are ours."""
    names = node.get("dimension_names") or node["attributes"].get("_ARRAY_DIMENSIONS") or ()
    letters = [str(name).upper() for name in names]
    return "".join(letters) if letters and set(letters) <= set(AXES) else None


def _check_harmless(node: dict[str, Any], path: Path) -> None:
    """Refuse arrays of objects and codecs that load pickles."""
    dtype = node.get("data_type", node.get("dtype"))
    kinds = ("bool", "int", "uint", "float") if "data_type" in node else ("b", "i", "u", "f")
    bare = dtype.lstrip("<>|=") if isinstance(dtype, str) else ""
    if not bare.startswith(kinds):
        raise ImageError(
            f"{path} does not hold plain numbers but {dtype}; "
            "use boolean, integer or floating-point pixels"
        )
    codecs = [node.get(key) for key in ("filters", "compressor", "codecs")]
    if "pickle" in json.dumps(codecs).lower():
        raise ImageError(f"{path} is stored as Python pickles, which could run a program")
