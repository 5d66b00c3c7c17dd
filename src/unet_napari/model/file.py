"""The model file: one safetensors file, whose parser is the one of the safetensors package.

Model files travel between people who do not know each other, so nothing in a file is trusted: the
size of the header is bounded before it is parsed, checksums are compared, and an array is read only
after its caller has looked at the type and shape in the table. ``docs/guide/models/model-file.md``
describes the format. Free of torch.
"""

from __future__ import annotations

import json
import stat
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import safetensors

from unet_napari.errors import ModelFileError, OutputError
from unet_napari.model.schema import LARGEST_DESCRIPTION
from unet_napari.system.atomic import open_atomic
from unet_napari.system.tensors import TENSOR_DTYPES, write_tensors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "SUFFIX",
    "ModelFile",
    "TensorEntry",
    "open_model_file",
    "write_model_file",
]

SUFFIX = ".unet"

# Names in the header of the file.
_DESCRIPTION, _CHECKSUMS = "unet-napari", "crc32"
_WEIGHTS, _THUMBNAIL = "network.", "thumbnail"  # each weight is called "network." and its name

_LARGEST_HEADER = 3 << 20  # bytes: the description and the table of some 10,000 tensors
_LARGEST_SIDE = 1024  # pixels along each axis of the thumbnail
_OLD_FORM = b"PK\x03\x04"  # how the zip files begin that were models before the first release


@dataclass(frozen=True)
class TensorEntry:
    """What the table of a file says about one tensor.

    Attributes
    ----------
    dtype
        Type of the numbers: ``F16``, ``F32``, ``I64`` or ``U8`` in our files, any other type of
        safetensors in a foreign one.
    shape
        Size of each axis.
    """

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype[:10]} {list(self.shape)}"


class ModelFile:
    """An open model file, of which each part is read and checked when it is asked for.

    Parameters
    ----------
    file
        The file, opened by safetensors for numpy.

    Raises
    ------
    ModelFileError
        If the header lacks what makes a model of a safetensors file.
    """

    def __init__(self, file: Any) -> None:  # noqa: ANN401  safetensors is untyped
        self._file = file
        metadata: dict[str, str] = file.metadata() or {}
        if metadata.keys() != {_DESCRIPTION, _CHECKSUMS}:
            raise ModelFileError("it is a safetensors file, but holds no description of a model")
        self._description = metadata[_DESCRIPTION]
        self._checksums = _parse_checksums(metadata[_CHECKSUMS])
        self._tensors = {name: self._entry(name) for name in list(file.keys())}

    def _entry(self, name: str) -> TensorEntry:
        header = self._file.get_slice(name)
        return TensorEntry(str(header.get_dtype()), tuple(header.get_shape()))

    def description(self) -> str:
        """Return the description of the model: JSON, see `parse_info`.

        Raises
        ------
        ModelFileError
            If it is too large, or its checksum is wrong.
        """
        data = self._description.encode()
        if len(data) > LARGEST_DESCRIPTION:
            raise ModelFileError(
                f"its description has {len(data):,} bytes; at most {LARGEST_DESCRIPTION:,} are read"
            )
        self._check("description", zlib.crc32(data))
        return self._description

    def table(self) -> dict[str, TensorEntry]:
        """Return what the file says of its weights, by their names in the network.

        Raises
        ------
        ModelFileError
            If the file holds tensors that are no part of a model.
        """
        known = {
            name.removeprefix(_WEIGHTS): entry
            for name, entry in self._tensors.items()
            if name.startswith(_WEIGHTS)
        }
        foreign = [name for name in self._tensors if not name.startswith(_WEIGHTS)]
        if foreign not in ([], [_THUMBNAIL]):
            raise ModelFileError(
                f"it holds tensors that are no part of a model, such as {min(foreign)[:80]!r}"
            )
        return known

    def weights(self) -> dict[str, NDArray[Any]]:
        """Read the weights, whose types and shapes in `table` the caller has found to be right.

        Raises
        ------
        ModelFileError
            If their checksum is wrong.
        """
        names = [name for name in self._tensors if name.startswith(_WEIGHTS)]
        weights = {name: self._file.get_tensor(name) for name in names}
        self._check("weights", _checksum(weights))
        return {name.removeprefix(_WEIGHTS): array for name, array in weights.items()}

    def thumbnail(self) -> NDArray[Any] | None:
        """Read the picture, uint8 ``(Y, X, 3)``; None if there is none.

        Raises
        ------
        ModelFileError
            If it is no such picture, too large, or its checksum is wrong.
        """
        if _THUMBNAIL not in self._tensors:
            return None
        entry = self._tensors[_THUMBNAIL]
        if not _is_picture(entry):
            raise ModelFileError(f"its thumbnail is no small RGB picture, but {entry}")
        picture: NDArray[Any] = self._file.get_tensor(_THUMBNAIL)
        self._check(_THUMBNAIL, _checksum({_THUMBNAIL: picture}))
        return picture

    def _check(self, part: str, checksum: int) -> None:
        if self._checksums.get(part) != f"{checksum:08x}":
            raise ModelFileError(f"the checksum of its {part} is wrong, so it is damaged")


@contextmanager
def open_model_file(path: Path) -> Iterator[ModelFile]:
    """Open a model file for reading.

    Every `ModelFileError` raised inside the ``with`` block, and every failure to read, comes
    out as one that names the file.

    Raises
    ------
    ModelFileError
        If the file is missing, cannot be read or is damaged.
    """
    try:
        _check_beginning(path)
        with safetensors.safe_open(path, "np") as file:
            yield ModelFile(file)
    except (ModelFileError, safetensors.SafetensorError) as error:
        raise ModelFileError(
            f"The model '{path}' cannot be used: {_reason(error)}. "
            f"(A model is a {SUFFIX} file that unet-napari has saved.)"
        ) from error
    except FileNotFoundError as error:
        raise ModelFileError(f"There is no model file '{path}'.") from error
    except OSError as error:
        raise ModelFileError(f"The model file '{path}' cannot be read: {error}.") from error


def _reason(error: Exception) -> str:
    if isinstance(error, ModelFileError):
        return str(error)
    return f"it is truncated, damaged or not a model file at all ({error})"


def _check_beginning(path: Path) -> None:
    """Refuse what could block when it is read, and what makes the parser allocate much memory."""
    if "\0" in str(path):
        raise ModelFileError("its path holds a null character")
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe, a device or a folder
        raise ModelFileError("it is not a file")
    with path.open("rb") as file:
        beginning = file.read(8)
    if beginning.startswith(_OLD_FORM):
        raise ModelFileError(
            "it is a zip file, as models were before the first release of unet-napari; train the "
            "model again, or take a newer file of it"
        )
    header_size = int.from_bytes(beginning, "little")
    if header_size > _LARGEST_HEADER:
        raise ModelFileError(
            f"its header is said to have {header_size:,} bytes; at most {_LARGEST_HEADER:,} are "
            "read, so it is damaged or not a model file at all"
        )


def write_model_file(
    path: Path,
    description: str,
    weights: Mapping[str, NDArray[Any]],
    thumbnail: NDArray[Any] | None = None,
    *,
    overwrite: bool = True,
) -> None:
    """Write a model file in one step: afterwards the whole new file is there, or the old one.

    Parameters
    ----------
    path
        The file.
    description
        What `ModelFile.description` returns.
    weights
        Arrays by their names in the network: float32, float16 or int64.
    thumbnail
        Picture, uint8 ``(Y, X, 3)``.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the folder is missing or read-only, the disk is full, a part is too large, or the file
        exists and `overwrite` is false. The previous file is then intact.
    """
    _check_parts(weights, thumbnail)
    named = {_WEIGHTS + name: array for name, array in weights.items()}
    pictures = {} if thumbnail is None else {_THUMBNAIL: thumbnail}
    checksums = {
        "description": zlib.crc32(description.encode()),
        "weights": _checksum(named),
        **{name: _checksum({name: picture}) for name, picture in pictures.items()},
    }
    text = json.dumps({part: f"{checksum:08x}" for part, checksum in checksums.items()})
    with open_atomic(path, overwrite=overwrite) as file:
        write_tensors(file, named | pictures, {_DESCRIPTION: description, _CHECKSUMS: text})


def _check_parts(weights: Iterable[str], thumbnail: NDArray[Any] | None) -> None:
    """Make sure that what is written can be read again."""
    if sum(len(name) + 100 for name in weights) > _LARGEST_HEADER - 2 * LARGEST_DESCRIPTION:
        raise OutputError("The model cannot be saved: its network has too many layers.")
    if thumbnail is not None:
        entry = TensorEntry(TENSOR_DTYPES.get(thumbnail.dtype, "no bytes"), thumbnail.shape)
        if not _is_picture(entry):
            raise OutputError(f"The model cannot be saved: its thumbnail is {entry}.")


def _is_picture(entry: TensorEntry) -> bool:
    sizes, channels = entry.shape[:-1], entry.shape[-1:]
    small = len(sizes) == 2 and all(0 < size <= _LARGEST_SIDE for size in sizes)
    return entry.dtype == "U8" and small and channels == (3,)


def _checksum(arrays: Mapping[str, NDArray[Any]]) -> int:
    """Return the CRC-32 of arrays with their names, types and shapes, in the order of names."""
    checksum = 0
    for name in sorted(arrays):
        array = arrays[name]
        facts = f"{name} {array.dtype.name} {list(array.shape)}"
        checksum = zlib.crc32(facts.encode(), checksum)
        if array.size:
            checksum = zlib.crc32(array.data.cast("B"), checksum)
    return checksum


def _parse_checksums(text: str) -> dict[str, object]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ModelFileError("its checksums are damaged")
    return content
