"""The pixel size in a TIFF file, wherever the program that wrote it has put it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from unet_napari.errors import warn_user
from unet_napari.images.units import INCH, is_length, micrometres, plain_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from unet_napari.images.formats.tiff_series import OwnSeries

    Sizes = Mapping[str, float | None]

__all__ = ["tiff_pixel_size"]

# Units of the resolution tags by their number; 4 and 5 are tifffile's own.
_TAG_UNITS = {2: "inch", 3: "cm", 4: "mm", 5: "um"}
# Largest pixel size, in micrometres, that is believed of a resolution without any description.
_COARSEST_PIXEL = {2: 10.0, 3: 100.0, 4: 100.0, 5: 100.0}


def tiff_pixel_size(tif: tifffile.TiffFile, own: OwnSeries) -> dict[str, float]:
    """Read the pixel size of an image.

    The metadata of a microscope's format come first, then those of OME, then those of ImageJ, and
    at last the resolution of plain files, unless it is the 72 dots per inch of some printer.

    Parameters
    ----------
    tif
        The file.
    own
        The image in it.

    Returns
    -------
    dict
        Micrometres per axis of ``ZYX``, as far as the file names them.
    """
    sizes: dict[str, float] = {}
    for source in _SOURCES:
        for axis, size in source(tif, own).items():
            if size is not None:
                sizes.setdefault(axis, size)
    return sizes


def _lsm(tif: tifffile.TiffFile, own: OwnSeries) -> Sizes:  # noqa: ARG001
    """Read the size of Zeiss LSM, in metres."""
    header = tif.lsm_metadata or {}
    return {axis: micrometres(header.get(f"VoxelSize{axis}"), "m") for axis in "ZYX"}


def _stk(tif: tifffile.TiffFile, own: OwnSeries) -> Sizes:  # noqa: ARG001
    """Read MetaMorph STK: a calibration with its unit, and steps of the focus in micrometres."""
    header = tif.stk_metadata or {}
    unit = str(header.get("CalibrationUnits", ""))
    steps = np.asarray(header.get("ZDistance", []), dtype=float)
    return {
        "Z": micrometres(np.median(steps), "um") if steps.size else None,
        **{axis: micrometres(header.get(f"{axis}Calibration"), unit) for axis in "YX"},
    }


def _metamorph(tif: tifffile.TiffFile, own: OwnSeries) -> Sizes:  # noqa: ARG001
    """Read the plain TIFF files of MetaMorph and MetaXpress."""
    header = (tif.metaseries_metadata or {}).get("PlaneInfo", {})
    unit = str(header.get("spatial-calibration-units", ""))
    return {
        axis: micrometres(header.get(f"spatial-calibration-{axis.lower()}"), unit) for axis in "YX"
    }


def _micromanager(tif: tifffile.TiffFile, own: OwnSeries) -> Sizes:
    """Read Micro-Manager: the summary of the run, or the metadata of each plane."""
    if not tif.is_micromanager:
        return {}
    summary = (tif.micromanager_metadata or {}).get("Summary") or {}
    plane = own.series.keyframe.tags.valueof(51123) or {}
    metadata = {**(plane if isinstance(plane, dict) else {}), **summary}
    across = micrometres(metadata.get("PixelSize_um") or metadata.get("PixelSizeUm"), "um")
    return {"Z": micrometres(metadata.get("z-step_um"), "um"), "Y": across, "X": across}


def _slide_scanner(tif: tifffile.TiffFile, own: OwnSeries) -> Sizes:
    """Read Aperio, Ventana and Philips, whose sizes stand somewhere in a text."""
    page = own.series.keyframe
    unit, found = "um", None
    if tif.is_svs:
        found = re.search(r"\|\s*MPP\s*=\s*([\d.,]+)", page.description)
    elif tif.is_bif:
        texts = [tag.value for tag in page.tags if tag.code == 700]
        xml = b" ".join(text if isinstance(text, bytes) else str(text).encode() for text in texts)
        found = re.search(r'ScanRes="([\d.,]+)"', xml.decode("utf-8", "replace"))
    elif tif.is_philips:
        unit = "mm"
        found = re.search(r'DICOM_PIXEL_SPACING"[^>]*>\s*(?:"|&quot;)([\d.e-]+)', page.description)
    size = micrometres(found[1].replace(",", "."), unit) if found else None
    return {"Y": size, "X": size}


def _olympus(tif: tifffile.TiffFile, own: OwnSeries) -> Sizes:  # noqa: ARG001
    """Read Olympus SIS, in metres, and FluoView, with a table of the axes."""
    header = tif.sis_metadata or {}
    sizes = {axis: micrometres(header.get(f"pixelsize{axis.lower()}"), "m") for axis in "YX"}
    for name, _, _, step, unit in (tif.fluoview_metadata or {}).get("Dimensions", []):
        if name in ("X", "Y", "Z"):
            sizes[name] = micrometres(step, str(unit))
    return sizes


def _electron(tif: tifffile.TiffFile, own: OwnSeries) -> Sizes:  # noqa: ARG001
    """Read electron microscopes of FEI, in metres, and of Zeiss."""
    header = tif.fei_metadata or {}
    scan = header.get("Scan") or header.get("EScan") or {}
    sizes = {
        "Y": micrometres(scan.get("PixelHeight"), "m"),
        "X": micrometres(scan.get("PixelWidth"), "m"),
    }
    for name in ("ap_image_pixel_size", "ap_pixel_size"):
        entry = (tif.sem_metadata or {}).get(name)
        if isinstance(entry, tuple) and len(entry) == 3:
            size = micrometres(entry[1], str(entry[2]))
            sizes = {axis: sizes[axis] or size for axis in "YX"}
    return sizes


def _tifffile(tif: tifffile.TiffFile, own: OwnSeries) -> Sizes:  # noqa: ARG001
    """Read the sizes that newer versions of tifffile find in formats that are not known here."""
    if own.series.kind in ("generic", "uniform", "shaped", "imagej", "ome"):
        return {}  # For these, tifffile also returns the dots of printers and whole pixels.
    scales = getattr(own.series, "coord_scales", {})
    units = getattr(own.series, "coord_units", {})
    return {axis: micrometres(scales.get(axis), str(units.get(axis, ""))) for axis in "ZYX"}


def _ome(tif: tifffile.TiffFile, own: OwnSeries) -> Sizes:
    """Read OME, and the same names in the header of tifffile's own files."""
    pixels = (own.ome or {}).get("Pixels") or _shaped(tif, own)
    sizes = {}
    for axis in "ZYX":
        unit = str(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        sizes[axis] = _converted(tif, pixels.get(f"PhysicalSize{axis}"), unit)
    return sizes


def _imagej(tif: tifffile.TiffFile, own: OwnSeries) -> Sizes:
    """Read ImageJ, and SCIFIO, which ImageJ2, Labkit and some commands of Fiji write with.

    ImageJ's resolution tags are in the unit of its header, whatever unit they have. SCIFIO's are
    per centimetre, whatever unit its header has.
    """
    header = (tif.imagej_metadata if tif.is_imagej else None) or _shaped(tif, own)
    if own.series.kind == "ome" or not header:
        return {}
    unit = str(header.get("unit", ""))
    sizes: dict[str, float | None] = dict(_scifio(header))
    # ImageJ writes no spacing where it is exactly 1.
    usual = 1.0 if "ImageJ" in header and is_length(unit) else None
    depth = _converted(tif, header.get("spacing", usual), str(header.get("zunit", unit)))
    sizes["Z"] = sizes.get("Z") or depth
    page = own.series.keyframe
    if "ImageJ" in header or int(page.resolutionunit) not in _TAG_UNITS:
        for axis, size in _resolution(page).items():
            across = str(header.get(f"{axis.lower()}unit", unit))
            sizes[axis] = sizes.get(axis) or _converted(tif, size, across)
    return sizes


def _converted(tif: tifffile.TiffFile, size: object, unit: str) -> float | None:
    """Convert a size to micrometres, and warn the user if its unit is not known."""
    usual = plain_unit(unit).removesuffix("s") in ("", "pixel", "px", "voxel", "null")
    if size is not None and not usual and not is_length(unit):
        warn_user(
            f"{tif.filename}: its pixel size is given in {unit!r}, which is no known unit of "
            "length; it counts as unknown",
            stacklevel=6,
        )
    return micrometres(size, unit)


def _scifio(header: Mapping[str, Any]) -> Sizes:
    lists = [str(header.get(name, "")).split(",") for name in ("axes", "scales", "units")]
    return {axis: micrometres(size, unit) for axis, size, unit in zip(*lists, strict=False)}


def _shaped(tif: tifffile.TiffFile, own: OwnSeries) -> dict[str, Any]:
    """Return the header of a file that tifffile wrote without a flavour."""
    if own.series.kind != "shaped" or not tif.shaped_metadata:
        return {}
    return dict(tif.shaped_metadata[0])


def _tags(tif: tifffile.TiffFile, own: OwnSeries) -> Sizes:
    """Read the resolution tags of a file without other metadata, in the unit that they name."""
    page = own.series.keyframe
    unit = int(page.resolutionunit)
    if unit not in _TAG_UNITS or "ResolutionUnit" not in page.tags:
        return {}
    header = (tif.imagej_metadata if tif.is_imagej else None) or {}
    coarsest = INCH if header else _COARSEST_PIXEL[unit]
    sizes = {axis: micrometres(size, _TAG_UNITS[unit]) for axis, size in _resolution(page).items()}
    return {axis: size for axis, size in sizes.items() if size is None or size <= coarsest}


def _resolution(page: tifffile.TiffPage) -> Sizes:
    """Return the pixel size of the resolution tags, in their unit."""
    sizes: dict[str, float | None] = {}
    for axis, name in (("Y", "YResolution"), ("X", "XResolution")):
        tag = page.tags.get(name)
        above, below = tag.value if tag is not None else (0, 0)
        sizes[axis] = below / above if above else None
    return sizes


_SOURCES: tuple[Callable[[tifffile.TiffFile, OwnSeries], Sizes], ...] = (
    *(_lsm, _stk, _metamorph, _micromanager, _slide_scanner, _olympus, _electron),
    *(_tifffile, _ome, _imagej, _tags),
)
