"""The kinds of operations that our networks consist of, and what each needs of its input.

One function for each kind, from the arguments of a call to a `Recipe`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from unet_napari.inference.planning.calls import Call
from unet_napari.inference.streaming.convolution import Convolution
from unet_napari.inference.streaming.rows import RowRule, Spread, WindowRule

__all__ = ["ROWS", "NotStreamableError", "Operation", "Recipe", "joined", "recipe"]

ROWS = 2  # the first spatial axis of (N, C, *S)

# A function that makes a result of inputs. If it is given a tensor besides, it may write the result
# there, which saves a copy; the caller looks where the result is.
Operation = Callable[[Sequence[Tensor], Tensor | None], Tensor]
Arguments = Mapping[str, Any]


class NotStreamableError(Exception):
    """The network holds an operation that needs more than a few neighbouring rows."""


@dataclass(frozen=True)
class Recipe:
    """How one call is computed on rows.

    Attributes
    ----------
    inputs : list of Call
        Calls whose results it takes, weights not included.
    rows : RowRule
        Rule for the rows that it takes of these results.
    operation : callable
        Makes result rows of input rows.
    fill : float
        What stands beyond the first and the last row of the input.
    """

    inputs: list[Call]
    rows: RowRule
    operation: Operation
    fill: float = 0.0

    @property
    def pointwise(self) -> bool:
        """Whether it works pixel by pixel on a single input."""
        return len(self.inputs) == 1 and self.rows == WindowRule()


def recipe(call: Call) -> Recipe:
    """Return how a call is computed on rows.

    Raises
    ------
    NotStreamableError
        If it cannot be computed row by row.
    """
    if call.name not in _RECIPES:
        raise NotStreamableError(f"{call.name} is not computed row by row")
    return _RECIPES[call.name](call.arguments)


def joined(operations: Sequence[Operation], following: Operation) -> tuple[Operation, ...]:
    """Return operations with one more behind them; a ReLU becomes part of its convolution."""
    *before, last = operations
    if isinstance(last, Convolution) and following is _relu:
        return (*before, replace(last, relu=True))
    return (*operations, following)


def _convolution(a: Arguments) -> Recipe:
    weight, bias = a["weight"], a["bias"]
    kernel, stride, padding = weight.shape[ROWS], a["stride"][0], a["padding"]
    rows: RowRule
    if a["transposed"]:
        if kernel != stride or padding[0] or a["output_padding"][0] or a["dilation"][0] != 1:
            raise NotStreamableError("a transposed convolution whose windows overlap")
        rows = Spread(stride)
    else:
        rows = WindowRule(a["dilation"][0] * (kernel - 1) + 1, stride, padding[0])
    padding = [0, *padding[1:]]  # rows beyond the image are added by the caller
    settings = (a["stride"], padding, a["dilation"], a["transposed"], a["output_padding"])
    return Recipe([a["input"]], rows, Convolution(weight, bias, *settings, a["groups"]))


def _max_pool(a: Arguments) -> Recipe:
    kernel = a["kernel_size"]
    stride = a["stride"] or kernel
    padding, dilation = _per_axis(a["padding"], kernel), _per_axis(a["dilation"], kernel)
    if a["ceil_mode"]:
        raise NotStreamableError("a pooling that rounds up")
    pool = {2: functional.max_pool2d, 3: functional.max_pool3d}[len(kernel)]

    def compute(inputs: Sequence[Tensor], _: Tensor | None) -> Tensor:
        return pool(inputs[0], kernel, stride, [0, *padding[1:]], dilation)

    rows = WindowRule(dilation[0] * (kernel[0] - 1) + 1, stride[0], padding[0])
    return Recipe([a["self"]], rows, compute, fill=-torch.inf)


def _average_pool(a: Arguments) -> Recipe:
    kernel = a["kernel_size"]
    plain = (a["stride"] or kernel) == kernel and not any(_per_axis(a["padding"], kernel))
    if not plain or a["ceil_mode"]:
        raise NotStreamableError("a pooling whose windows do not lie side by side")
    pool = {2: functional.avg_pool2d, 3: functional.avg_pool3d}[len(kernel)]

    def compute(inputs: Sequence[Tensor], _: Tensor | None) -> Tensor:
        return pool(inputs[0], kernel)

    return Recipe([a["self"]], WindowRule(kernel[0], kernel[0]), compute)


def _interpolation(a: Arguments) -> Recipe:
    source = a["self"]
    before = source.shape[ROWS:]
    scale = [new / old for new, old in zip(a["output_size"], before, strict=True)]
    if a["align_corners"] or not scale[0].is_integer():
        raise NotStreamableError("an interpolation that is not to a finer grid")
    mode = {2: "bilinear", 3: "trilinear"}[len(scale)]

    def compute(inputs: Sequence[Tensor], _: Tensor | None) -> Tensor:
        return functional.interpolate(inputs[0], scale_factor=scale, mode=mode)

    return Recipe([source], Spread(int(scale[0]), context=1), compute)


def _slice(a: Arguments) -> Recipe:
    axis, start = a["dim"], a["start"] or 0
    size = a["self"].shape[axis]
    length = min(a["end"], size) - start
    if axis < ROWS or start < 0 or length < 0 or a["step"] != 1:
        raise NotStreamableError("a cut that is not along a spatial axis")

    def compute(inputs: Sequence[Tensor], _: Tensor | None) -> Tensor:
        return inputs[0] if axis == ROWS else inputs[0].narrow(axis, start, length)

    return Recipe([a["self"]], WindowRule(padding=-start if axis == ROWS else 0), compute)


def _cat(a: Arguments) -> Recipe:
    if a["dim"] != 1:
        raise NotStreamableError("a concatenation that is not of channels")

    def compute(inputs: Sequence[Tensor], out: Tensor | None) -> Tensor:
        return torch.cat(list(inputs), 1) if out is None else torch.cat(list(inputs), 1, out=out)

    return Recipe(list(a["tensors"]), WindowRule(), compute)


def _arithmetic(name: str) -> Callable[[Arguments], Recipe]:
    """Return the kind of an operation between two tensors."""
    call = getattr(torch.ops.aten, name)

    def kind(a: Arguments) -> Recipe:
        sources = [a["self"], a["other"]]
        if not all(isinstance(source, Call) for source in sources):
            raise NotStreamableError(f"{name} with a number")
        if len({source.shape[ROWS] for source in sources}) > 1:
            raise NotStreamableError(f"{name} of one row with many")
        rest = {key: value for key, value in a.items() if key not in ("self", "other")}

        def compute(inputs: Sequence[Tensor], out: Tensor | None) -> Tensor:
            result: Tensor = call(*inputs, **rest, **_into(out))
            return result

        return Recipe(sources, WindowRule(), compute)

    return kind


def _function(name: str) -> Callable[[Arguments], Recipe]:
    """Return the kind of a function of single pixels."""
    call = getattr(torch.ops.aten, name)

    def kind(a: Arguments) -> Recipe:
        (first, source), *rest = a.items()
        del first
        options = dict(rest)

        def compute(inputs: Sequence[Tensor], out: Tensor | None) -> Tensor:
            result: Tensor = call(inputs[0], **options, **_into(out))
            return result

        return Recipe([source], WindowRule(), compute)

    return kind


def _relu(inputs: Sequence[Tensor], out: Tensor | None) -> Tensor:
    # torch.relu would make a tensor besides `out`.
    return torch.clamp_min(inputs[0], 0, **_into(out))


def _into(out: Tensor | None) -> dict[str, Tensor]:
    return {} if out is None else {"out": out}


def _per_axis(value: int | Sequence[int], like: Sequence[int]) -> list[int]:
    return [value] * len(like) if isinstance(value, int) else list(value)


_RECIPES: dict[str, Callable[[Arguments], Recipe]] = {
    "convolution": _convolution,
    "max_pool2d_with_indices": _max_pool,
    "max_pool3d_with_indices": _max_pool,
    "avg_pool2d": _average_pool,
    "avg_pool3d": _average_pool,
    "upsample_bilinear2d": _interpolation,
    "upsample_trilinear3d": _interpolation,
    "slice": _slice,
    "cat": _cat,
    **{name: _arithmetic(name) for name in ("add", "mul")},
    "relu": lambda a: Recipe([a["self"]], WindowRule(), _relu),
    **{name: _function(name) for name in ("leaky_relu", "elu", "gelu", "silu", "sigmoid")},
}
