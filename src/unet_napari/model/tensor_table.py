"""The table of tensors at the start of a model file's weights, read without torch.

It is the header of the safetensors format: eight bytes with its length, then JSON that gives
type, shape and place of every tensor by name.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unet_napari.errors import ModelFileError
from unet_napari.model.container import WEIGHTS

if TYPE_CHECKING:
    from unet_napari.model.container import Container

__all__ = ["TensorEntry", "read_table"]

_HEADER = 1 << 20  # largest header in bytes: some 10,000 tensors
_BYTES = {"F16": 2, "F32": 4, "I64": 8}


@dataclass(frozen=True)
class TensorEntry:
    """What the table says of one tensor.

    Attributes
    ----------
    dtype
        ``F16``, ``F32`` or ``I64`` in our files; any text in a hostile one.
    shape
        Size of every axis.
    """

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype[:10]} {list(self.shape)}"

    @property
    def size(self) -> int:
        """Number of bytes, 0 for a type that our files do not have."""
        return _BYTES.get(self.dtype, 0) * math.prod(self.shape)


def read_table(container: Container) -> tuple[dict[str, TensorEntry], int]:
    """Return what the weights of an open model file claim to hold, and the bytes they have.

    Only the header is read, of bounded size; what it says is not believed by itself.

    Raises
    ------
    ModelFileError
        If the header is damaged or too large.
    """
    size = container.size(WEIGHTS)
    header_size = int.from_bytes(container.head(WEIGHTS, 8), "little")
    if not 2 <= header_size <= min(_HEADER, size - 8):
        raise ModelFileError(f"the header of its weights is said to have {header_size:,} bytes")
    table = _parse(container.head(WEIGHTS, 8 + header_size)[8:])
    return table, size - 8 - header_size


def _parse(text: bytes) -> dict[str, TensorEntry]:
    try:
        header: Any = json.loads(text)
        header.pop("__metadata__", None)
        return {str(key): _entry(**entry) for key, entry in header.items()}
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError) as error:
        raise ModelFileError("the header of its weights is damaged") from error


def _entry(dtype: str, shape: list[int], data_offsets: list[int]) -> TensorEntry:
    del data_offsets  # safetensors checks them when it loads
    if not isinstance(dtype, str) or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError
    return TensorEntry(dtype, tuple(shape))
