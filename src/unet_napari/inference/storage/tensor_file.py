"""Tensors into a file in the safetensors format, one after the other, without a copy of them.

The library of that format gathers all of them in memory first, which for the rows of a stream is as
much again as the stream itself takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import safetensors
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from torch import Tensor

__all__ = ["SavedTensors", "write_tensors"]

_DTYPES = {torch.float32: "F32", torch.int64: "I64"}


def write_tensors(
    file: BinaryIO, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> None:
    """Write contiguous tensors, to be read with `SavedTensors`.

    Parameters
    ----------
    file
        Opened for writing bytes.
    tensors
        float32 or int64, contiguous, on the CPU.
    metadata
        What else the file is to say.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    start = 0
    for name, tensor in tensors.items():
        stop = start + tensor.nbytes
        header[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, stop],
        }
        start = stop
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that the tensors are aligned
    file.write(len(text).to_bytes(8, "little") + text)
    for tensor in tensors.values():
        if tensor.numel():  # an empty one cannot be viewed as bytes
            file.write(tensor.numpy().data.cast("B"))


class SavedTensors(Mapping[str, "Tensor"]):
    """The tensors of a file, each read when it is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with safetensors.safe_open(path, "pt") as file:
            self._names = list(file.keys())

    def __getitem__(self, name: str) -> Tensor:
        with safetensors.safe_open(self._path, "pt") as file:
            tensor: Tensor = file.get_tensor(name)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
