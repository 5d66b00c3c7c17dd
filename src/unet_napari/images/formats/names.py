"""Names of image files: the endings that can be read, and names without their ending."""

from __future__ import annotations

import importlib.util
from pathlib import Path

__all__ = [
    "MICROSCOPE_SUFFIXES",
    "PICTURE_SUFFIXES",
    "WAY_OUT",
    "image_name",
    "image_stem",
    "is_image_name",
]

# Endings of TIFF and of its relatives that people have: Zeiss's, MetaMorph's, slide scanners'.
_TIFF_SUFFIXES = (
    *(".ome.tiff", ".ome.tif", ".ome.btf", ".ome.tf8", ".tiff", ".tif", ".btf", ".tf8"),
    *(".lsm", ".stk", ".svs", ".ndpi", ".scn", ".qptiff", ".bif"),
)
_ZARR_SUFFIXES = (".ome.zarr", ".zarr")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
MICROSCOPE_SUFFIXES = (".czi", ".lif", ".nd2", ".oir")
"""Endings of the formats that the extra ``bioio`` reads."""

WAY_OUT = (
    "TIFF, zarr, PNG, JPEG and BMP images can be read, and CZI, LIF, ND2 and OIR after "
    'pip install "unet-napari[bioio]". Of another format, save a TIFF: in Fiji with '
    "File > Save As > Tiff, or in napari, with a plugin that reads it, with File > Save"
)
"""Advice on a file of a format that cannot be read, for the end of a message."""


def is_image_name(name: str) -> bool:
    """Tell by its name whether a file, or the folder of a zarr, is an image that can be read.

    Files whose names begin with a dot are no images: macOS puts ``._image.tif`` beside
    ``image.tif``. Formats of microscopes count if the package that reads them is installed.

    Parameters
    ----------
    name
        Name of the file, without its folder.
    """
    if name.startswith("."):
        return False
    lower = name.lower()
    if lower.endswith(MICROSCOPE_SUFFIXES):
        reader = "oirfile" if lower.endswith(".oir") else "bioio"
        return importlib.util.find_spec(reader) is not None
    return lower.endswith(_TIFF_SUFFIXES + _ZARR_SUFFIXES + PICTURE_SUFFIXES)


def image_stem(name: str) -> str:
    """Return the name of an image file without its ending, also without a long ``.ome.tif``."""
    lower = name.lower()
    for suffix in (*_TIFF_SUFFIXES, *_ZARR_SUFFIXES):
        if lower.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return Path(name).stem


def image_name(path: Path) -> str:
    """Return the name of an image, which is that of its file without the ending.

    The name of an image inside a zarr, such as ``plate.zarr/A/1/0``, has its place there, too, as
    in ``plate_A_1_0``.
    """
    for depth, folder in enumerate(path.parents, start=1):
        if folder.name.lower().endswith(_ZARR_SUFFIXES) and len(folder.name) > len(".zarr"):
            return "_".join([image_stem(folder.name), *path.parts[-depth:]])
    return image_stem(path.name)
