"""Zarr arrays and OME-Zarr images, opened without reading their pixels.

The metadata are looked at before zarr sees them, because a zarr array may ask for pickles to
be loaded.
"""

from __future__ import annotations

import json
import math
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from unet_napari.errors import ImageError, warn_user
from unet_napari.images.axes import describe_shape
from unet_napari.images.formats.zarr_axes import letters_of
from unet_napari.images.units import micrometres

if TYPE_CHECKING:
    from pathlib import Path

    from unet_napari.images.image import LazyArray

__all__ = ["is_zarr", "open_zarr"]

# Largest size of a chunk in bytes, as a chunk is decoded as a whole.
_LARGEST_CHUNK = 2**30
# Largest integer of NumPy. If an array had more bytes, zarr would look for chunks without end.
_LARGEST_INDEX = 2**63 - 1
_CODEC_KEYS = ("filters", "compressor", "codecs")
_BIOFORMATS_KEY = "bioformats2raw.layout"
# Depth at which the levels of a pyramid lie: in its group, or one group further down.
_LEVEL_DEPTH = 2


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a zarr array or group."""
    return any((path / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup"))


def open_zarr(path: Path) -> tuple[LazyArray, str | None, dict[str, float]]:
    """Open a zarr array, level 0 of an OME-Zarr image, or the only array of a group.

    Parameters
    ----------
    path
        The folder of an array or of a group. A level of an OME-Zarr image, an image of its
        labels, or one image of a plate is one as well.

    Returns
    -------
    data, axes, pixel_size
        As `open_tiff` returns them.

    Raises
    ------
    ImageError
        If there is no image, more than one, or one that is damaged, holds anything but
        numbers, or asks for pickles to be loaded.

    Warns
    -----
    UnetNapariWarning
        If there are several images, of which the first is used.
    """
    try:
        return _open_node(path)
    except (ImageError, OSError):
        raise
    except (Exception, MemoryError) as error:
        # Damaged metadata may lead to any error.
        raise ImageError(f"{path} has damaged zarr metadata: {error!r}") from error


def _open_node(path: Path) -> tuple[LazyArray, str | None, dict[str, float]]:
    node = _metadata(path)
    if _is_array_node(node):
        axes, pixel_size = _of_its_pyramid(path)
    else:
        path, node = _one_image(path, node)
        multiscales = _ome_attributes(node).get("multiscales")
        if multiscales:
            level, axes, pixel_size = _level(path, multiscales, 0)
            path = path / level
        else:
            path, axes, pixel_size = _only_array(path), None, {}
        node = _metadata(path)
    return _array(path, node), axes or _named_dimensions(node), pixel_size


def _array(path: Path, node: dict[str, Any]) -> LazyArray:
    import zarr  # It takes 0.3 s, and a TIFF does not need it.

    from unet_napari.images.formats.zarr_store import CheckedStore

    _check_harmless(node, path)
    try:
        store = CheckedStore(path, [node.get(key) for key in _CODEC_KEYS])
        array = zarr.open_array(store, mode="r")
    except Exception as error:
        raise ImageError(f"{path} is not a zarr array that can be read: {error}") from error
    if math.prod(array.shape) * array.dtype.itemsize > _LARGEST_INDEX:
        raise ImageError(
            f"{path} says that its size is {describe_shape(array.shape)} pixels, more than any "
            "disk holds: its metadata are damaged"
        )
    if math.prod(array.chunks) * array.dtype.itemsize > _LARGEST_CHUNK:
        raise ImageError(f"{path} has chunks of more than 1 GiB; store it in smaller chunks")
    store.most = math.prod(array.shards or array.chunks) * array.dtype.itemsize
    return array


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


def _is_array_node(node: dict[str, Any]) -> bool:
    return node.get("node_type") == "array"


def _ome_attributes(node: dict[str, Any]) -> dict[str, Any]:
    """Return the OME attributes: under "ome" since OME-Zarr 0.5, at the top before."""
    attributes: dict[str, Any] = node["attributes"]
    ome: dict[str, Any] = attributes.get("ome", attributes)
    return ome


def _one_image(path: Path, node: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    """Go from a collection of images to its first; a plate is refused, an image stays."""
    ome = _ome_attributes(node)
    if _BIOFORMATS_KEY in ome:
        inside = sorted((p for p in path.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
    elif "well" in ome:
        inside = [_within(path, image["path"]) for image in ome["well"]["images"]]
    elif "plate" in ome:
        wells = [str(well["path"]) for well in ome["plate"]["wells"]]
        raise ImageError(
            f"{path} is a plate of {len(wells)} wells: give the path of an image in it, such as "
            f"{path / wells[0] / '0' if wells else path}"
        )
    else:
        return path, node
    if not inside:
        raise ImageError(f"{path} holds no image")
    if len(inside) > 1:
        warn_user(
            f"{path} holds {len(inside)} images, of which the first is used; give the path of "
            f"another, such as {inside[1]}, to use that",
            stacklevel=6,
        )
    return inside[0], _metadata(inside[0])


def _within(folder: Path, name: object) -> Path:
    """Return a path that metadata name, which has to be inside their folder."""
    parts = PurePosixPath(str(name)).parts
    if not parts or ".." in parts or PurePosixPath(str(name)).is_absolute():
        raise ImageError(f"{folder} has damaged OME-Zarr metadata: {str(name)[:80]!r} is no path")
    return folder.joinpath(*parts)


def _level(
    path: Path,
    multiscales: Any,  # noqa: ANN401 (JSON)
    level: int,
) -> tuple[str, str | None, dict[str, float]]:
    """Return the path of a level of a pyramid, its axes and its pixel size."""
    try:
        image = multiscales[0]
        dataset = image["datasets"][level]
        described = image.get("axes", ["t", "c", "z", "y", "x"])
        letters = letters_of(described)
        steps = [
            *dataset.get("coordinateTransformations", []),
            *image.get("coordinateTransformations", []),
        ]
        scales = [step["scale"] for step in steps if step["type"] == "scale"]
        sizes: dict[str, float] = {}
        for place, axis in enumerate(described if letters and scales else ()):
            size = math.prod(float(scale[place]) for scale in scales)
            unit = axis.get("unit", "") if isinstance(axis, dict) else ""
            known = micrometres(size, str(unit))
            if known is not None and letters and letters[place] in "ZYX":
                sizes[letters[place]] = known
        _within(path, dataset["path"])
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ImageError(f"{path} has damaged OME-Zarr metadata: {error!r}") from error
    return str(dataset["path"]), letters, sizes


def _of_its_pyramid(path: Path) -> tuple[str | None, dict[str, float]]:
    """Return the axes and the pixel size of an array that is a level of an OME-Zarr image."""
    for depth, folder in enumerate(path.absolute().parents[:_LEVEL_DEPTH], start=1):
        if not is_zarr(folder):
            continue
        multiscales = _ome_attributes(_metadata(folder)).get("multiscales")
        inside = "/".join(path.absolute().parts[-depth:])
        for level, dataset in enumerate(multiscales[0]["datasets"] if multiscales else ()):
            if str(dataset["path"]).strip("/") == inside:
                return _level(folder, multiscales, level)[1:]
    return None, {}


def _only_array(path: Path) -> Path:
    inside = [child for child in sorted(path.iterdir()) if child.is_dir() and is_zarr(child)]
    arrays = [child for child in inside if _is_array_node(_metadata(child))]
    if len(arrays) == 1:
        return arrays[0]
    names = ", ".join(child.name for child in (arrays or inside)[:8]) or "nothing"
    raise ImageError(
        f"{path} is a zarr group without one image in it; it holds {names}: "
        "give the path of the image inside"
    )


def _named_dimensions(node: dict[str, Any]) -> str | None:
    """Return the axes that zarr 3 or xarray wrote beside an array, if they are ours."""
    names = node.get("dimension_names") or node["attributes"].get("_ARRAY_DIMENSIONS")
    return letters_of(names) if isinstance(names, list) else None


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
    codecs = [node.get(key) for key in _CODEC_KEYS]
    if "pickle" in json.dumps(codecs).lower():
        raise ImageError(f"{path} is stored as Python pickles, which could run a program")
