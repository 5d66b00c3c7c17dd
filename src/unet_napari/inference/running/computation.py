"""The network over the pieces of a plan: what is computed, piece after piece."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from unet_napari.inference.backends.backend import TorchBackend
from unet_napari.inference.running.pipeline import read_ahead

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.inference.backends.backend import Backend
    from unet_napari.inference.planning.plan import Plan
    from unet_napari.inference.planning.tiles import Tile
    from unet_napari.inference.running.reading import Reader
    from unet_napari.inference.storage.unfinished import Position
    from unet_napari.inference.streaming.stream import Stream
    from unet_napari.model.model import Model

    Floats = NDArray[np.float32]
    Output = tuple[Sequence[Tile], int, int, Floats]

__all__ = ["Computation", "work_of_a_tile"]


def work_of_a_tile(plan: Plan) -> int:
    """Return the rows in and out of the network for one tile of a plan, all variants together."""
    rows = (variant.shape(plan.tile)[0] for variant in plan.variants)
    return sum(2 * (size - plan.grid.margin[0]) for size in rows)


class Computation:
    """One image on its way through the network, as a plan says.

    Parameters
    ----------
    model : Model
        Its task makes probabilities of logits.
    plan : Plan
        What is computed in which pieces.
    backend : Backend
        Computes the network.
    """

    def __init__(self, model: Model, plan: Plan, backend: Backend) -> None:
        self._task, self._channels = model.task, model.channels
        self._plan, self._backend = plan, backend
        self._work = work_of_a_tile(plan)
        self._tiles = 0
        self._stream: Stream | None = None

    @property
    def progress(self) -> tuple[int, dict[str, Tensor]]:
        """Tiles that are done, and the rows that the stream down the next column keeps."""
        return self._tiles, {} if self._stream is None else self._stream.state()

    def outputs(self, reader: Reader, begin: Position) -> Generator[Output]:
        """Yield tiles, work done so far, first row of their maps, and rows of these (N, K, *S)."""
        plan, finished = self._plan, begin.tiles * self._work
        self._tiles, self._stream = begin.tiles, None
        if plan.strip is not None and len(plan.variants) == 1:
            limit = plan.cost.memory // 8
            kept = begin.stream
            for tile in plan.tiles[begin.tiles :]:
                self._stream = self._new_stream(plan.tile, plan.strip, kept)
                unread = reader.strips(tile, plan.strip, limit, self._stream.taken)
                with closing(read_ahead(unread)) as strips:
                    for done, start, maps in self._streamed(self._stream, strips):
                        yield [tile], finished + done, start, maps
                finished += self._work
                self._tiles, self._stream, kept = self._tiles + 1, None, {}
            return
        left = islice(plan.batches(), begin.tiles // plan.batch, None)
        source = ((tiles, reader.batch(tiles)) for tiles in left)
        with closing(read_ahead(source)) as batches:
            for tiles, batch in batches:
                for done, maps in self._averaged(batch):
                    if done == self._work:
                        self._tiles += len(tiles)
                    yield tiles, finished + done * len(tiles), 0, maps
                finished += self._work * len(tiles)

    def _averaged(self, batch: Floats) -> Iterator[tuple[int, Floats]]:
        """Yield work done on each tile, and the mean of the maps of all variants at the end."""
        plan, finished = self._plan, 0
        if len(plan.variants) == 1:
            for done, _, maps in self.maps_of(batch, plan.tile[0]):
                yield done, maps
            return
        margins = [2 * margin for margin in plan.grid.margin]
        sizes = (n - m for n, m in zip(batch.shape[2:], margins, strict=True))
        total = np.zeros((len(batch), self._task.out_channels, *sizes), np.float32)
        for variant in plan.variants:
            seen = variant.view(total)
            turned = variant.view(batch).copy()
            for done, start, maps in self.maps_of(turned, plan.rows_at_once(variant)):
                seen[:, :, start : start + maps.shape[2]] += maps
                if finished + done < self._work:
                    yield finished + done, total[:, :, :0]
            finished += done
        total /= len(plan.variants)
        yield finished, total

    def maps_of(self, batch: Floats, strip: int) -> Iterator[tuple[int, int, Floats]]:
        """Yield work done, first row, and rows of the maps of a batch (N, C, *S) in memory."""
        if self._plan.strip is None:
            maps = self._activated(self._backend.logits(batch))
            yield batch.shape[2] + maps.shape[2], 0, maps
            return
        strips = (batch[:, :, row : row + strip] for row in range(0, batch.shape[2], strip))
        yield from self._streamed(self._new_stream(batch.shape[2:], strip), strips)

    def _new_stream(
        self, shape: tuple[int, ...], strip: int, kept: Mapping[str, Tensor] | None = None
    ) -> Stream:
        assert isinstance(self._backend, TorchBackend)  # noqa: S101  others do not stream
        stream = self._backend.stream((1, self._channels, *shape), strip)
        if kept:
            stream.restore(kept)
        return stream

    def _streamed(
        self, stream: Stream, strips: Iterable[Floats]
    ) -> Iterator[tuple[int, int, Floats]]:
        """Yield work done, first row, and rows of the maps of an image in strips (1, C, *rows)."""
        before = 0
        for start, logits in stream.run(torch.from_numpy(rows) for rows in strips):
            done = stream.taken + start + logits.shape[2]
            # A deep network may only move rows between its layers.
            if done > before:
                yield done, start, self._activated(logits)
            before = done

    def _activated(self, logits: Tensor) -> Floats:
        maps: Floats = self._task.activate(logits).cpu().numpy()
        return maps
