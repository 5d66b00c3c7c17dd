"""A list of images, segmented one after the other: the generator that every door drives.

While one image is in the network, the one before it is measured and written, and the next one is
read, each in a thread of its own. Large images take no part in that: they would double the memory.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from unet_napari.errors import noting_warnings
from unet_napari.folder_run.finishing import Computed, ImageDone, failed_image, left_as_it_is
from unet_napari.folder_run.image_line import ImageLine, Underway
from unet_napari.folder_run.order import open_listed
from unet_napari.folder_run.standing import standing_of
from unet_napari.images import open_output
from unet_napari.inference import result_axes, result_shape
from unet_napari.inference.running.kept_maps import KeptMaps
from unet_napari.inference.storage.unfinished import Unfinished

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from unet_napari.folder_run.order import FolderOrder, ListedImage
    from unet_napari.folder_run.tables import FolderTables
    from unet_napari.images import Image
    from unet_napari.inference.progress import PlanSummary, Progress

__all__ = ["FolderEnd", "folder_steps"]

# Pixels of an image that is finished beside the next one.
_FINISHED_BESIDE = 2**24
# Seconds that an image that is being measured and written may still take after a stop.
_GRACE = 0.5


@dataclass(frozen=True)
class FolderEnd:
    """How a list of images has ended.

    Attributes
    ----------
    not_tried : int
        Number of images at the end of the list that were not tried any more.
    reason : str
        Why, such as a full disk; empty where all were tried.
    """

    not_tried: int = 0
    reason: str = ""


class _Stopped(Exception):  # noqa: N818  what was asked for
    """The work on an image was given up because all of it was stopped."""


def folder_steps(
    items: Sequence[ListedImage], order: FolderOrder, tables: FolderTables
) -> Generator[Underway | ImageLine, None, FolderEnd]:
    """Segment a list of images, step by step; stop by closing the generator.

    Each result appears under its name when it is whole. Results of the same image, model and
    settings are left as they are (``"unchanged"``), so that the same call goes on with a list that
    was stopped and does again only what has changed. What a user can put right of one image, such
    as a file that is gone or damaged, or too little memory, costs this image alone (``"failed"``).
    A full disk ends the list; what is there stays. Stopping keeps all results that are whole, and
    writes the tables of them.

    Parameters
    ----------
    items : sequence of ListedImage
        The images; they need not be alike. No two may have one output.
    order : FolderOrder
        What is done with each.
    tables : FolderTables
        What is written of all together; it is opened here.

    Yields
    ------
    Underway
        After each step on an image.
    ImageLine
        When an image is done with, in the order of the list, each image once.

    Returns
    -------
    FolderEnd

    Raises
    ------
    OutputError
        If a table or the sheet cannot be written.
    """
    with tables.open(), _threads() as threads:
        return (yield from _List(items, order, tables, threads).steps())


class _Threads(NamedTuple):
    """A thread that reads ahead and one that finishes, and the wish to end the latter."""

    ahead: ThreadPoolExecutor
    behind: ThreadPoolExecutor
    stop: threading.Event


@contextmanager
def _threads() -> Iterator[_Threads]:
    """Start the threads, and end them after the block: nothing that waits is begun."""
    with ThreadPoolExecutor(1, "finishing") as behind, ThreadPoolExecutor(1, "reading") as ahead:
        threads = _Threads(ahead, behind, threading.Event())
        try:
            yield threads
        finally:
            ahead.shutdown(wait=False, cancel_futures=True)
            threads.stop.set()


class _List:
    """The images of a list on their way."""

    def __init__(
        self,
        items: Sequence[ListedImage],
        order: FolderOrder,
        tables: FolderTables,
        threads: _Threads,
    ) -> None:
        self._items, self._order, self._tables = items, order, tables
        self._threads = threads
        self._behind: deque[tuple[int, Future[ImageDone]]] = deque()
        self._started = time.perf_counter()

    def steps(self) -> Generator[Underway | ImageLine, None, FolderEnd]:
        """Go through the list."""
        try:
            return (yield from self._all())
        except _DiskFull as full:
            done = full.line.number + 1
            yield full.line
            return FolderEnd(len(self._items) - done, full.line.message)
        finally:
            self._keep_what_is_whole()

    def _all(self) -> Generator[Underway | ImageLine, None, FolderEnd]:
        following = self._read_ahead(0)
        for number in range(len(self._items)):
            present, following = following, self._read_ahead(number + 1)
            with closing(self._attempt(number, present)) as attempt:
                while True:
                    try:
                        step = next(attempt)
                    except StopIteration as end:
                        outcome: Computed | ImageDone = end.value
                        break
                    yield step
                    if self._behind and self._behind[0][1].done():
                        yield self._awaited()
            beside = isinstance(outcome, Computed)
            if isinstance(outcome, Computed):
                done = self._threads.behind.submit(_drained, outcome, self._threads.stop)
                self._behind.append((number, done))
            while len(self._behind) > beside:
                yield self._awaited()
            if isinstance(outcome, ImageDone):
                yield self._noted(outcome)
        while self._behind:
            yield self._awaited()
        return FolderEnd()

    def _read_ahead(self, number: int) -> Future[tuple[Image, list[str]]]:
        if number >= len(self._items):
            return Future()
        return self._threads.ahead.submit(open_listed, self._items[number], self._order.model)

    def _attempt(
        self, number: int, present: Future[tuple[Image, list[str]]]
    ) -> Generator[Underway, None, Computed | ImageDone]:
        """Segment one image; what is small is still to be finished then."""
        started = time.perf_counter()
        try:
            image, notes = present.result()
            standing = standing_of(image, self._items[number].output, self._order)
            if standing is not None:
                return left_as_it_is(number, self._items[number], image, standing, self._order)
            with ExitStack() as files:
                computed = yield from self._computed(number, image, notes, started, files)
                computed.files = files.pop_all()
            if math.prod(computed.labels.shape) <= _FINISHED_BESIDE:
                return computed
            with closing(computed.steps()) as steps:
                while True:
                    try:
                        step = next(steps)
                    except StopIteration as end:
                        finished: ImageDone = end.value
                        return finished
                    yield self._underway(number, step)
        except Exception as error:
            return failed_image(number, self._items[number], error, time.perf_counter() - started)

    def _computed(
        self, number: int, image: Image, notes: list[str], started: float, files: ExitStack
    ) -> Generator[Underway, None, Computed]:
        """Run the network over one image and find its objects."""
        item, order = self._items[number], self._order
        unfinished = files.enter_context(Unfinished(item.output))
        labels = files.enter_context(
            open_output(
                item.output,
                shape=result_shape(image),
                dtype="uint32",
                axes=result_axes(image),
                pixel_size=image.pixel_size,
                overwrite=True,
                labels=True,
            )
        )
        here = order.elsewhere is None and order.region is None
        kept = files.enter_context(KeptMaps()) if order.doubted and here else None
        machines = None if order.machines is None else order.machines(image)
        plan: PlanSummary | None = None
        with noting_warnings() as said:
            steps = order.steps(image, labels, unfinished, kept, machines)
            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    told = end.value
                    break
                plan = step.plan or plan
                yield self._underway(number, step)
        seconds, said = time.perf_counter() - started, [*notes, *said]
        return Computed(
            number, item, image, order, labels, kept, machines, told, plan, said, seconds,
            ExitStack(),
        )  # fmt: skip

    def _awaited(self) -> ImageLine:
        """Wait for the image that was the first to be finished beside, and return its line."""
        number, future = self._behind.popleft()
        try:
            finished = future.result()
        except Exception as error:
            finished = failed_image(number, self._items[number], error, 0.0)
        return self._noted(finished)

    def _keep_what_is_whole(self) -> None:
        """Take note of what is being finished when all of it is stopped."""
        deadline = time.perf_counter() + _GRACE
        while self._behind:
            _, future = self._behind.popleft()
            try:
                done = future.result(timeout=max(0.0, deadline - time.perf_counter()))
            except Exception:  # not whole in time, or failed: the next run does it again
                self._threads.stop.set()
            else:
                self._tables.add(done)

    def _noted(self, finished: ImageDone) -> ImageLine:
        self._tables.add(finished)
        if finished.disk_is_full:
            raise _DiskFull(finished.line)
        return finished.line

    def _underway(self, number: int, step: Progress) -> Underway:
        left = None
        elapsed = time.perf_counter() - self._started
        share = number + step.done / max(step.total, 1)
        if number:  # the first one is slower than those that follow
            left = elapsed * (len(self._items) - share) / share
        return Underway(number, len(self._items), self._items[number].name, step, left)


class _DiskFull(Exception):  # noqa: N818  it never leaves this module
    """The disk of the results is full, so that no other image can be done either."""

    def __init__(self, line: ImageLine) -> None:
        super().__init__(line.message)
        self.line = line


def _drained(computed: Computed, stop: threading.Event) -> ImageDone:
    """Finish an image, unless all of it is stopped meanwhile."""
    steps = computed.steps()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            finished: ImageDone = end.value
            return finished
        if stop.is_set():
            steps.throw(_Stopped())
