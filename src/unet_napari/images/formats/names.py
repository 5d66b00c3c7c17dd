"""Names of image files: the endings that can be read, and names without their ending."""

from __future__ import annotations

from pathlib import Path

from unet_napari.images.formats.table import INPUT_FORMATS, listed_words

__all__ = ["image_name", "image_stem", "is_image_name", "way_out"]

_FOLDER_SUFFIXES = INPUT_FORMATS["zarr"].suffixes
_LONG_SUFFIXES = (*INPUT_FORMATS["tiff"].suffixes, *_FOLDER_SUFFIXES)  # several dots in some


def way_out() -> str:
    """Return what to do with a file of a format that cannot be read; the end of a message."""
    ready = [title for form in INPUT_FORMATS.values() if not form.extra for title in form.titles]
    text = f"{listed_words(ready, 'and')} images can be read"
    for form in INPUT_FORMATS.values():
        if form.extra:
            titles = listed_words(form.titles, "and")
            text += f', and {titles} after pip install "unet-napari[{form.extra}]"'
    return (
        f"{text}. Of another format, save a TIFF: in Fiji with File > Save As > Tiff, or in "
        "napari, with a plugin that reads it, with File > Save"
    )


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
    return any(form.matches(name) for form in INPUT_FORMATS.values())


def image_stem(name: str) -> str:
    """Return the name of an image file without its ending, also without a long ``.ome.tif``."""
    lower = name.lower()
    for suffix in _LONG_SUFFIXES:
        if lower.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return Path(name).stem


def image_name(path: Path) -> str:
    """Return the name of an image, which is that of its file without the ending.

    The name of an image inside a zarr, such as ``plate.zarr/A/1/0``, has its place there, too, as
    in ``plate_A_1_0``.
    """
    for depth, folder in enumerate(path.parents, start=1):
        if folder.name.lower().endswith(_FOLDER_SUFFIXES) and len(folder.name) > len(".zarr"):
            return "_".join([image_stem(folder.name), *path.parts[-depth:]])
    return image_stem(path.name)
