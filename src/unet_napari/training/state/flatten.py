"""Nested values with arrays in them, as JSON and arrays by name, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from unet_napari.errors import OutputError
from unet_napari.system.tensors import TENSOR_DTYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["flatten", "unflatten"]

_ARRAY = "$array"  # the key of what stands for an array


def flatten(value: Any, name: str, arrays: dict[str, NDArray[Any]]) -> Any:  # noqa: ANN401
    """Return a value as JSON has it; tensors go into `arrays`, named by where they are.

    Parameters
    ----------
    value
        Mappings with text as keys, sequences, tensors, and what JSON has.
    name
        What the names of the arrays begin with.
    arrays
        Receives the arrays.
    """
    if isinstance(value, Tensor):
        array = np.ascontiguousarray(value.detach().to("cpu", copy=True).contiguous().numpy())
        if array.dtype not in TENSOR_DTYPES:
            raise OutputError(f"The training cannot be kept: {name} is {array.dtype}.")
        arrays[name] = array
        return {_ARRAY: name}
    if isinstance(value, Mapping):
        return {key: flatten(item, f"{name}.{key}", arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [flatten(item, f"{name}.{number}", arrays) for number, item in enumerate(value)]
    return value


def unflatten(value: Any, read: Callable[[str], NDArray[Any]]) -> Any:  # noqa: ANN401
    """Return what `flatten` was given, with lists for all sequences."""
    if isinstance(value, Mapping):
        if value.keys() == {_ARRAY}:
            return torch.from_numpy(np.array(read(str(value[_ARRAY]))))
        return {key: unflatten(item, read) for key, item in value.items()}
    if isinstance(value, list):
        return [unflatten(item, read) for item in value]
    return value
