"""A network as a list of nodes that compute rows, derived from the network itself.

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
        Numbers of the nodes whose rows it takes; 0 is the image.
    rows : RowRule
        Rule for the rows that it takes of them.
    shape : tuple of int
        Shape (1, C, *S) of the whole result.
    operations : tuple of callable
        What is done, one after the other; only the first may have several inputs.
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
    """Return the nodes of a network for an input of this shape, the image itself first.

    Parameters
    ----------
    network : Module
        Network in eval mode, its batch norm folded. The nodes use its weights.
    shape : tuple of int
        Shape (1, C, *S) of the input, of a size that fits the layers.

    Raises
    ------
    NotStreamableError
        If it cannot be computed row by row.
    """
    image, calls, result = record(network, shape)
    steps = [Node((), WindowRule(), shape, ())]
    where = {image: 0}  # number of the node that computes what a call returns
    for call in calls:
        found = recipe(call)
        source = found.inputs[0]
        # A call that works pixel by pixel is joined to the node before it, which saves a buffer
        # and a pass through the memory. That is right only where nobody else takes the rows in
        # between. To a `Spread` nothing is joined: it makes more rows than are wanted, see `skip`.
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
