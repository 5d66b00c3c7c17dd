"""The file in which a training is kept so that it can be continued. Free of torch.

It is a safetensors file like a model, beside the model: ``cells.state`` of ``cells.unet``. It holds
no code, appears only whole, and each part is checked when it is read.
"""

from __future__ import annotations

import json
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors

from unet_napari.errors import ModelFileError
from unet_napari.model.names import STATE_SUFFIX
from unet_napari.system.atomic import open_atomic
from unet_napari.system.tensors import write_tensors
from unet_napari.training.state.state_head import PairHead, StateHead, TrainingCurve
from unet_napari.training.state.stored_paint import unpack_paint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.labels.sparse import SparseArray

__all__ = [
    "STATE_FORMAT",
    "StateFile",
    "open_state",
    "painted_in_state",
    "read_state_head",
    "state_beside",
    "write_state",
]

STATE_FORMAT = 1

_FACTS, _CHECKSUMS = "unet-napari-state", "crc32"
_LARGEST_HEADER = 16 << 20  # bytes; a curve of a thousand points has some 50,000


class StateFile:
    """An open state file, of which each part is read and checked when it is asked for.

    Attributes
    ----------
    facts
        All that is no array, as `write_state` was given it.
    names
        The names of the arrays.
    """

    def __init__(self, file: Any) -> None:  # noqa: ANN401  safetensors is untyped
        metadata: dict[str, str] = file.metadata() or {}
        if metadata.keys() != {_FACTS, _CHECKSUMS}:
            raise ModelFileError("it is a safetensors file, but no state of a training")
        self._file = file
        self._checksums = _parsed(metadata[_CHECKSUMS])
        self._check(_FACTS, metadata[_FACTS].encode())
        self.facts = _parsed(metadata[_FACTS])
        if self.facts.get("format") != STATE_FORMAT:
            raise ModelFileError(
                f"it is of format {str(self.facts.get('format'))[:20]}, and this version of "
                f"unet-napari reads format {STATE_FORMAT}"
            )
        self.names = frozenset(file.keys())

    def read(self, name: str) -> NDArray[Any]:
        """Return an array.

        Raises
        ------
        ModelFileError
            If there is none of this name, or it is damaged.
        """
        if name not in self.names:
            raise ModelFileError(f"it lacks {name[:80]!r}")
        array: NDArray[Any] = np.ascontiguousarray(self._file.get_tensor(name))
        self._check(name, array.data.cast("B") if array.size else b"")
        return array

    def read_all(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Return the arrays whose names begin with a prefix, by the rest of their names."""
        names = sorted(name for name in self.names if name.startswith(prefix))
        return {name.removeprefix(prefix): self.read(name) for name in names}

    def head(self) -> StateHead:
        """Return what can be told without the arrays.

        Raises
        ------
        ModelFileError
            If something is missing.
        """
        try:
            told = dict(self.facts["head"])
            curve = TrainingCurve(*(_points(told["curve"][part]) for part in ("losses", "scores")))
            images = tuple(
                PairHead(**{**one, "shape": tuple(one["shape"]),
                            "background": tuple(one["background"])})
                for one in told["images"]
            )  # fmt: skip
            return StateHead(**{**told, "curve": curve, "images": images})
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"its description cannot be understood ({error})") from error

    def paint(self, pair: int) -> tuple[SparseArray, SparseArray | None]:
        """Return the labels of a pair as they were painted, and where they are annotated.

        Raises
        ------
        ModelFileError
            If there is no such pair, or its paint is damaged.
        """
        images = self.head().images
        if not 0 <= pair < len(images):
            raise ModelFileError(f"it has {len(images)} images, and none of number {pair}")
        shape = images[pair].shape
        dtype = str(self.facts["dtypes"][pair])
        if dtype not in _LABEL_TYPES:
            raise ModelFileError("its paint is damaged")
        labels = unpack_paint(f"labels.{pair}", shape, dtype, self.read)
        if f"annotated.{pair}.boxes" not in self.names:
            return labels, None
        return labels, unpack_paint(f"annotated.{pair}", shape, bool, self.read)

    def _check(self, part: str, content: Any) -> None:  # noqa: ANN401  what has bytes
        if self._checksums.get(part) != zlib.crc32(content):
            raise ModelFileError(f"the checksum of {part[:80]!r} is wrong, so it is damaged")


_LABEL_TYPES = frozenset(f"{kind}{size}" for kind in ("int", "uint") for size in (8, 16, 32, 64))


def state_beside(model: Path) -> Path:
    """Return where the state of a model's training lies."""
    return model.with_suffix(STATE_SUFFIX)


def read_state_head(path: str | Path) -> StateHead:
    """Read what can be told of a training that was stopped.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged or of another version.
    """
    with open_state(Path(path)) as file:
        return file.head()


def painted_in_state(path: str | Path, pair: int) -> tuple[SparseArray, SparseArray | None]:
    """Read what was painted on an image of a training that was stopped.

    Parameters
    ----------
    path
        The state file.
    pair
        Number of the image in ``StateHead.images``.

    Returns
    -------
    labels : SparseArray
        Labels with the ids of the layer; ``labels[...]`` is the whole array.
    annotated : SparseArray or None
        Mask of the parts where the labels are complete; None where nobody said so.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged or of another version, or has no such image.
    """
    with open_state(Path(path)) as file:
        return file.paint(pair)


@contextmanager
def open_state(path: Path) -> Iterator[StateFile]:
    """Open a state file; every failure to read it comes out as a message that names it.

    Raises
    ------
    ModelFileError
        If the file is missing, cannot be read, is damaged or of another version.
    """
    try:
        _check_beginning(path)
        with safetensors.safe_open(path, "np") as content:
            yield StateFile(content)
    except FileNotFoundError as error:
        raise ModelFileError(f"There is no training to continue: '{path}' is missing.") from error
    except OSError as error:
        raise ModelFileError(f"The training '{path}' cannot be read: {error}.") from error
    except (ModelFileError, safetensors.SafetensorError) as error:
        reason = error if isinstance(error, ModelFileError) else "it is damaged"
        raise ModelFileError(
            f"The training '{path}' cannot be continued: {reason}. Start over; the model itself "
            "can be the one that training starts from."
        ) from error


def _check_beginning(path: Path) -> None:
    """Refuse what could block when it is read, and what makes the parser allocate much memory."""
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a folder
        raise ModelFileError("it is not a file")
    with path.open("rb") as file:
        if int.from_bytes(file.read(8), "little") > _LARGEST_HEADER:
            raise ModelFileError("it is damaged or not a state file at all")


def write_state(path: Path, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a state file in one step.

    Parameters
    ----------
    path
        The file.
    facts
        JSON-able values, with those of a `StateHead` as ``head``.
    arrays
        C-contiguous arrays of float32, float16, int64 or uint8, by their names.

    Raises
    ------
    OutputError
        If the file cannot be written. The previous one is then intact.
    """
    text = json.dumps({"format": STATE_FORMAT, **facts})
    checksums = {
        name: zlib.crc32(a.data.cast("B") if a.size else b"") for name, a in arrays.items()
    }
    checksums[_FACTS] = zlib.crc32(text.encode())
    with open_atomic(path) as file:
        write_tensors(file, arrays, {_FACTS: text, _CHECKSUMS: json.dumps(checksums)})


def _parsed(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ModelFileError("its description is damaged")
    return content


def _points(points: Any) -> tuple[tuple[int, float], ...]:  # noqa: ANN401  from JSON
    return tuple((int(step), float(value)) for step, value in points)
