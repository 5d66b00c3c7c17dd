"""Where network and decoding write: packed maps, and the part of the result that is one view."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from unet_napari.geometry import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.tasks import Task
    from unet_napari.tasks.decoding.blocks import BoxTarget, Store
    from unet_napari.tasks.familiarity import Familiarity

__all__ = ["Plane", "Sink", "ViewWriter"]


class ViewWriter:
    """The part of a result that one view is written into.

    Parameters
    ----------
    out
        The result, ``([T,] [Z,] *S)``.
    index
        Place of the view along the leading axes of the result.

    Attributes
    ----------
    shape : tuple of int
        Shape of the view.
    chunks : tuple of int or None
        Extent of what is best written as a whole, if the result tells it.
    highest : int
        The highest id that has been written.
    """

    def __init__(self, out: Writable, index: tuple[int, ...] = ()) -> None:
        self._out, self._index = out, index
        self.shape = out.shape[len(index) :]
        chunks = getattr(out, "chunks", None)
        self.chunks = None if chunks is None else tuple(chunks)[len(index) :]
        self.highest = 0

    def __setitem__(self, box: tuple[slice, ...], labels: NDArray[Any], /) -> None:
        """Write a part of the view."""
        self._out[(*self._index, *box)] = labels
        self.highest = max(self.highest, int(labels.max()))

    def in_result(self, box: Box) -> Box:
        """Return the place that a part of the view has in the whole result."""
        return box.prepend(self._index)


class Plane:
    """The part of the packed maps of a stack that is one slice.

    Parameters
    ----------
    packed
        ``(P, Z, Y, X)``.
    z
        The slice.

    Attributes
    ----------
    shape : tuple of int
        ``(P, Y, X)``.
    """

    def __init__(self, packed: Store, z: int) -> None:
        self._packed, self._z = packed, slice(z, z + 1)
        self.shape = (packed.shape[0], *packed.shape[2:])

    def __setitem__(self, key: tuple[slice, ...], maps: NDArray[Any], /) -> None:
        """Write a part ``(P, Y, X)``."""
        first, *rest = key
        self._packed[(first, self._z, *rest)] = maps[:, None]


class Sink:
    """Takes the maps of a view as the network makes them, and keeps what decoding needs.

    Parameters
    ----------
    packed
        Array ``(P, *S)`` in which the packed maps are kept.
    task
        Task that packs the maps.
    place
        Array in which provisional labels are shown; None where they are not wanted.
    maps
        Array that the maps are written to; None where they are not wanted.
    familiarity
        What judges whether the model knows such images, shown all packed maps; None where the
        model has no such judge.
    """

    def __init__(
        self,
        packed: BoxTarget,
        task: Task,
        place: ViewWriter | None = None,
        maps: Writable | None = None,
        familiarity: Familiarity | None = None,
    ) -> None:
        self.shape = (task.out_channels, *packed.shape[1:])
        self._packed, self._task, self._place, self._maps = packed, task, place, maps
        self._familiarity = familiarity
        self._shown: deque[Box] = deque()  # written in one thread, taken in another

    def __setitem__(self, key: tuple[slice, ...], maps: NDArray[Any], /) -> None:
        """Keep the maps ``(K, *S)`` of a part."""
        if self._maps is not None:
            self._maps[key] = maps
        packed = self._task.pack(maps)
        self._packed[key] = packed
        if self._familiarity is not None:
            self._familiarity.see(packed)
        if self._place is not None:
            self._place[key[1:]] = self._task.provisional(packed)
            self._shown.append(self._place.in_result(Box.from_slices(key[1:])))

    def take_shown(self) -> Box | None:
        """Return a box of the result around what was shown since the last call."""
        boxes = [self._shown.popleft() for _ in range(len(self._shown))]
        return Box.around(boxes) if boxes else None
