"""The operations that a network calls, recorded while it runs on tensors without data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Call", "record"]


@dataclass(eq=False)
class Call:
    """A call of an ATen operation, standing for the tensor that it returns.

    Attributes
    ----------
    name : str
        Of the operation, without namespace, overload and the ``_`` of those that work in place.
    arguments : dict
        By name, defaults included. Weights are tensors, what is computed of the image is the
        `Call` that returns it.
    shape : tuple of int
        Of the tensor; of the first one where there are several.
    users : int
        How often other calls take it.
    """

    name: str
    arguments: dict[str, Any]
    shape: tuple[int, ...]
    users: int = field(default=0, init=False)


def record(network: nn.Module, shape: tuple[int, ...]) -> tuple[Call, list[Call], Call | None]:
    """Return the calls of a network for an input of a shape.

    Parameters
    ----------
    network : Module
        In eval mode. It is not run on data.
    shape : tuple of int
        Of the input, (1, C, *S), of a size that fits the layers.

    Returns
    -------
    image : Call
        Standing for the input; called "image".
    calls : list of Call
        In the order in which they are made.
    result : Call or None
        The one of them that returns the network's output; None if it is no single tensor.
    """
    weights = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    # In inference mode torch would take interpolation apart.
    with torch.inference_mode(mode=False), torch.no_grad():
        state = {name: tensor.to("meta") for name, tensor in weights.items()}
        x = torch.empty(shape, device="meta")
        image = Call("image", {}, shape)
        pairs = [(tensor, weights[name]) for name, tensor in state.items()]
        with _Recorder((x, image), *pairs) as recorder:
            output = functional_call(network, state, (x,))
    return image, recorder.calls, recorder.result(output)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, *known: tuple[Tensor, Tensor | Call]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []
        # Tensors by identity. They are kept, so that no other one gets the same.
        self._known = {id(tensor): (tensor, meaning) for tensor, meaning in known}

    def result(self, output: object) -> Call | None:
        found = self._known.get(id(output), (None, None))[1]
        return found if isinstance(found, Call) else None

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401  torch's own signature
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        arguments = {
            each.name: args[position]
            if position < len(args)
            else (kwargs or {}).get(each.name, each.default_value)
            for position, each in enumerate(func._schema.arguments)
        }
        arguments = tree_map_only(Tensor, self._meaning, arguments)
        result = func(*args, **(kwargs or {}))
        first = result[0] if isinstance(result, tuple | list) else result
        name = func._schema.name.partition("::")[2].removesuffix("_")
        call = Call(name, arguments, tuple(first.shape))
        self.calls.append(call)
        self._known[id(first)] = first, call
        return result

    def _meaning(self, tensor: Tensor) -> Tensor | Call:
        meaning = self._known.get(id(tensor), (tensor, tensor))[1]
        if isinstance(meaning, Call):
            meaning.users += 1
        return meaning
