"""Streaming evaluation: an image pulled through the network strip by strip.

Every node keeps just the rows that the nodes after it still need: a convolution one row on
either side, a pooling the rows of a window, a skip connection as many as its decoder is
behind. Nothing is computed twice, no halo is needed, rows beyond the image are added at its true
border only, and memory does not grow with the number of rows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from unet_napari.inference.planning.cost import LiveTensors
from unet_napari.inference.streaming.operations import ROWS
from unet_napari.inference.streaming.row_buffer import RowBuffer
from unet_napari.inference.streaming.rows import Spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from unet_napari.inference.streaming.graph import Node

__all__ = ["Stream", "choose_strip", "find_room", "rehearse_stream"]

# Bytes of the largest result that one strip makes. In thinner strips the deepest layers of wide
# images get a row or two at a time and read all their weights for them; thicker ones only take
# memory.
_STRIP_BYTES = 2**26
# At least so many strips: a small image in one would take as much memory as without a stream.
_FEWEST_STRIPS = 4
# Rows that a node has room for beyond those it needs: a quarter of these, but at least those of two
# strips. The rows that are kept are moved to the front when the room is used up, so room for more
# strips means fewer moves; thin strips are there to save memory, and get no more.
_SPARE_SHARE, _SPARE_STRIPS = 4, 2


class Stream:
    """One pass of one image through a network; ``README.md`` in this folder shows how it goes.

    Parameters
    ----------
    steps : sequence of Node
        Nodes of the network, from `trace`.
    strip : int
        Rows of the image that are taken at a time.
    room : sequence of int, optional
        Number of rows of each node for which there is memory from the beginning; it grows where
        that does not suffice.
    images : int
        Number of images: 1, or 0 for a rehearsal, in which rows of nothing are moved.
    dtype : torch.dtype
        Type of the network's weights, in which all rows are kept.
    """

    def __init__(
        self,
        steps: Sequence[Node],
        strip: int,
        room: Sequence[int] = (),
        images: int = 1,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._steps, self._dtype = steps, dtype
        rooms = room or [0] * len(steps)
        self._kept = [
            RowBuffer((images, *step.shape[1:]), rows, dtype)
            for step, rows in zip(steps, rooms, strict=True)
        ]
        self._at_once = [_at_once(step, strip, steps[0].size) for step in steps]
        self._users: list[list[int]] = [[] for _ in steps]
        for position, step in enumerate(steps):
            for source in step.inputs:
                self._users[source].append(position)

    def run(self, strips: Iterable[Tensor]) -> Iterator[tuple[int, Tensor]]:
        """Pull an image through the network.

        Parameters
        ----------
        strips : iterable of Tensor
            The rows of the image, in order, (1, C, rows, ...).

        Yields
        ------
        start : int
            The first of the rows of the result that have become known.
        rows : Tensor
            The finished rows, (1, K, rows, ...), perhaps none. They are valid until the next step.
        """
        for strip in strips:
            yield self._push(strip)
        while self._kept[-1].stop < self._steps[-1].size:
            yield self._push(None)

    def state(self) -> dict[str, Tensor]:
        """Return the rows that are kept, by which `restore` makes a new stream go on here.

        They are views, valid until the next step, of shape (rows, ..., C) as they lie in memory;
        those of bf16, which NumPy does not know, look like integers.
        """
        rows = {
            str(n): _lying(kept.read(kept.start, kept.stop)) for n, kept in enumerate(self._kept)
        }
        if self._dtype is torch.bfloat16:
            rows = {n: kept.view(torch.int16) for n, kept in rows.items()}
        return {"starts": torch.tensor([kept.start for kept in self._kept]), **rows}

    @torch.inference_mode()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on where another stream through the same nodes was.

        It is called on a new stream, before `run`.
        """
        starts = state["starts"].tolist()
        for number, kept in enumerate(self._kept):
            rows = state[str(number)]
            kept.start = kept.stop = starts[number]
            same = rows.view(self._dtype) if rows.dtype is torch.int16 else rows
            _lying(kept.append(len(rows))).copy_(same)

    @property
    def room(self) -> list[int]:
        """How many rows of each node there is memory for."""
        return [kept.room for kept in self._kept]

    @property
    def taken(self) -> int:
        """How many rows of the image have been taken."""
        return self._kept[0].stop

    @torch.inference_mode()
    def _push(self, strip: Tensor | None) -> tuple[int, Tensor]:
        image, result = self._kept[0], self._kept[-1]
        result.drop(result.stop)  # what was returned last time has been used by now
        if strip is not None:
            image.append(strip.shape[ROWS]).copy_(strip)
        # The nodes are in an order in which each takes results of earlier ones only, so one pass
        # carries the new rows as far down as they reach.
        for position in range(1, len(self._steps)):
            self._advance(position)
        return result.start, result.read(result.start, result.stop).float()

    def _advance(self, position: int) -> None:
        """Compute the rows of one node that have become possible, as many as a strip makes.

        Without that limit, all the rows that wait for the end of the image would be made at once
        when its last strip comes, and would take as much memory as many strips.
        """
        step, kept = self._steps[position], self._kept[position]
        stop = min(self._ready(step, source) for source in step.inputs)
        stop = min(stop, kept.stop + self._at_once[position])
        if stop <= kept.stop:
            return
        # Rows from `first` to `last` are needed, which may lie beyond the image; rows from `start`
        # to `end` are there.
        first, last = step.rows.needs(kept.stop, stop)
        size = self._steps[step.inputs[0]].size
        start, end = max(first, 0), min(last, size)
        inputs = [self._kept[source].read(start, end) for source in step.inputs]
        skip = 0
        if isinstance(step.rows, Spread):
            # All rows that follow from the rows `start` to `end` are made, and those that are there
            # already are left out. At the border of the image torch continues it by itself.
            skip = kept.stop - start * step.rows.scale
        else:
            # Only at the border of the image are there rows to add; between strips all are there.
            inputs = [_extend(rows, start - first, last - end, step.fill) for rows in inputs]
        step.run(inputs, kept.append(stop - kept.stop), skip)
        # Dropped at once, so that a node further down needs no more room than its own window.
        for source in step.inputs:
            self._kept[source].drop(self._still_needed(source))

    def _ready(self, step: Node, source: int) -> int:
        # When all rows of the input are there, the last rows of the result are possible, too: what
        # they lack lies beyond the image and is added.
        available = self._kept[source].stop
        return step.size if available == self._steps[source].size else step.rows.ready(available)

    def _still_needed(self, source: int) -> int:
        """Return the first row of a node that one of its users has yet to read."""
        needed = self._kept[source].stop
        for user in self._users[source]:
            step, done = self._steps[user], self._kept[user].stop
            if done < step.size:
                needed = min(needed, step.rows.needs(done, step.size)[0])
        return max(needed, self._kept[source].start)


def _lying(rows: Tensor) -> Tensor:
    """Return rows (1, C, rows, ...) as they lie in memory, (rows, ..., C)."""
    return rows[0].movedim(0, -1)


def _at_once(step: Node, strip: int, size: int) -> int:
    """Return the most rows of a node that one strip of an image of `size` rows makes."""
    rows = math.ceil(strip * step.size / size)
    scale = step.rows.scale if isinstance(step.rows, Spread) else 1
    return math.ceil(rows / scale) * scale


def _extend(rows: Tensor, above: int, below: int, fill: float) -> Tensor:
    """Add rows beyond the border of the image."""
    if not above and not below:
        return rows
    others = [0, 0] * (rows.ndim - ROWS - 1)
    return functional.pad(rows, [*others, above, below], value=fill)


def choose_strip(steps: Sequence[Node], memory: int) -> int:
    """Return how many rows to take at a time.

    Parameters
    ----------
    steps : sequence of Node
        Nodes of the network.
    memory : int
        Bytes that the whole stream may use.
    """
    image = steps[0].size
    per_row = max(math.prod(step.shape) for step in steps) * torch.float32.itemsize / image
    thickest = min(_STRIP_BYTES, memory / 16) / per_row
    return max(1, int(min(image / _FEWEST_STRIPS, thickest)))


def find_room(steps: Sequence[Node], strip: int, dtype: torch.dtype = torch.float32) -> list[int]:
    """Return how many rows of each node to have room for: the most there are, and some more.

    A node that keeps many rows for few new ones then moves them once for several strips.

    Parameters
    ----------
    steps, strip, dtype
        See `Stream`.
    """
    rehearsal = Stream(steps, strip, images=0, dtype=dtype)
    _pull(rehearsal, steps, strip)
    room = []
    for rows, step in zip(rehearsal.room, steps, strict=True):
        new = _at_once(step, strip, steps[0].size)
        more = min(max(rows // _SPARE_SHARE, _SPARE_STRIPS * new), rows - new)
        room.append(min(rows + max(more, 0), step.size))
    return room


def rehearse_stream(steps: Sequence[Node], strip: int) -> int:
    """Return the most bytes that a stream uses at once, without computing anything.

    Parameters
    ----------
    steps : sequence of Node
        Nodes of the network.
    strip : int
        Rows to take at a time.
    """
    room = find_room(steps, strip)
    with LiveTensors() as live:
        _pull(Stream(steps, strip, room, images=0), steps, strip)
    peak: int = live.peak
    return peak


def _pull(rehearsal: Stream, steps: Sequence[Node], strip: int) -> None:
    """Pull strips through a rehearsal until its memory has stopped growing."""
    shape = steps[0].shape
    rows = [min(strip, steps[0].size - first) for first in range(0, steps[0].size, strip)]
    known = 0
    for start, result in rehearsal.run(torch.empty((0, shape[1], n, *shape[3:])) for n in rows):
        known += start > 0 and result.shape[ROWS] > 0
        if known == 4:
            return
