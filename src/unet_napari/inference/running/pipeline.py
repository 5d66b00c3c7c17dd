"""One thread that reads ahead of the computation, and one that writes behind it.

So the disk and the decoders of compressed images work while the network does. Both queues are
short, as what waits in them takes memory.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from unet_napari.inference.planning.plan import AHEAD, BEHIND

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

__all__ = ["Writable", "read_ahead", "write_behind"]

Piece = TypeVar("Piece")


class Writable(Protocol):
    """What a result is written into: a NumPy array, memory map or zarr array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of every axis."""

    def __setitem__(self, key: Any, value: Any, /) -> None:  # noqa: ANN401  as NumPy has it
        """Write a part, selected by integers and slices."""


def read_ahead(source: Iterator[Piece]) -> Generator[Piece]:
    """Yield the items of a source, each made in another thread before it is asked for.

    Closing the generator waits for the item that is being made and makes no other. What the
    source raises is raised here, with its traceback.

    Parameters
    ----------
    source : iterator
        Used in the other thread alone.
    """
    end: Any = object()
    with ThreadPoolExecutor(1, "unet-napari reader") as thread:
        waiting: deque[Future[Any]] = deque()
        try:
            for _ in range(AHEAD + 1):
                waiting.append(thread.submit(next, source, end))
            while (item := waiting.popleft().result()) is not end:
                yield item
                del item  # or it would be kept while the next ones are made
                waiting.append(thread.submit(next, source, end))
        finally:
            thread.shutdown(cancel_futures=True)


@contextmanager
def write_behind(out: Writable) -> Iterator[tuple[Callable[[Any, Any], None], Callable[[], None]]]:
    """Provide a function ``write(key, values)`` that assigns to `out` in another thread.

    The second function, ``flush()``, waits until all of it has been written.

    When the block ends everything has been written; when it ends with an exception, or because a
    generator is closed, what still waits is dropped. What `out` raises is raised by one of the
    next calls or at the end of the block, with its traceback.

    Parameters
    ----------
    out : Writable
        Written to in the other thread alone, in the order of the calls.
    """
    with ThreadPoolExecutor(1, "unet-napari writer") as thread:
        waiting: deque[Future[None]] = deque()

        def write(key: Any, values: Any) -> None:  # noqa: ANN401  as NumPy has it
            waiting.append(thread.submit(out.__setitem__, key, values))
            while len(waiting) > BEHIND:
                waiting.popleft().result()

        def flush() -> None:
            while waiting:
                waiting.popleft().result()

        try:
            yield write, flush
            flush()
        finally:
            thread.shutdown(cancel_futures=True)
