"""The weights of a model file, compared with the network before they are allocated."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch
import torch

from unet_napari.errors import ModelFileError
from unet_napari.model_file import WEIGHTS

if TYPE_CHECKING:
    from torch import Tensor

    from unet_napari.model_file import Container
    from unet_napari.networks import Network

__all__ = ["encode_weights", "load_weights"]

_HEADER = 1 << 20  # largest safetensors header in bytes: some 10,000 tensors
_DTYPES = {torch.float32: ("F32", 4), torch.int64: ("I64", 8)}
_LISTED = 6  # how many tensors of each kind an error message names


def encode_weights(network: Network) -> bytes:
    """Return the network's weights in the safetensors format."""
    state = network.state_dict()
    return safetensors.torch.save({key: _plain(tensor) for key, tensor in state.items()})


def load_weights(container: Container, network: Network) -> None:
    """Give a network, built on the meta device, the weights of an open model file.

    Raises
    ------
    ModelFileError
        If a tensor is missing, in excess, of another shape or type, or not finite.
    """
    expected = network.state_dict()
    _check_table(container, expected)
    try:
        state = safetensors.torch.load(container.read(WEIGHTS))
    except safetensors.SafetensorError as error:
        raise ModelFileError(f"its weights are damaged ({error})") from error
    broken = [key for key, value in state.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise ModelFileError(f"it has weights that are not finite: {_names(broken)}")
    network.load_state_dict(state, assign=True)


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous()


def _check_table(container: Container, expected: dict[str, Tensor]) -> None:
    """Compare names, shapes, types and total size of the tensors with the expected ones."""
    size = container.size(WEIGHTS)
    header_size = int.from_bytes(container.head(WEIGHTS, 8), "little")
    if not 2 <= header_size <= min(_HEADER, size - 8):
        raise ModelFileError(f"the header of its weights is said to have {header_size:,} bytes")
    table = _parse_header(container.head(WEIGHTS, 8 + header_size)[8:])
    problems = {
        "missing": [key for key in expected if key not in table],
        "unknown": [key for key in table if key not in expected],
        "of another shape or type": [
            f"{key} {table[key][1]} instead of {_describe(value)[1]}"
            for key, value in expected.items()
            if key in table and table[key] != _describe(value)
        ],
    }
    found = [f"{kind}: {_names(keys)}" for kind, keys in problems.items() if keys]
    if found:
        raise ModelFileError(f"its weights do not fit its network ({'; '.join(found)})")
    total = sum(_DTYPES[value.dtype][1] * math.prod(value.shape) for value in expected.values())
    if total != size - 8 - header_size:
        raise ModelFileError("its weights have another size than its network")


def _parse_header(text: bytes) -> dict[str, tuple[str, list[int]]]:
    """Return type and shape by name of tensor."""
    try:
        header: Any = json.loads(text)
        header.pop("__metadata__", None)
        return {str(key): (entry["dtype"], entry["shape"]) for key, entry in header.items()}
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError) as error:
        raise ModelFileError("the header of its weights is damaged") from error


def _describe(tensor: Tensor) -> tuple[str, list[int]]:
    return _DTYPES[tensor.dtype][0], list(tensor.shape)


def _names(keys: list[str]) -> str:
    more = f" and {len(keys) - _LISTED:,} more" if len(keys) > _LISTED else ""
    return ", ".join(key[:120] for key in keys[:_LISTED]) + more
