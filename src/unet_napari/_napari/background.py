"""Short work beside the viewer: one thread, results delivered in Qt's thread."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal, Slot

__all__ = ["Background"]


class Background(QObject):
    """Runs functions one after the other in a thread of its own.

    For what takes longer than a frame but needs no process: counting painted pixels, copying
    labels, reading a file's header.
    """

    _done = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="unet-napari")
        self._closed = False
        self._done.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Call `work` in the thread, then `done` with its result, or `failed`, in Qt's thread."""
        self._pool.submit(self._work, work, done, failed)

    def close(self) -> None:
        """Drop what waits and deliver nothing any more."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        try:
            result = work()
        except Exception as error:  # whatever it is, the dock reports it
            deliver = _Call(failed, error)
        else:
            deliver = _Call(done, result)
        if not self._closed:
            self._done.emit(deliver)

    @Slot(object)
    def _deliver(self, call: "_Call") -> None:
        if not self._closed:
            call.function(call.argument)


class _Call:
    """A function with the argument that it will get in Qt's thread."""

    def __init__(self, function: Callable[[Any], None], argument: object) -> None:
        self.function = function
        self.argument = argument
