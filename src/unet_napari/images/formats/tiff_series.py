"""Choice of the image whose pixels are in a TIFF file, among all that its header describes.

The header of a file often describes a whole data set: every position of a run of Micro-Manager,
every series that Bio-Formats wrote into a file of its own. Users who open one of those files mean
the image whose pixels are in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from unet_napari.images.formats.tiff_guard import guard

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OwnSeries", "companion", "ome_header", "ome_images", "own_series"]

# Names that tifffile gives to the pictures that slide scanners put beside the slide.
_SIDE_PICTURES = ("Thumbnail", "Label", "Macro", "Overview", "Map")
_LARGEST_COMPANION = 2**28


@dataclass(frozen=True)
class OwnSeries:
    """The image of a file.

    Parameters
    ----------
    series
        Pages of the image.
    ome
        The ``Image`` of the OME header that describes it, if there is one.
    others
        Number of further images that the file itself holds, without previews.
    """

    series: tifffile.TiffPageSeries
    ome: Mapping[str, Any] | None
    others: int


def own_series(tif: tifffile.TiffFile, header: Mapping[str, Any]) -> OwnSeries:
    """Choose the first image that has pixels in this very file.

    Parameters
    ----------
    tif
        The file.
    header
        The `ome_header` of the file.
    """
    every = list(tif.series)
    if len(every) == 1:
        first, own = every[0], every
    else:
        own = [one for one in every if _own_pages(tif, one)] or every
        first = own[0]
    images = ome_images(header)
    described: dict[str, Any] | None = images[0] if len(images) == 1 else None
    if len(images) > 1:
        numbers = [(image, _stored_pages(tif, header, image)) for image in images]
        described = next((image for image, pages in numbers if pages), None)
        if first.kind == "ome":
            first, described = _matching(tif, own, numbers) or (first, None)
    if first.kind == "mmstack":
        positions = _own_positions(tif, first)
        return OwnSeries(positions[0], described, len(positions) - 1)
    others = [one for one in own if one is not first and not _is_preview(one)]
    return OwnSeries(first, described, len(others))


def companion(tif: tifffile.TiffFile, header: Mapping[str, Any]) -> str | None:
    """Return the OME header of a file that only names the other file in which it is.

    Bio-Formats can write such sets of files, and Micro-Manager used to write them.

    Parameters
    ----------
    tif
        The file.
    header
        The `ome_header` of the file itself.

    Returns
    -------
    str or None
        The header; None if it is in the file itself, or if the other file is not beside it.
    """
    elsewhere = header.get("BinaryOnly") or {}
    name = Path(str(elsewhere.get("MetadataFile", ""))).name
    path = Path(tif.filehandle.path).parent / name
    if not name or not path.is_file() or path.stat().st_size > _LARGEST_COMPANION:
        return None
    if not name.lower().endswith((".tif", ".tiff")):
        return path.read_text("utf-8", "replace")
    with tifffile.TiffFile(path) as other:
        guard(other)
        return other.ome_metadata


def ome_header(tif: tifffile.TiffFile) -> dict[str, Any]:
    """Return the OME header as nested dictionaries; empty if there is no header."""
    xml = tif.ome_metadata
    return dict(tifffile.xml2dict(xml).get("OME") or {}) if xml else {}


def ome_images(header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the part of an OME header that describes each image."""
    images = header.get("Image") or []
    return images if isinstance(images, list) else [images]


def _matching(
    tif: tifffile.TiffFile,
    own: list[tifffile.TiffPageSeries],
    images: list[tuple[dict[str, Any], list[int]]],
) -> tuple[tifffile.TiffPageSeries, dict[str, Any]] | None:
    """Find the first image with pixels in this file, and the series that tifffile made of it.

    tifffile leaves out images of which it has no page, so that their order says nothing.
    """
    pages = [_own_pages(tif, one) for one in own]
    for image, numbers in images:
        for one, present in zip(own, pages, strict=True):
            if not present.isdisjoint(numbers):
                return one, image
    return None


def _stored_pages(
    tif: tifffile.TiffFile, header: Mapping[str, Any], image: Mapping[str, Any]
) -> list[int]:
    """Return the numbers of the pages of this file that an image names as its own."""
    stored = (image.get("Pixels") or {}).get("TiffData", [])
    numbers = []
    for data in stored if isinstance(stored, list) else [stored]:
        attributes = data or {}  # An element without attributes is None.
        where = attributes.get("UUID")
        name = where.get("FileName", "") if isinstance(where, dict) else ""
        text = where.get("value") if isinstance(where, dict) else where
        here = str(name).lower() == tif.filename.lower()
        if where is None or here or (text is not None and text == header.get("UUID")):
            numbers.append(int(attributes.get("IFD", 0)))
    return numbers


def _own_pages(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> set[Any]:
    """Return the numbers of the pages of a series that are in this file."""
    return {
        page.index
        for page in series
        if page is not None
        and (page.parent is tif or page.parent.filehandle.path == tif.filehandle.path)
    }


def _own_positions(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries
) -> list[tifffile.TiffPageSeries]:
    """Return the positions of a run of Micro-Manager that are in this file."""
    axes, shape = series.axes, series.shape
    place = axes.find("R")
    if place < 0:
        return [series]
    planes = shape[: -len(series.keyframe.axes)]
    numbers = np.arange(math.prod(planes)).reshape(planes)
    pages = list(series)
    positions = []
    for position in range(shape[place]):
        chosen = [pages[number] for number in numbers.take(position, axis=place).ravel()]
        here = [page.parent is tif for page in chosen if page is not None]
        if any(here):
            own = tifffile.TiffPageSeries(
                chosen,
                shape=shape[:place] + shape[place + 1 :],
                dtype=series.dtype,
                axes=axes[:place] + axes[place + 1 :],
                parent=tif,
                name=series.name,
                kind=series.kind,
                multifile=not all(here),
            )
            positions.append(own)
    return positions or [series]


def _is_preview(series: tifffile.TiffPageSeries) -> bool:
    """Tell whether a series is a preview rather than an image."""
    return bool(series.keyframe.is_reduced) or series.name.startswith(_SIDE_PICTURES)
