"""Functions carried out by the workers of a Dask cluster."""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from distributed import CancelledError, Client, KilledWorker
from distributed.comm.core import CommClosedError

from unet_napari.cluster.shared_arrays import SharedTable
from unet_napari.errors import ResourceError
from unet_napari.inference.running.places import ViewWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from distributed import Future
    from numpy.typing import NDArray

    from unet_napari.geometry import Box
    from unet_napari.tasks.decoding.blocks import BoxTarget, LookUp

__all__ = ["DaskPool", "result_of"]

_Found = TypeVar("_Found")

# Tasks per thread that the workers are given ahead, so that none waits for this process.
_AHEAD = 4
# Tasks of a pass that each thread has at least, so that all end at about the same time.
_TASKS_PER_THREAD = 8
# Seconds after which is asked again how many threads there are: workers come and go.
_SECONDS_BETWEEN_COUNTS = 5.0
# Seconds that it is waited for another worker when the last one is gone.
_PATIENCE_ALONE = 600.0


class DaskPool:
    """The workers of a cluster, see `unet_napari.tasks.decoding.blocks.Pool`.

    Parameters
    ----------
    client : Client
        Connection to the scheduler.
    folder : Path
        Folder that all machines see.
    resources : mapping of str to float, optional
        What a worker must have for a task, as Dask names it.
    together : int
        Largest number of items that are sent as one task. The scheduler takes some milliseconds
        for each, which would be most of the time where many workers have little to do.
    """

    remote: ClassVar[bool] = True

    def __init__(
        self,
        client: Client,
        folder: Path,
        resources: Mapping[str, float] | None = None,
        together: int = 1,
    ) -> None:
        self._client, self._folder = client, folder
        self._resources, self._together = resources, together
        self._counted = -_SECONDS_BETWEEN_COUNTS
        self._threads = 1

    def map(self, function: Callable[..., _Found], *items: Iterable[Any]) -> Iterator[_Found]:
        """Yield the results in order; closing the iterator cancels what has not begun."""
        rows = list(zip(*items, strict=False))
        share = len(rows) // (_TASKS_PER_THREAD * self._count_threads())
        size = min(max(share, 1), self._together)
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        results = map(result_of, self.futures(partial(_each, function), parts))
        return chain.from_iterable(results)

    def futures(
        self, function: Callable[..., _Found], *items: Iterable[Any]
    ) -> Generator[Future[_Found], None, None]:
        """Yield what the results will be in, in order; only some are begun ahead of the caller."""
        waiting: deque[Future[_Found]] = deque()
        try:
            for row in zip(*items, strict=False):
                waiting.append(
                    self._client.submit(function, *row, pure=False, resources=self._resources)
                )
                if len(waiting) >= _AHEAD * self._count_threads():
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            if waiting and self._client.status == "running":
                self._client.cancel(list(waiting))

    def table(self, values: NDArray[Any]) -> LookUp:
        """Write numbers into the folder."""
        return SharedTable.make(self._folder, values)

    def write(
        self, function: Callable[[Box], NDArray[Any]], boxes: Sequence[Box], out: BoxTarget
    ) -> Iterator[Box]:
        """Let the workers write what they compute."""
        highest = self.map(partial(_write, function, out), boxes)
        for box, label in zip(boxes, highest, strict=True):
            if isinstance(out, ViewWriter):
                out.highest = max(out.highest, label)
            yield box

    def _count_threads(self) -> int:
        now = time.monotonic()
        if now - self._counted > _SECONDS_BETWEEN_COUNTS:
            self._counted = now
            self._threads = max(1, sum(self._client.nthreads().values()))
        return self._threads


def _each(function: Callable[..., _Found], rows: Sequence[tuple[Any, ...]]) -> list[_Found]:
    return [function(*row) for row in rows]


def _write(function: Callable[[Box], NDArray[Any]], out: BoxTarget, box: Box) -> int:
    labels = function(box)
    out[box.to_slices()] = labels
    return int(labels.max())


def result_of(future: Future[_Found]) -> _Found:
    """Wait for a result.

    Raises
    ------
    ResourceError
        If the workers died of it again and again, all are gone, or the scheduler is.
    """
    try:
        return _awaited(future)
    except KilledWorker as error:
        raise ResourceError(
            "Several workers died of the same piece of work, probably because they had too little "
            "memory. Give each more (--memory-limit of dask worker), or fewer threads; the same "
            "command goes on with what is finished."
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise ResourceError(
            "The connection to the scheduler is lost. What is finished stays: start the scheduler "
            "again, and the same command goes on."
        ) from error


def _awaited(future: Future[_Found]) -> _Found:
    alone = 0.0
    while True:
        try:
            found: _Found = future.result(timeout=_SECONDS_BETWEEN_COUNTS)
        except TimeoutError:
            if future.done():  # it is the work itself that has failed by it
                raise
            alone = 0.0 if future.client.nthreads() else alone + _SECONDS_BETWEEN_COUNTS
            if alone >= _PATIENCE_ALONE:
                raise ResourceError(
                    f"For {alone / 60:.0f} minutes there has been no worker. What is finished "
                    "stays: start workers, and the same command goes on."
                ) from None
        else:
            return found
