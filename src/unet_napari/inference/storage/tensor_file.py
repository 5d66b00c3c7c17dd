"""Tensors of a safetensors file, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import safetensors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

__all__ = ["SavedTensors"]


class SavedTensors(Mapping[str, "Tensor"]):
    """The tensors of a file that `unet_napari.system.tensors.write_tensors` has written."""

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
