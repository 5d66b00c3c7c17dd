"""PNG, JPEG and BMP files: pictures that can only be decoded as a whole."""

from __future__ import annotations

import functools
import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import ImageError, warn_user

if TYPE_CHECKING:
    from pathlib import Path

    import PIL.Image
    from numpy.typing import NDArray

__all__ = ["Picture", "open_picture", "picture_format"]

_PICTURE_MAGIC = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP"}
# Largest number of bytes of a picture, which is in memory as a whole and more than once.
_MOST_BYTES = 3 * 2**27
# Numbers that PNG gives to its types of colour.
_PNG_RGB, _PNG_GRAY_ALPHA, _PNG_RGBA = 2, 4, 6


class Picture:
    """The pixels of a picture file, decoded when the first of them is needed.

    Parameters
    ----------
    path
        The file.
    shape, dtype
        Shape and type that its header names: two axes, and a third of length 3 for colours.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype
        self._path = path

    def __getitem__(self, key: Any, /) -> NDArray[Any]:  # noqa: ANN401 (as NumPy's)
        """Return a part; raises `ImageError` if the file is damaged."""
        try:
            pixels = _decode_picture(self._path, self._path.stat().st_mtime_ns)
        except Exception as error:
            # Decoders of damaged files raise whatever they like.
            raise ImageError(f"{self._path} is a damaged picture: {error}") from error
        if pixels.shape != self.shape:
            raise ImageError(f"{self._path} was changed while it was in use")
        part: NDArray[Any] = pixels[key]
        return part

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        """Return all of it as NumPy asks for it."""
        return np.array(self[...], dtype=dtype, copy=copy)


def picture_format(path: Path) -> str | None:
    """Return ``PNG``, ``JPEG`` or ``BMP`` if a file begins like one, else None."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        start = file.read(8)
    return next((name for magic, name in _PICTURE_MAGIC.items() if start.startswith(magic)), None)


def open_picture(path: Path) -> tuple[Picture, str, dict[str, float]]:
    """Open a picture; its pixels are decoded when they are needed.

    Values are kept as they are stored. A picture that takes its colours from a table has the
    numbers of the colours as values, because labels are kept in such files, unless the table holds
    grays. Transparency is left out. The resolution is left out, too: it is that of a screen.

    Returns
    -------
    data, axes, pixel_size
        As `open_tiff` returns them.

    Raises
    ------
    ImageError
        If it is damaged, or too large to be read as a whole.
    """
    import PIL.Image

    kind = picture_format(path)
    try:
        with _no_warning(), PIL.Image.open(path, formats=[kind or "PNG"]) as picture:
            depth, channels = _stored_type(path, picture)
            shape = (picture.height, picture.width, *([3] if channels == 3 else []))
            table = picture.mode in ("P", "PA") and _gray_table(picture) is None
    except PIL.Image.DecompressionBombError:
        raise _too_large(path) from None
    except Exception as error:
        # Parsers of damaged files raise whatever they like.
        renamed = ", not a TIFF file," if path.suffix.lower() in (".tif", ".tiff") else ""
        raise ImageError(f"{path} is a {kind} picture{renamed} and damaged: {error}") from error
    if np.prod(shape, dtype=float) * depth.itemsize > _MOST_BYTES:
        raise _too_large(path)
    if table:
        warn_user(
            f"{path} takes its colours from a table; the numbers of the colours are used, as they "
            "are of labels. If it is an image, save it as RGB",
            stacklevel=4,
        )
    return Picture(path, shape, depth), "YXC" if channels == 3 else "YX", {}


def _stored_type(path: Path, picture: PIL.Image.Image) -> tuple[np.dtype[Any], int]:
    """Return the type of the pixels and the number of colours, 1 or 3, without decoding."""
    if _is_deep_png(path):
        channels = 3 if _png_colours(path) in (_PNG_RGB, _PNG_RGBA) else 1
        return np.dtype(np.uint16), channels
    channels = 3 if picture.mode in ("RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB") else 1
    return np.dtype(np.uint8), channels


@functools.lru_cache(maxsize=2)
def _decode_picture(path: Path, changed: int) -> NDArray[Any]:  # noqa: ARG001 (part of the key)
    """Decode a picture; the last two stay in memory, as they are read part by part."""
    import imagecodecs
    import PIL.Image

    if _is_deep_png(path):  # Pillow would keep eight of its sixteen bits.
        pixels = np.asarray(imagecodecs.png_decode(path.read_bytes()))
        alpha = pixels[..., -1] if pixels.ndim == 3 and pixels.shape[2] in (2, 4) else None
        if pixels.ndim == 3:
            pixels = pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., 0]
    else:
        # Read from a file, Pillow makes room for all bytes that a damaged file announces.
        content = io.BytesIO(path.read_bytes())
        with _no_warning(), PIL.Image.open(content) as picture:
            alpha = np.asarray(picture.getchannel("A")) if "A" in picture.getbands() else None
            pixels = _picture_pixels(picture)
    if alpha is not None and alpha.min() < np.iinfo(alpha.dtype).max:
        warn_user(f"{path}: its transparency is left out", stacklevel=4)
    pixels = np.ascontiguousarray(pixels)
    pixels.flags.writeable = False
    return pixels


def _picture_pixels(picture: PIL.Image.Image) -> NDArray[Any]:
    if picture.mode in ("P", "PA"):
        grays = _gray_table(picture)
        numbers = np.asarray(picture.getchannel(0))
        return numbers if grays is None else grays[numbers]
    if picture.mode in ("1", "L", "LA"):
        return np.asarray(picture.getchannel(0)).astype(np.uint8)
    return np.asarray(picture.convert("RGB"))


def _gray_table(picture: PIL.Image.Image) -> NDArray[Any] | None:
    """Return the gray of every number, or None where the table holds colours or doubles."""
    palette = picture.getpalette("RGB") or []
    table = np.array(palette, np.uint8).reshape(-1, 3)
    grays = table[:, 0]
    if (table != grays[:, np.newaxis]).any() or len(np.unique(grays)) < len(grays):
        return None
    return np.pad(grays, (0, 256 - len(grays)))


def _png_header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(26)


def _is_deep_png(path: Path) -> bool:
    header = _png_header(path)
    return header.startswith(b"\x89PNG") and header[24:25] == b"\x10"


def _png_colours(path: Path) -> int:
    return _png_header(path)[25]


def _no_warning() -> warnings.catch_warnings[None]:
    """Silence the warning of Pillow about large pictures, for which we have an error."""
    return warnings.catch_warnings(action="ignore")


def _too_large(path: Path) -> ImageError:
    return ImageError(
        f"{path} is too large for a picture file, which can only be read as a whole; save it as "
        "TIFF or zarr, of which parts can be read"
    )
