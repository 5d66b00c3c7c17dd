"""The weights of a model file, compared with the network before they are allocated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from unet_napari.errors import ModelFileError, OutputError

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.model.file import ModelFile, TensorEntry
    from unet_napari.networks import Network

__all__ = ["load_weights", "network_weights"]

# How a tensor may be stored, by its type in the network.
_STORED_TYPES = {torch.float32: ("F32", "F16"), torch.int64: ("I64",)}
_LISTED_TENSORS = 6  # how many tensors of each kind an error message names


def network_weights(network: Network, *, half: bool = False) -> dict[str, NDArray[Any]]:
    """Return the network's weights by their names, as `write_model_file` takes them.

    Parameters
    ----------
    network
        The network, which is left as it is.
    half
        Store the weights of convolutions in float16. Biases and norms stay float32: they are
        few, and the variance of a dark channel is smaller than any float16.

    Raises
    ------
    OutputError
        If a weight is too large for float16.
    """
    encode = _half if half else _plain
    state = network.state_dict()
    return {key: encode(key, tensor).numpy() for key, tensor in state.items()}


def load_weights(file: ModelFile, network: Network) -> None:
    """Give a network, built on the meta device, the weights of an open model file.

    Raises
    ------
    ModelFileError
        If a tensor is missing, in excess, of another shape or type, or not finite.
    """
    expected = network.state_dict()
    _check_table(file.table(), expected)
    state = {key: torch.from_numpy(array) for key, array in file.weights().items()}
    broken = [key for key, value in state.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise ModelFileError(f"it has weights that are not finite: {_names(broken)}")
    full = {key: value.to(expected[key].dtype) for key, value in state.items()}
    network.load_state_dict(full, assign=True)


def _plain(_: str, tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous()


def _half(key: str, tensor: Tensor) -> Tensor:
    plain = _plain(key, tensor)
    if plain.dtype != torch.float32 or plain.ndim < 2:
        return plain
    limit, largest = torch.finfo(torch.float16).max, float(plain.abs().max())
    if largest > limit:
        raise OutputError(
            f"The weights {key!r} reach {largest:.3g}, and half precision only {limit:.0f}: save "
            "the model in full precision."
        )
    return plain.half()


def _check_table(table: dict[str, TensorEntry], expected: dict[str, Tensor]) -> None:
    """Compare names, shapes and types of the tensors with the expected ones."""
    problems = {
        "missing": [key for key in expected if key not in table],
        "unknown": [key for key in table if key not in expected],
        "of another shape or type": [
            f"{key} {table[key]} instead of {_STORED_TYPES[value.dtype][0]} {list(value.shape)}"
            for key, value in expected.items()
            if key in table and not _fits(table[key], value)
        ],
    }
    found = [f"{kind}: {_names(keys)}" for kind, keys in problems.items() if keys]
    if found:
        raise ModelFileError(f"its weights do not fit its network ({'; '.join(found)})")


def _fits(entry: TensorEntry, tensor: Tensor) -> bool:
    return entry.dtype in _STORED_TYPES[tensor.dtype] and entry.shape == tuple(tensor.shape)


def _names(keys: list[str]) -> str:
    more = f" and {len(keys) - _LISTED_TENSORS:,} more" if len(keys) > _LISTED_TENSORS else ""
    return ", ".join(key[:120] for key in keys[:_LISTED_TENSORS]) + more
