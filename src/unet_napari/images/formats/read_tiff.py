"""TIFF files: ImageJ, OME, pyramids and plain ones, opened without reading their pixels."""

from __future__ import annotations

import contextlib
import logging
import math
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from unet_napari.errors import ImageError, warn_user
from unet_napari.images.axes import AXES, describe_shape
from unet_napari.images.formats.names import way_out
from unet_napari.images.formats.tiff_guard import MOST_PLANES, guard, guard_decoding
from unet_napari.images.formats.tiff_pixel_size import tiff_pixel_size
from unet_napari.images.formats.tiff_series import companion, ome_header, ome_images, own_series

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from unet_napari.images.formats.tiff_series import OwnSeries
    from unet_napari.images.image import LazyArray

__all__ = ["open_tiff"]

# tifffile writes about a damaged file, which our one message does already. Without a handler of
# its own its lines would be printed as well.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Largest ratio of the pixels to the bytes of a chunk, by TIFF compression number. Those of LZW and
# Deflate follow from their formats; the others are far beyond the ratios of images.
_LARGEST_RATIO = {1: 1, 5: 1400, 8: 1040, 32946: 1040, 32773: 64}
_LARGEST_OTHER_RATIO = 50_000
# Size of a chunk, in bytes, up to which it is harmless whatever its file announces.
_HARMLESS_BYTES = 2**22


def open_tiff(path: Path) -> tuple[LazyArray, str | None, dict[str, float]]:
    """Open the first image of a TIFF file at its full resolution.

    Uncompressed pixels in one piece are memory-mapped; others are decoded chunk by chunk
    when they are read. The file is closed when the array is no longer used.

    Returns
    -------
    data
        Values as they are stored. Palette images are their indices, and "white is zero" is not
        inverted, because that is how ImageJ keeps the values of gray images.
    axes
        Letters of ``TCZYX``, or None if the file names no axes. Pages of a plain file are Z; the
        samples of a pixel (RGB) are C.
    pixel_size
        Micrometres per axis, as far as the file names them.

    Raises
    ------
    ImageError
        If it is no TIFF file, is damaged or truncated, announces more pixels than it can
        hold, or has a compression nobody can decode.
    """
    with path.open("rb") as file:
        magic = file.read(4)
    if magic not in _TIFF_MAGIC:
        if not magic:
            raise ImageError(f"{path} is an empty file")
        raise ImageError(f"{path} is not a TIFF file or another that can be read. {way_out()}.")
    with contextlib.ExitStack() as stack:
        try:
            tif = stack.enter_context(tifffile.TiffFile(path))
            guard(tif)
            header = ome_header(tif)
            if (xml := companion(tif, header)) is not None:
                tif = stack.enter_context(tifffile.TiffFile(path, omexml=xml))
                guard(tif)
                header = ome_header(tif)
            _check_planes(header)
            own = own_series(tif, header)
            series = own.series
            _check_plausible(series)
            _check_complete(tif, series)
            pixel_size = _try_pixel_size(tif, own)
            data = _open_pixels(tif, series, stack)
        except ImageError as error:
            raise ImageError(f"{path} {error}") from error
        except (Exception, MemoryError) as error:
            # Parsers of damaged files raise whatever they like.
            raise ImageError(f"{path} is damaged or no TIFF file: {error}") from error
        _warn_of_gaps(path, own)
        axes = _our_axes(series.axes)
    return data, axes, {a: size for a, size in pixel_size.items() if a in (axes or AXES)}


def _try_pixel_size(tif: tifffile.TiffFile, own: OwnSeries) -> dict[str, float]:
    """Read the pixel size, or warn that it is unknown, as pixels are of use without it."""
    try:
        return tiff_pixel_size(tif, own)
    except Exception as error:
        # Microscopes write whatever they like, so parsers raise any error.
        message = f"{tif.filename}: its pixel size cannot be read and counts as unknown: {error}"
        warn_user(message, stacklevel=5)
        return {}


def _warn_of_gaps(path: Path, own: OwnSeries) -> None:
    """Tell the user about further images in the file, and about planes that are missing."""
    if own.others:
        warn_user(
            f"{path} holds {own.others + 1} images; the first is used",
            stacklevel=5,
        )
    several = own.series.kind in ("ome", "mmstack")
    missing = sum(page is None for page in own.series) if several else 0
    if missing:
        warn_user(
            f"{path}: {missing} of {len(own.series)} planes are missing; they are read as 0",
            stacklevel=5,
        )


def _open_pixels(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, stack: contextlib.ExitStack
) -> LazyArray:
    """Map or open the pixels, and take the files that must stay open for them off the stack."""
    shape, dtype = series.shape, series.dtype
    if (start := _start(series)) is not None:
        stored = np.dtype(dtype).newbyteorder(tif.byteorder)
        name = tif.filehandle.path
        return np.memmap(name, dtype=stored, mode="r", offset=start, shape=shape)
    import zarr  # takes 0.3 s, and most files are mapped

    guard_decoding(series.keyframe)
    store = stack.enter_context(contextlib.closing(series.aszarr(level=0)))
    array = zarr.open_array(store, mode="r")
    weakref.finalize(array, stack.pop_all().close)
    return array


def _start(series: tifffile.TiffPageSeries) -> int | None:
    """Return the place where the pixels begin, if all of them lie together in this very file."""
    return None if series.is_multifile else series.dataoffset


def _check_planes(header: Mapping[str, Any]) -> None:
    """Refuse an OME header that announces an absurd number of planes."""
    for image in ome_images(header):
        pixels = image.get("Pixels", {})
        planes = math.prod(int(pixels.get(f"Size{axis}", 1)) for axis in "TCZ")
        if planes > MOST_PLANES:
            raise ImageError(f"announces {planes} planes in its OME header; that cannot be right")


def _check_plausible(series: tifffile.TiffPageSeries) -> None:
    """Refuse pixels that could not be decoded, before any memory is set aside for them."""
    page = series.keyframe
    shape = describe_shape(series.shape)
    if series.dtype is None or page.dtype is None:
        raise ImageError("has a type of pixels that no program knows")
    if 0 in series.shape or 0 in page.chunks:
        raise ImageError(f"is empty: its shape is {shape}")
    if (start := _start(series)) is not None:
        end = start + math.prod(series.shape) * series.dtype.itemsize
        if end > page.parent.filehandle.size:
            raise ImageError(f"is truncated: the pixels of a {shape} image are not all there")
        return
    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
    except KeyError:
        number = int(page.compression)
        raise ImageError(
            f"has a compression (number {number}) that tifffile {tifffile.__version__} does not "
            "read here: update tifffile and imagecodecs, or save it with another compression"
        ) from None
    pages = [page, series[len(series) - 1]]
    for one in pages:
        if one is not None:
            _check_chunks(one, page)


def _check_complete(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    """Refuse a file whose end is missing, of which tifffile opens the pages before it."""
    if tif.is_imagej and series.kind != "imagej":
        planes = (tif.imagej_metadata or {}).get("images", 1)
        if planes > len(series):
            raise ImageError(
                f"is truncated: it announces {planes} planes, but not all of them are there"
            )
    if series.kind not in ("generic", "shaped", "uniform"):
        return
    file, place = tif.filehandle, tif.pages.next_page_offset
    if place is None:
        return
    file.seek(place)
    pointer = file.read(tif.tiff.offsetsize)
    if any(pointer):  # the last page points to nothing
        raise ImageError("is truncated or damaged: there should be pages after the last one")


def _check_chunks(page: Any, keyframe: tifffile.TiffPage) -> None:  # noqa: ANN401 (page or frame)
    """Compare the places and sizes of the chunks of a page with the file."""
    sizes = np.asarray(page.databytecounts, np.float64)
    offsets = np.asarray(page.dataoffsets, np.float64)
    shape = describe_shape(keyframe.shape)
    if len(sizes) != len(offsets) or len(sizes) < math.prod(keyframe.chunked):
        raise ImageError(f"is damaged: parts of its {shape} pixels are missing")
    if (offsets + sizes).max() > page.parent.filehandle.size:
        raise ImageError(f"is truncated: the pixels of a {shape} page are not all there")
    bits = math.prod(keyframe.chunks) * keyframe.bitspersample
    stored = float(sizes.max())
    largest = _LARGEST_RATIO.get(int(keyframe.compression), _LARGEST_OTHER_RATIO)
    if stored and bits / 8 > _HARMLESS_BYTES + largest * stored:
        raise ImageError(
            f"announces {shape} pixels, more than its {stored:.0f} bytes can hold; "
            "it is damaged or made to do harm"
        )


def _our_axes(axes: str) -> str | None:
    """Translate tifffile's letters: samples are channels, unnamed pages are Z."""
    ours = axes.replace("S", "C")
    if sum(letter in "QI" for letter in ours) == 1 and "Z" not in ours:
        ours = ours.replace("Q", "Z").replace("I", "Z")
    return ours if set(ours) <= set(AXES) and len(set(ours)) == len(ours) else None
