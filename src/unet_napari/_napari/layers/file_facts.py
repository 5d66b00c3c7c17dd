"""What an image layer's file knows and napari has dropped: the axes and the pixel size."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

from napari.layers import Image
from unet_napari import images
from unet_napari.errors import ImageError, without_warnings
from unet_napari.images import LazyArray
from unet_napari.images.formats.names import is_image_name

__all__ = ["FileFacts", "known_facts", "read_facts"]


@dataclass(frozen=True)
class FileFacts:
    """What a file says about the pixels of a layer; nothing by default.

    Attributes
    ----------
    axes : str
        The axes of the layer's array, such as ``TYX``.
    pixel_size : mapping of str to float
        Micrometres by axis.
    """

    axes: str = ""
    pixel_size: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _File:
    path: str
    axes: str
    shape: tuple[int, ...]
    pixel_size: Mapping[str, float]


_files: WeakKeyDictionary[Image, _File | None] = WeakKeyDictionary()


def read_facts(layer: Image) -> FileFacts:
    """Return what a layer's file says; opens the file the first time, so it may take a moment."""
    path = layer.source.path
    if path is not None and (layer not in _files or _path_of(_files[layer]) != path):
        _files[layer] = _open(str(path))
    return known_facts(layer)


def known_facts(layer: Image) -> FileFacts:
    """Return what is known of a layer's file, without opening it.

    Nothing is known before `read_facts`, of a layer that was not read from a file, and of one
    whose pixels are other ones by now.
    """
    file = _files.get(layer)
    if file is None:
        return FileFacts()
    data: LazyArray = layer.data[0] if layer.multiscale else layer.data
    axes = _fitted(file.axes, file.shape, tuple(data.shape))
    if not axes:
        return FileFacts()
    return FileFacts(axes, {a: size for a, size in file.pixel_size.items() if a in axes})


def _path_of(file: _File | None) -> str | None:
    return None if file is None else file.path


def _open(path: str) -> _File | None:
    if not is_image_name(Path(path).name) or not Path(path).exists():
        return None
    try:
        with without_warnings():  # nobody has asked for this file to be read
            image = images.read_image(path)
    except (ImageError, OSError):
        return None  # a layer is usable without
    shape = tuple(int(n) for n in image.data.shape)
    return _File(path, image.axes, shape, dict(image.pixel_size))


def _fitted(axes: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Return the axes of a layer of a shape, which may lack axes of length 1, or be one channel.

    Empty if the layer has other pixels than the file.
    """
    for dropped in ("", "C"):
        kept = [(a, n) for a, n in zip(axes, shape, strict=True) if a not in dropped]
        if tuple(n for _, n in kept) == wanted:
            return "".join(a for a, _ in kept)
        long = [(a, n) for a, n in kept if n > 1]
        if tuple(n for _, n in long) == wanted:
            return "".join(a for a, _ in long)
    return ""
