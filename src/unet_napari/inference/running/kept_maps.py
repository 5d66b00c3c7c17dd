"""The packed maps of a segmentation, kept after it to be decoded again with other thresholds."""

from __future__ import annotations

import math
import shutil
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from unet_napari.errors import ResourceError
from unet_napari.geometry import Box
from unet_napari.inference.storage.scratch import Room

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from numpy.typing import NDArray

    from unet_napari.inference.progress import Progress
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.tasks import Task
    from unet_napari.tasks.decoding.blocks import Store
    from unet_napari.tasks.decoding.stack import StackDecoder
    from unet_napari.tasks.familiarity import Familiarity

__all__ = ["KeptMaps", "ViewMaps"]

# Share of the free disk that the maps may take for as long as they are kept.
_SHARE_OF_DISK = 0.25
_NO_MAPS: NDArray[np.uint8] = np.empty((0, 0), np.uint8)


class Decodable(Protocol):
    """A run whose maps are all there, see `unet_napari.inference.segmentation.SegmentationRun`."""

    familiarity: Familiarity | None
    """Facts that tell how sure the model was of the image."""

    def decoder_for(self, task: Task) -> Task | StackDecoder:
        """Return what makes labels of the maps with the thresholds of a task."""

    def again(self, task: Task, out: Writable, room: Room, memory: int) -> Iterator[Progress]:
        """Decode the maps of all views again."""


class ViewMaps:
    """The maps of one view among those of all views.

    Parameters
    ----------
    maps
        The maps of all views, ``(V, P, *S)``.
    position
        Number of the view.
    """

    def __init__(self, maps: Store, position: int) -> None:
        self.shape = maps.shape[1:]
        self._maps, self._view = maps, slice(position, position + 1)

    def __getitem__(self, key: tuple[slice, ...], /) -> NDArray[Any]:
        """Return a part ``(P, *S)``, selected by slices."""
        part: NDArray[Any] = self._maps[(self._view, *key)][0]
        return part

    def __setitem__(self, key: tuple[slice, ...], packed: NDArray[Any], /) -> None:
        """Write a part."""
        self._maps[(self._view, *key)] = packed[np.newaxis]


class KeptMaps:
    """The packed maps of all views of an image: in memory, or on disk where they are large.

    Packed maps do not depend on the thresholds, so decoding them again gives the very labels that
    a new run with other thresholds would give. It is filled by `segment_steps`.

    Attributes
    ----------
    memory : int
        Bytes of memory that the maps take.
    """

    def __init__(self) -> None:
        self.memory = 0
        self._files = ExitStack()
        self._maps: Store = _NO_MAPS
        self._run: Decodable | None = None
        self._indices: tuple[tuple[int, ...], ...] = ()
        self._size: tuple[int, ...] = ()
        self._context = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the maps."""
        self._files.close()
        self._maps, self._run = _NO_MAPS, None
        self.memory = 0

    @property
    def whole(self) -> bool:
        """Whether the run has come to its end, so that the maps can be decoded."""
        return self._run is not None

    @property
    def familiarity(self) -> Familiarity | None:
        """Facts that tell how sure the model was of the image; None before the end of the run."""
        return None if self._run is None else self._run.familiarity

    @property
    def result_shape(self) -> tuple[int, ...]:
        """The shape of the labels: the leading axes, then those of a view."""
        return (*(max(places) + 1 for places in zip(*self._indices, strict=True)), *self._size)

    @property
    def leading(self) -> int:
        """Number of axes of the result that are not those of a view."""
        return len(self._indices[0])

    def reserve(
        self,
        task: Task,
        indices: Sequence[tuple[int, ...]],
        size: tuple[int, ...],
        shape: tuple[int, ...],
        memory: int,
        context: int = 0,
    ) -> bool:
        """Make room for the maps of all views; tell whether there is any.

        A stack whose slices are decoded together counts as one view here.

        Parameters
        ----------
        task : Task
            The task of the model.
        indices : sequence of tuple of int
            The place of each view along the leading axes of the result.
        size : tuple of int
            The shape of a view in the image.
        shape : tuple of int
            The shape in which the network sees it.
        memory : int
            Bytes of memory that the maps may take; what needs more goes to the disk.
        context : int
            Slices before and after a part of a stack that are decoded with it.
        """
        maps = (len(indices), task.packed_maps, *shape)
        needed = math.prod(maps) * task.packed_dtype.itemsize
        free = shutil.disk_usage(tempfile.gettempdir()).free
        if needed > max(memory, free * _SHARE_OF_DISK):
            return False
        room = self._files.enter_context(Room(memory))
        try:
            self._maps = room.array(maps, task.packed_dtype, rows=2)
        except ResourceError:  # somebody else has taken the disk meanwhile
            self.close()
            return False
        self.memory = needed if isinstance(self._maps, np.ndarray) else 0
        self._indices, self._size, self._context = tuple(indices), size, context
        return True

    def maps(self, position: int) -> ViewMaps:
        """Return the place of the maps of a view."""
        return ViewMaps(self._maps, position)

    def maps_of_view(self, view: int, together: int) -> ViewMaps:
        """Return the place of the maps of a view, of which so many are decoded together."""
        return self.maps(view // together)

    def finish(self, run: Decodable) -> None:
        """Take note that a run has filled in all maps."""
        self._run = run

    def decode(self, task: Task, out: Writable, memory: int) -> Iterator[Progress]:
        """Decode the maps of all views; the labels are those of a new run.

        Parameters
        ----------
        task : Task
            The task of the model, with other thresholds.
        out : array-like
            Takes the labels, ``([T,] *S)``.
        memory : int
            Bytes that it may take.
        """
        if self._run is None:
            return
        with Room(memory // 2) as room:
            yield from self._run.again(task, out, room, memory - memory // 2)

    def decode_box(self, task: Task, box: Box) -> NDArray[np.uint32]:
        """Decode a part of the result by itself, in memory.

        Parameters
        ----------
        task : Task
            The task of the model, with other thresholds.
        box : Box
            The part, along all axes of the result ``([T,] *S)``.

        Returns
        -------
        uint32 ``box.shape``
            The labels, with ids from 1 on. A cell that the box cuts may look different than in the
            whole.
        """
        labels = np.zeros(box.shape, np.uint32)
        if self._run is None:
            return labels
        decoder = self._run.decoder_for(task)
        highest = 0
        axis = box.ndim - len(self._size)
        start, stop = box.spans[axis]
        first = max(0, start - self._context)
        outer = box.replace_axis(axis, first, min(self._size[0], stop + self._context))
        for position, place in self._views_in(box):
            maps, axes = self.maps_of_part(position, outer)
            found = np.empty(maps.shape[1:], np.uint32)
            for _ in decoder.decode_steps(maps, np.empty_like(found), found):
                pass
            part = found[np.ix_(*axes)][start - first : stop - first]
            labels[place] = np.where(part > 0, part + np.uint32(highest), 0)
            highest += int(found.max(initial=0))
        return labels

    def maps_of_part(
        self, position: int, box: Box
    ) -> tuple[NDArray[Any], tuple[NDArray[np.intp], ...]]:
        """Return the maps of a part of one view, and where in them the pixels of the image lie.

        Parameters
        ----------
        position : int
            Number of the view.
        box : Box
            A part of the result; its last axes are those of the view.

        Returns
        -------
        maps : uint8 ``(P, *S)``
            The packed maps, at the scale of the network.
        axes : tuple of ndarray of int
            For each axis, the position in `maps` of each pixel of the part.
        """
        spans, axes = [], []
        part = box.spans[-len(self._size) :]
        seen = self._maps.shape[2:]
        for (start, stop), new, old in zip(part, self._size, seen, strict=True):
            nearest = ((np.arange(start, stop) + 0.5) * old / new).astype(np.intp)
            first = int(nearest[0])
            spans.append(slice(first, int(nearest[-1]) + 1))
            axes.append(nearest - first)
        return self.maps(position)[(slice(None), *spans)], tuple(axes)

    def views(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield the number of each view, and its place along the leading axes of the result."""
        yield from enumerate(self._indices)

    def _views_in(self, box: Box) -> Iterator[tuple[int, tuple[int | slice, ...]]]:
        """Yield the number of each view that a box goes through, and its place in the box."""
        for position, index in enumerate(self._indices):
            leading = box.spans[: len(index)]
            if all(start <= i < stop for i, (start, stop) in zip(index, leading, strict=True)):
                yield (
                    position,
                    tuple(i - start for i, (start, _) in zip(index, leading, strict=True)),
                )
