"""Create OME-Zarr images that are filled part by part, with a pyramid in the end.

They are of version 0.5 (https://ngff.openmicroscopy.org/0.5/); labels inside an image of version
0.4, which is a zarr of format 2, are of that version, as a zarr has one format.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.geometry import Box
from unet_napari.system.each import each_here

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import zarr

    from unet_napari.system.each import Each

__all__ = ["create_zarr", "finish_zarr", "image_of_labels", "list_labels"]

# About a million pixels: large enough to compress, small enough to rewrite.
_CHUNK = {"T": 1, "C": 1, "Z": 16, "Y": 256, "X": 256}
_CHUNK_OF_A_PLANE = {"T": 1, "C": 1, "Y": 1024, "X": 1024}
_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
# A level is the last of its pyramid if its planes are no larger, in pixels along Y and X.
_SMALLEST_LEVEL = 256
_HALVED_AXES = ("y", "x")


def create_zarr(
    path: Path,
    shape: Sequence[int],
    dtype: np.dtype[Any],
    axes: str,
    pixel_size: Mapping[str, float],
) -> zarr.Array[Any]:
    """Create an OME-Zarr image of zeros with one level.

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
    multiscales = [{"name": "0", "axes": described, "datasets": [_level("0", scale)]}]
    image = image_of_labels(path)
    if image is not None and (image / ".zgroup").is_file():
        attributes: dict[str, Any] = {"multiscales": [{"version": "0.4", **multiscales[0]}]}
        group = zarr.create_group(str(path), zarr_format=2, attributes=attributes)
    else:
        attributes = {"ome": {"version": "0.5", "multiscales": multiscales}}
        group = zarr.create_group(str(path), zarr_format=3, attributes=attributes)
    return _create_level(group, "0", tuple(shape), dtype, axes)


def image_of_labels(path: Path) -> Path | None:
    """Return the zarr image that a path is a place for labels in: ``IMAGE/labels/NAME``."""
    image = path.parent.parent
    known = any((image / name).is_file() for name in ("zarr.json", ".zgroup"))
    return image if path.parent.name == "labels" and known else None


def finish_zarr(path: Path, *, labels: bool, each: Each = each_here) -> None:
    """Add the coarser levels to an image whose first level is filled.

    Each level has half of the pixels along Y and X: of labels each second one, of other images the
    mean of those that become one.

    Parameters
    ----------
    path
        What `create_zarr` has created, perhaps renamed since.
    labels
        Whether the pixels are labels, which is said to other programs, too.
    each
        Who makes the chunks of the levels.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import zarr

    group = zarr.open_group(str(path), mode="r+")
    attributes: dict[str, Any] = dict(group.attrs)
    ome: dict[str, Any] = attributes.get("ome", attributes)
    image = ome["multiscales"][0]
    names = [axis["name"] for axis in image["axes"]]
    halved = [name in _HALVED_AXES for name in names]
    axes = "".join(names).upper()
    scale = image["datasets"][0]["coordinateTransformations"][0]["scale"]
    level: Any = group["0"]
    image["datasets"] = image["datasets"][:1]
    while max(n for n, half in zip(level.shape, halved, strict=True) if half) > _SMALLEST_LEVEL:
        number = len(image["datasets"])
        factors = [2**number if half else 1 for half in halved]
        level = _add_level(group, level, str(number), axes)
        where = path / str(number - 1), path / str(number)
        halve = partial(_halve_chunk, *where, halved=tuple(halved), labels=labels)
        for _ in each(halve, Box.whole(tuple(level.shape)).blocks(level.chunks)):
            pass
        sizes = [size * factor for size, factor in zip(scale, factors, strict=True)]
        # The mean of some pixels lies in their middle; each second pixel where it lay.
        moved = [size * (f - 1) / 2 for size, f in zip(scale, factors, strict=True)]
        image["datasets"].append(_level(str(number), sizes, None if labels else moved))
    if labels:
        inside = image_of_labels(path) is not None
        ome["image-label"] = {"source": {"image": "../../"}} if inside else {}
        if "version" not in ome:  # 0.4 asks for one here, 0.5 has one above
            ome["image-label"]["version"] = "0.4"
    image["type"] = "nearest" if labels else "mean"
    group.attrs.update(attributes)


def list_labels(path: Path) -> None:
    """Name labels that lie in an image in the list that the image keeps of them.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import zarr

    image = image_of_labels(path)
    if image is None:
        return
    kind: Any = 2 if (image / ".zgroup").is_file() else 3
    group = zarr.open_group(str(path.parent), mode="a", zarr_format=kind)
    attributes: dict[str, Any] = dict(group.attrs)
    ome = attributes if kind == 2 else attributes.setdefault("ome", {"version": "0.5"})
    names = [str(name) for name in ome.get("labels", ())]
    ome["labels"] = [*names, *([] if path.name in names else [path.name])]
    group.attrs.update(attributes)


def _level(
    path: str, scale: Sequence[float], translation: Sequence[float] | None = None
) -> dict[str, Any]:
    """Return what is said of one level: where it is, and how large and where its pixels are."""
    steps: list[dict[str, Any]] = [{"type": "scale", "scale": list(scale)}]
    if translation is not None:
        steps.append({"type": "translation", "translation": list(translation)})
    return {"path": path, "coordinateTransformations": steps}


def _create_level(
    group: zarr.Group, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], axes: str
) -> zarr.Array[Any]:
    sizes = _CHUNK if "Z" in axes else _CHUNK_OF_A_PLANE
    kind: dict[str, Any] = {"dimension_names": [axis.lower() for axis in axes]}
    if group.metadata.zarr_format == 2:
        kind = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=tuple(min(sizes[axis], size) for axis, size in zip(axes, shape, strict=True)),
        fill_value=0,
        **kind,
    )


def _add_level(group: zarr.Group, finer: zarr.Array[Any], name: str, axes: str) -> zarr.Array[Any]:
    """Create the next level of a pyramid, of zeros."""
    sizes = zip(finer.shape, axes, strict=True)
    shape = tuple(-(-n // 2) if axis.lower() in _HALVED_AXES else n for n, axis in sizes)
    return _create_level(group, name, shape, finer.dtype, axes)


def _halve_chunk(
    finer: Path, coarser: Path, box: Box, *, halved: tuple[bool, ...], labels: bool
) -> None:
    """Fill a chunk of a level from the finer one; those of zeros take no room."""
    source, level = _opened(finer), _opened(coarser)
    ends = zip(box.spans, halved, source.shape, strict=True)
    spans = [(2 * a, min(2 * b, n)) if half else (a, b) for (a, b), half, n in ends]
    values = np.asarray(source[Box.from_spans(spans).to_slices()])
    if values.any():
        steps = tuple(slice(None, None, 2 if half else 1) for half in halved)
        level[box.to_slices()] = values[steps] if labels else _means(values, halved)


@lru_cache(maxsize=2)
def _opened(path: Path) -> zarr.Array[Any]:
    import zarr

    return zarr.open_array(str(path), mode="r+")


def _means(values: np.ndarray[Any, Any], halved: Sequence[bool]) -> np.ndarray[Any, Any]:
    """Return the means of two by two pixels; a row without a partner stands for itself."""
    mean = values.astype(np.float64)
    for axis, half in enumerate(halved):
        if half:
            count = mean.shape[axis]
            pairs = np.add.reduceat(mean, range(0, count, 2), axis=axis)
            sizes = np.full(math.ceil(count / 2), 2.0)
            sizes[-1] -= count % 2
            mean = pairs / np.expand_dims(sizes, tuple(range(1, mean.ndim - axis)))
    whole = np.issubdtype(values.dtype, np.integer)
    return (np.rint(mean) if whole else mean).astype(values.dtype)
