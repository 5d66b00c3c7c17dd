"""Opening of image files (TIFF, zarr, pictures), whatever they are called, and of arrays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.errors import ImageError, warn_user
from unet_napari.images.axes import guess_axes
from unet_napari.images.formats.names import image_name
from unet_napari.images.formats.table import INPUT_FORMATS, InputFormat
from unet_napari.images.image import Image, check_pixels, override

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unet_napari.images.image import LazyArray

__all__ = ["as_image", "read_image"]


def read_image(
    path: str | Path,
    *,
    axes: str | None = None,
    pixel_size: Mapping[str, float] | None = None,
    channel: int | None = None,
    scene: int | str | None = None,
) -> Image:
    """Open an image file without reading its pixels.

    Parameters
    ----------
    path
        A TIFF file (ImageJ, OME, plain, or a microscope's), a PNG, JPEG or BMP picture, the
        folder of a zarr array or OME-Zarr image, or, with the extra ``bioio``, a CZI, LIF, ND2
        or OIR file.
    axes
        Letters of the axes, in place of those that the file names.
    pixel_size
        Micrometres per pixel for some axes, in place of the sizes that the file names.
    channel
        Number of the only channel that is used, counted from 0; by default all are.
    scene
        Number, from 0, or name of an image in a CZI, LIF or ND2 file that holds several; by
        default the first, with a warning.

    Returns
    -------
    Image
        Named after the file.

    Raises
    ------
    ImageError
        If the file is missing, is no image, is damaged, or does not say what its axes are.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise ImageError(f"{path} does not exist")
        data, stored_axes, stored_size = _format_of(path).open(path, scene)
    except OSError as error:
        raise ImageError(f"{path} cannot be opened: {error.strerror or error}") from error
    check_pixels(data, str(path))
    try:
        letters = axes or stored_axes or guess_axes(data.shape, data.dtype)
        image = Image(data, letters, name=image_name(path), source=path)
        known = {axis: size for axis, size in stored_size.items() if axis in image.spatial_axes}
        image = override(image, pixel_size={**known, **(pixel_size or {})}, channel=channel)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    # An OME-Zarr image has all five axes; with a single plane it is a 2-D image.
    if axes is None and "Z" in image.axes and image.shape[0] == 1:
        image = image.select(Z=0)
    _warn_of_unknown(image, path)
    return image


def _format_of(path: Path) -> InputFormat:
    """Return the format of a file or folder; the content decides, not the name."""
    for form in INPUT_FORMATS.values():
        if form.recognise(path):
            return form
    if path.is_dir():
        raise ImageError(f"{path} is a folder, and not one of a zarr image")
    return next(form for form in INPUT_FORMATS.values() if not form.recognises)


def _warn_of_unknown(image: Image, path: Path) -> None:
    """Tell the user along which axes the pixel size is missing, if it is known along others."""
    unknown = [axis for axis in image.spatial_axes if axis not in image.pixel_size]
    known = [f"{axis} {size:.4g} µm" for axis, size in image.pixel_size.items()]
    if known and unknown:
        warn_user(
            f"{path}: the pixel size along {' and '.join(unknown)} is not known, only "
            f"{', '.join(known)}; all axes count as equally spaced until you give it (in napari "
            "as the scale of the layer, in Python with scale=...)",
            stacklevel=3,
        )


def as_image(
    source: Image | LazyArray | str | Path,
    *,
    axes: str | None = None,
    pixel_size: Mapping[str, float] | None = None,
    channel: int | None = None,
    name: str | None = None,
) -> Image:
    """Make an `Image` of an array or a file.

    Parameters
    ----------
    source
        An array (NumPy, zarr, dask, ...), the path of a file, or an image already.
    axes
        Letters of the axes; by default those that the file names, or a guess (`guess_axes`).
    pixel_size
        Micrometres per pixel for some axes, in place of the sizes that the file names.
    channel
        Number of the only channel that is used, counted from 0; by default all are.
    name
        Name of the image.

    Returns
    -------
    Image

    Raises
    ------
    ImageError
        If it is no image, cannot be read, or its axes cannot be told.
    """
    if isinstance(source, (str, Path)):
        image = read_image(source, axes=axes, pixel_size=pixel_size, channel=channel)
        return image if name is None else replace(image, name=name)
    if isinstance(source, Image):
        image = source
    else:
        data = source if _is_array(source) else np.asarray(source)
        check_pixels(data, name or "image")
        image = Image(data, axes or guess_axes(data.shape, data.dtype), name=name or "image")
    return override(image, axes=axes, pixel_size=pixel_size, channel=channel, name=name)


def _is_array(source: object) -> bool:
    """Tell arrays with a NumPy dtype from lists and from other libraries' tensors."""
    return hasattr(source, "shape") and isinstance(getattr(source, "dtype", None), np.dtype)
