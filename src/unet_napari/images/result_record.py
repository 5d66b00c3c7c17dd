"""Where a result comes from, kept in its file: model, image, settings, versions, warnings.

The record is JSON text in the description of a TIFF (of an OME-TIFF in a map annotation), and an
attribute of a zarr, under the name ``unet-napari``.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unet_napari.errors import ImageError, SettingsError
from unet_napari.geometry import Box
from unet_napari.records import Record
from unet_napari.system.each import each_here

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from unet_napari.images.image import Image, LazyArray
    from unet_napari.system.each import Each

__all__ = ["ImageMark", "ModelMark", "ResultRecord", "pixel_digest", "read_record", "write_record"]

_KEY = "unet-napari"
_ANNOTATION = "Annotation:unet-napari"
# What is hashed at a time, whatever the chunks of the file are: sides along Z, Y and X.
_HASHED_SIDES = {"Z": 16, "Y": 1024, "X": 1024}
_LONGEST_RECORD = 2**22  # characters of a record that is read


@dataclass(frozen=True)
class ModelMark(Record):
    """The model that made a result.

    Attributes
    ----------
    name
        Its name, or that of its file.
    digest
        SHA-256 of its weights and of all that says how they are used.
    path
        Its file, from the folder of the result; empty if it has none.
    about
        What it is: ``network``, ``task``, ``ndim``, ``score`` and the like.
    """

    record_name: ClassVar[str] = "The record of the model"

    name: str
    digest: str
    path: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageMark(Record):
    """The image that a result was made of.

    Attributes
    ----------
    name
        Its name.
    path
        Its file, from the folder of the result; empty if it was in memory.
    digest
        `pixel_digest` of its array.
    axes, shape, dtype
        Axes, shape and type of its array.
    pixel_size
        Micrometres along the axes where it is known.
    reading
        Axes, channel and scene, as far as they were said.
    """

    record_name: ClassVar[str] = "The record of the image"

    name: str
    path: str
    digest: str
    axes: str
    shape: tuple[int, ...]
    dtype: str
    pixel_size: Mapping[str, float] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultRecord(Record):
    """Where a result comes from, so that it can be told and made again.

    Attributes
    ----------
    made
        Date and time in UTC, ISO 8601.
    model, image
        What it was made by, and of.
    settings
        ``InferenceConfig.to_dict()``.
    thresholds
        Thresholds that replaced those of the model.
    computed
        ``way``, ``backend``, ``device``, ``precision`` and ``diameter`` of the run.
    versions
        Versions of the packages that decide what is computed.
    warnings
        What the user was warned of.
    found
        What is told of the result in a list of images, see `unet_napari.folder_run`.
    region
        What of the image was segmented: ``said`` as text, or ``mask``, the file of a mask from the
        folder of the result, with its ``digest``; empty for all of it.
    """

    record_name: ClassVar[str] = "The record of the result"

    made: str
    model: ModelMark
    image: ImageMark
    settings: Mapping[str, Any]
    thresholds: Mapping[str, float]
    computed: Mapping[str, Any]
    versions: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    found: Mapping[str, Any] = field(default_factory=dict)
    region: Mapping[str, str] = field(default_factory=dict)


def pixel_digest(image: Image, dtype: DTypeLike | None = None, each: Each = each_here) -> str:
    """Return a hash (SHA-256, hexadecimal) of the hashes of all blocks of an image's array.

    It depends on axes, shape, type and values, but not on how they are stored, nor on axes of
    length 1, nor on who hashes the blocks.

    Parameters
    ----------
    image
        The image.
    dtype
        Type that the values are brought to first; by default they stay as they are.
    each
        Who hashes the blocks.
    """
    dtype = np.dtype(image.data.dtype if dtype is None else dtype)
    axes = zip(image.axes, image.data.shape, strict=True)
    long = " ".join(f"{axis}{size}" for axis, size in axes if size > 1)
    digest = hashlib.sha256(f"{long} {dtype.name}".encode())
    box = Box.whole(tuple(image.data.shape))
    boxes = box.blocks([_HASHED_SIDES.get(axis, 1) for axis in image.axes])
    for block in each(partial(_block_digest, image.data, dtype), boxes):
        digest.update(block)
    return digest.hexdigest()


def _block_digest(pixels: LazyArray, dtype: np.dtype[Any], box: Box) -> bytes:
    values = np.ascontiguousarray(pixels[box.to_slices()], dtype=dtype.newbyteorder("<"))
    return hashlib.sha256(values.data.cast("B") if values.size else b"").digest()


def write_record(path: Path, record: ResultRecord) -> None:
    """Keep a record in a result: a TIFF, or the folder of a zarr.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    values = record.to_dict()
    if path.is_dir():
        import zarr  # takes 0.3 s

        zarr.open_group(str(path), mode="r+").attrs[_KEY] = values
        return
    import tifffile

    text = json.dumps(values, separators=(",", ":"))  # in ASCII, as the description has to be
    with tifffile.TiffFile(path, mode="r+") as tif:
        tag = tif.pages.first.tags["ImageDescription"]
        ours = _into_ome if tif.is_ome else _into_lines
        text = ours(tif.pages.first.description, text)
        tag.overwrite(text.encode() + b"\0")  # OME-XML is UTF-8, which tifffile takes as bytes


def read_record(path: str | Path) -> ResultRecord | None:
    """Return the record of a result; None if it has none.

    Raises
    ------
    ImageError
        If there is no such file, it is no TIFF and no zarr, or its record is damaged.
    """
    import tifffile

    path = Path(path)
    try:
        found = _zarr_record(path) if path.is_dir() else _tiff_record(path)
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tifffile.TiffFileError, ValueError, TypeError, RecursionError) as error:
        raise ImageError(f"{path} has no record that can be read: {error}") from error
    if found is None:
        return None
    try:
        return ResultRecord.from_dict(found)
    except (SettingsError, RecursionError) as error:
        raise ImageError(
            f"The record of {path} is damaged or of a newer version: {error}"
        ) from error


def _zarr_record(path: Path) -> Any:  # noqa: ANN401  JSON of a file
    file = path / "zarr.json"
    attributes = path / ".zattrs"
    if file.is_file():
        return json.loads(file.read_bytes()).get("attributes", {}).get(_KEY)
    return json.loads(attributes.read_bytes()).get(_KEY) if attributes.is_file() else None


def _tiff_record(path: Path) -> Any:  # noqa: ANN401  JSON of a file
    import tifffile

    with tifffile.TiffFile(path) as tif:
        described = tif.pages.first.description
        ome = tif.is_ome
    if len(described) > _LONGEST_RECORD:
        return None
    if ome:
        text = re.search(
            rf'ID="{_ANNOTATION}"[^>]*>\s*<Value>\s*<M K="record">(.*?)</M>', described
        )
        return None if text is None else json.loads(html.unescape(text[1]))
    line = re.search(rf"^{_KEY}=(\{{.*\}})\s*$", described, re.MULTILINE)
    return None if line is None else json.loads(line[1])


def _into_lines(described: str, text: str) -> str:
    """Add a line to a description of lines, as ImageJ has them."""
    kept = [line for line in described.splitlines() if line and not line.startswith(f"{_KEY}=")]
    return "\n".join([*kept, f"{_KEY}={text}", ""])


def _into_ome(described: str, text: str) -> str:
    """Add a map annotation to OME-XML; the schema wants it behind the images."""
    note = (
        f'<StructuredAnnotations><MapAnnotation ID="{_ANNOTATION}" Namespace="{_KEY}/record">'
        f'<Value><M K="record">{html.escape(text)}</M></Value></MapAnnotation>'
        "</StructuredAnnotations>"
    )
    linked = described.replace("</Image>", f'<AnnotationRef ID="{_ANNOTATION}"/></Image>', 1)
    return linked.replace("</OME>", f"{note}</OME>", 1)
