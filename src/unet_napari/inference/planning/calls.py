"""The operations that a network calls, recorded while it runs on an empty batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from unet_napari.inference.planning.rehearsal import Observer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

__all__ = ["Call", "record"]


@dataclass(eq=False)
class Call:
    """A call of an ATen operation, standing for the tensor that it returns.

    Attributes
    ----------
    name : str
        Name of the operation, without namespace, overload and the ``_`` of those that work in
        place.
    arguments : dict
        Arguments by name, defaults included. Weights are tensors; what is computed of the image
        is the `Call` that returns it.
    shape : tuple of int
        Shape of the tensor for a single image; where there are several tensors, of the first.
    users : int
        Number of times that other calls take it.
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
        Network in eval mode, on the CPU. It is run on a batch of no images.
    shape : tuple of int
        Shape (1, C, *S) of the input, of a size that fits the layers.

    Returns
    -------
    image : Call
        Call that stands for the input; its name is "image".
    calls : list of Call
        Calls in the order in which they are made.
    result : Call or None
        The one of them that returns the network's output; None if it is no single tensor.
    """
    image = Call("image", {}, shape)
    # In inference mode torch would take interpolation apart.
    with torch.inference_mode(mode=False), torch.no_grad():
        x = torch.empty((0, *shape[1:]), dtype=next(network.parameters()).dtype)
        with _Recorder(x, image) as recorder:
            output = network(x)
    return image, recorder.calls, recorder.result(output)


class _Recorder(Observer):
    def __init__(self, x: Tensor, image: Call) -> None:
        super().__init__()
        self.calls: list[Call] = []
        # Tensors by identity. They are kept, so that no other one gets the same.
        self._known = {id(x): (x, image)}

    def result(self, output: object) -> Call | None:
        return self._known[id(output)][1] if id(output) in self._known else None

    def observe(
        self,
        operation: Any,  # noqa: ANN401
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,  # noqa: ANN401
    ) -> None:
        schema = operation._schema
        arguments = {
            each.name: args[position]
            if position < len(args)
            else kwargs.get(each.name, each.default_value)
            for position, each in enumerate(schema.arguments)
        }
        first = result[0] if isinstance(result, tuple | list) else result
        name = schema.name.partition("::")[2].removesuffix("_")
        arguments = tree_map_only(Tensor, self._meaning, arguments)
        call = Call(name, arguments, (1, *first.shape[1:]))
        self.calls.append(call)
        self._known[id(first)] = first, call

    def _meaning(self, tensor: Tensor) -> Tensor | Call:
        if id(tensor) not in self._known:
            return tensor
        call = self._known[id(tensor)][1]
        call.users += 1
        return call
