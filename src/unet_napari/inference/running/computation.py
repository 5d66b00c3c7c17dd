"""The network over the pieces of a plan: what is computed, piece after piece."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from unet_napari.inference.backends.backend import Streaming
from unet_napari.inference.running.pipeline import read_ahead

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from torch import Tensor

    from unet_napari.inference.backends.backend import Backend
    from unet_napari.inference.planning.plan import Plan
    from unet_napari.inference.running.reading import Floats, Reader
    from unet_napari.inference.storage.unfinished import Position
    from unet_napari.inference.streaming.stream import Stream
    from unet_napari.inference.tiles import Tile
    from unet_napari.model.model import Model

__all__ = ["Computation", "MapPiece", "work_of_a_tile"]


def work_of_a_tile(plan: Plan) -> int:
    """Return the rows in and out of the network for one tile of a plan, all variants together."""
    rows = (variant.shape(plan.tile)[0] for variant in plan.variants)
    return sum(2 * (size - plan.grid.margin[0]) for size in rows)


class MapPiece(NamedTuple):
    """Maps of some rows of some tiles, as they come out of the network.

    Attributes
    ----------
    tiles : sequence of Tile
        Tiles that the network took together.
    done : int
        Work done so far on the whole image, see `work_of_a_tile`.
    start : int
        First row of the maps, counted from that of the network's output.
    maps : ndarray of float32, shape (N, K, *S)
        The finished rows of each tile; perhaps no row.
    finished : int
        Number of tiles of the image whose maps are whole with this piece.
    stream : Stream or None
        What computes the tile that follows the finished ones, if the plan streams.
    """

    tiles: Sequence[Tile]
    done: int
    start: int
    maps: Floats
    finished: int
    stream: Stream | None = None

    def kept_rows(self) -> dict[str, Tensor]:
        """Return the rows with which the stream could go on after this piece, see `Stream.state`.

        They are valid until the next piece is asked for.
        """
        return {} if self.stream is None else self.stream.state()


class Computation:
    """A network that computes images in the pieces of a plan.

    Parameters
    ----------
    model : Model
        The model, whose task makes probabilities of logits.
    plan : Plan
        What is computed in which pieces.
    backend : Backend
        What computes the network.
    """

    def __init__(self, model: Model, plan: Plan, backend: Backend) -> None:
        self._task, self._channels = model.task, model.channels
        self._plan, self._backend = plan, backend
        self._work = work_of_a_tile(plan)

    def pieces(self, reader: Reader, begin: Position) -> Generator[MapPiece]:
        """Yield the maps of an image from a position on, piece after piece."""
        if self._plan.strip is not None and len(self._plan.variants) == 1:
            yield from self._columns(reader, begin, self._plan.strip)
        else:
            yield from self._batches(reader, begin)

    def _columns(self, reader: Reader, begin: Position, strip: int) -> Generator[MapPiece]:
        """Yield the pieces of a stream, which goes down one column after the other."""
        limit = self._plan.cost.memory // 8  # bytes of what is read at a time
        kept = begin.stream  # the stream down the first of the columns was stopped on its way
        for finished, tile in enumerate(self._plan.tiles[begin.tiles :], begin.tiles):
            stream = self._new_stream(self._plan.tile, strip, kept)
            unread = reader.strips(tile, strip, limit, stream.taken)
            with closing(read_ahead(unread)) as strips:
                for done, start, maps in self._streamed(stream, strips):
                    work = finished * self._work + done
                    yield MapPiece([tile], work, start, maps, finished, stream)
            kept = {}

    def _batches(self, reader: Reader, begin: Position) -> Generator[MapPiece]:
        """Yield the pieces of tiles that are read as a whole."""
        finished = begin.tiles
        left = islice(self._plan.batches(), finished // self._plan.batch, None)
        source = ((tiles, reader.batch(tiles)) for tiles in left)
        with closing(read_ahead(source)) as batches:
            for tiles, batch in batches:
                before = finished * self._work
                for done, maps in self._averaged(batch):
                    if done == self._work:
                        finished += len(tiles)
                    yield MapPiece(tiles, before + done * len(tiles), 0, maps, finished)

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
            # What is added through this view of the sum is turned back by it.
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
        assert isinstance(self._backend, Streaming)  # noqa: S101  the planner has asked the table
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
