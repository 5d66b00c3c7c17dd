"""Short work beside the viewer: one thread, results delivered in Qt's thread."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal  # type: ignore[attr-defined]

__all__ = ["Background"]


class Background(QObject):
    """Runs functions one after the other in a thread of its own.

    It is for work that takes longer than a frame of the screen but needs no process: counting
    painted pixels, copying labels, reading the header of a file.
    """

    _done = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._pool: ThreadPoolExecutor | None = None
        self._done.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Call `work` in the thread, then `done` with its result, or `failed`, in Qt's thread."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="unet-napari")
        self._pool.submit(self._work, self._pool, work, done, failed)

    def close(self) -> None:
        """Drop what waits and deliver nothing of it any more."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _work(
        self,
        pool: ThreadPoolExecutor,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        try:
            result = work()
        except Exception as error:  # whatever it is, the dock reports it
            self._done.emit(_Call(pool, failed, error))
        else:
            self._done.emit(_Call(pool, done, result))

    def _deliver(self, call: "_Call") -> None:
        if call.pool is self._pool:
            call.function(call.argument)


@dataclass(frozen=True)
class _Call:
    """A function with the argument that it will get in Qt's thread."""

    pool: ThreadPoolExecutor
    function: Callable[[Any], None]
    argument: Any
