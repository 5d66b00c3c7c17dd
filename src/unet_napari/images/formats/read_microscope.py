"""CZI, LIF, ND2 and OIR files, through the extra ``bioio``, which is imported only for them."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import ImageError, warn_user
from unet_napari.images.formats.names import way_out
from unet_napari.images.formats.table import INPUT_FORMATS
from unet_napari.images.units import micrometres

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from unet_napari.images.image import LazyArray

    Opened = tuple[LazyArray, str, dict[str, float]]

__all__ = ["is_microscope_file", "open_microscope"]

# The readers are named here, as bioio would try all readers that it finds, and one of them fetches
# a Java from the network.
_BIOIO_READERS = {".czi": "bioio_czi", ".lif": "bioio_lif", ".nd2": "bioio_nd2"}


# These libraries write about a damaged file, which our one message does already.
for _library in ("bioio", "oirfile"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


def is_microscope_file(path: Path) -> bool:
    """Tell by its name whether a file is a CZI, LIF, ND2 or OIR file."""
    return path.suffix.lower() in INPUT_FORMATS["microscope"].suffixes and path.is_file()


def open_microscope(path: Path, scene: int | str | None = None) -> Opened:
    """Open an image of a microscope's file without reading its pixels.

    Parameters
    ----------
    path
        The file.
    scene
        Number, from 0, or name of an image in the file; by default the first, with a warning if
        there are more.

    Returns
    -------
    data, axes, pixel_size
        As `open_tiff` returns them; axes of length 1 other than Y and X are left out.

    Raises
    ------
    ImageError
        If the package that reads it is not installed, there is no such image, or the file is
        damaged.
    """
    opener = _open_oir if path.suffix.lower() == ".oir" else _open_bioio
    try:
        return opener(path, scene)
    except ImportError as error:
        old = error.name == "oirfile" and sys.version_info < (3, 12)
        needs = " (which needs Python 3.12)" if old else ""
        raise ImageError(
            f"{path} cannot be read, as {error.name}{needs} is not installed. {way_out()}."
        ) from error
    except ImageError:
        raise
    except Exception as error:
        # Parsers of damaged files, and libraries of many authors, raise whatever they like.
        said = " ".join(str(error).split())
        raise ImageError(f"{path} is damaged or of a kind not known yet: {said}") from error


def _open_bioio(path: Path, scene: int | str | None) -> Opened:
    from bioio import BioImage

    reader = importlib.import_module(_BIOIO_READERS[path.suffix.lower()]).Reader
    image = BioImage(path, reader=reader)
    _choose(path, list(image.scenes), scene, image.set_scene)
    size = image.physical_pixel_sizes
    sizes = {axis: micrometres(getattr(size, axis), "um") for axis in "ZYX"}
    return _without_single_axes(path, image.dask_data, str(image.dims.order), sizes)


def _open_oir(path: Path, scene: int | str | None) -> Opened:
    from oirfile import OirFile

    with OirFile(path) as file:
        shape, axes = tuple(file.sizes.values()), "".join(file.sizes)
        sizes = {axis: micrometres(file.coord_scales.get(axis), "um") for axis in "ZYX"}
        dtype = np.dtype(file.dtype)
    _choose(path, [path.stem], scene, lambda _: None)

    def read() -> NDArray[Any]:
        with OirFile(path) as file:
            return np.asarray(file.asarray())

    return _without_single_axes(path, _ReadAtOnce(shape, dtype, read), axes, sizes)


class _ReadAtOnce:
    """An array that is read as a whole when its first pixel is needed."""

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], read: Callable[[], NDArray[Any]]
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self._read = read
        self._pixels: NDArray[Any] | None = None

    def __getitem__(self, key: Any, /) -> NDArray[Any]:  # noqa: ANN401 (as NumPy's)
        if self._pixels is None:
            self._pixels = self._read()
        part: NDArray[Any] = self._pixels[key]
        return part


def _choose(
    path: Path, names: list[str], scene: int | str | None, take: Callable[[int], object]
) -> None:
    """Choose the image that was asked for, or the first."""
    if scene is None:
        if len(names) > 1:
            warn_user(
                f"{path} holds {len(names)} images ({_listed_names(names)}); the first is used. "
                "Choose with --scene (in Python: read_image(..., scene=...))",
                stacklevel=6,
            )
        return
    number = names.index(scene) if scene in names else scene
    if not isinstance(number, int) or not 0 <= number < len(names):
        there = f"{len(names)}: {_listed_names(names)}"
        raise ImageError(f"{path} has no image {scene!r}, but {there}")
    take(number)


def _listed_names(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def _without_single_axes(
    path: Path, data: LazyArray, axes: str, sizes: dict[str, float | None]
) -> Opened:
    """Return an image without axes of length 1, in which the samples of a pixel are channels."""
    single = [size == 1 and axis not in "YX" for axis, size in zip(axes, data.shape, strict=True)]
    kept = "".join(axis for axis, one in zip(axes, single, strict=True) if not one)
    if "C" in kept and "S" in kept:
        raise ImageError(f"{path} has several channels of colours; save it as TIFF in Fiji")
    letters = kept.replace("S", "C")
    if any(single):
        # A dask array stays as lazy as it was.
        data = data[tuple(0 if one else slice(None) for one in single)]
    return data, letters, {a: size for a, size in sizes.items() if size is not None and a in kept}
