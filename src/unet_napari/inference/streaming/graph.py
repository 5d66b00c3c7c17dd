"""A network as a list of steps on rows, derived from the network itself.

The network's calls are recorded (`unet_napari.inference.planning.calls`), its batch norm folded.
What is left are a dozen kinds of operations (`unet_napari.inference.streaming.operations`).
Anything else, such as a norm over the whole image, is a `NotStreamableError`, and the caller
takes tiles instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from unet_napari.inference.planning.calls import record
from unet_napari.inference.streaming.operations import (
    ROWS,
    NotStreamableError,
    Operation,
    joined,
    recipe,
)
from unet_napari.inference.streaming.rows import RowRule, Spread, WindowRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

__all__ = ["Node", "trace"]


@dataclass(frozen=True)
class Node:
    """One operation on rows, and those that follow it pixel by pixel.

    Attributes
    ----------
    inputs : tuple of int
        The steps whose rows it takes; 0 is the image.
    rows : Rows
        Which of their rows.
    shape : tuple of int
        Of the whole result, (1, C, *S).
    operations : tuple of callable
        One after the other; only the first may have several inputs.
    fill : float
        What stands beyond the first and the last row of the input.
    """

    inputs: tuple[int, ...]
    rows: RowRule
    shape: tuple[int, ...]
    operations: tuple[Operation, ...]
    fill: float = 0.0

    @property
    def size(self) -> int:
        """Number of rows of the whole result."""
        return self.shape[ROWS]

    def run(self, inputs: Sequence[Tensor], out: Tensor, skip: int) -> None:
        """Write result rows, but for the first `skip`, into `out`."""
        *before, last = self.operations
        for operation in before:
            inputs = [operation(inputs, None)]
        writes = inputs[0].shape[ROWS] == out.shape[ROWS]
        result = last(inputs, out if writes else None)
        if result is not out:
            out.copy_(result.narrow(ROWS, skip, out.shape[ROWS]))


def trace(network: nn.Module, shape: tuple[int, ...]) -> list[Node]:
    """Return the steps of a network for an input of this shape, the image itself first.

    Parameters
    ----------
    network : Module
        In eval mode, batch norm folded. The steps use its weights.
    shape : tuple of int
        Of the input, (1, C, *S), of a size that fits the layers.

    Raises
    ------
    NotStreamableError
        If it cannot be computed row by row.
    """
    image, calls, result = record(network, shape)
    steps = [Node((), WindowRule(), shape, ())]
    where = {image: 0}  # the step that computes what a call returns
    for call in calls:
        found = recipe(call)
        source = found.inputs[0]
        joins = (
            found.pointwise
            and source.users == 1
            and where[source] != 0
            and not isinstance(steps[where[source]].rows, Spread)
        )
        if joins:
            step = steps[where[source]]
            where[call] = where[source]
            operations = joined(step.operations, found.operation)
            steps[where[call]] = replace(step, shape=call.shape, operations=operations)
        else:
            where[call] = len(steps)
            inputs = tuple(where[each] for each in found.inputs)
            steps.append(Node(inputs, found.rows, call.shape, (found.operation,), found.fill))
    if result is None or where[result] != len(steps) - 1:
        raise NotStreamableError("the result is not what is computed last")
    return steps
