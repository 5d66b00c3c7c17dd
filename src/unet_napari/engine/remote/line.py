"""A line between two programs that goes on where it was after its connection was lost.

Frames are numbered, and kept until the other side has them. Each connection begins with the number
of the last frame that came in, after which the other side sends again what was lost.
"""

from __future__ import annotations

import struct
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DATA", "MESSAGE", "Frame", "Line"]

_TAKEN, MESSAGE, DATA = range(3)
_HEAD = struct.Struct(">BQI")  # kind, number, length
_LONGEST = 1 << 24  # bytes of a frame; more is no frame of ours
# Bytes on the way, unless something is urgent. At 10 Mbit/s they take 0.8 s, which a Stop may have
# to wait for; at a distance of 20 ms they are 50 MB/s.
_WINDOW = 1 << 20
_PULSE = 2.0  # seconds between two signs of life


class Frame(NamedTuple):
    """What is sent as one piece: `MESSAGE` or `DATA`, and its bytes."""

    kind: int
    content: bytes


class _Item(NamedTuple):
    frames: Iterator[Frame]
    key: str | None


class Line:
    """Sends frames, and receives those of the other side, over one connection after the other.

    Parameters
    ----------
    received
        Called with each frame, in their order, from the thread of `serve`.

    Attributes
    ----------
    heard
        When something came in last, in seconds of ``time.monotonic``.
    """

    def __init__(self, received: Callable[[Frame], None]) -> None:
        self._received = received
        self.heard = time.monotonic()
        self._changed = threading.Condition()
        self._closed = False
        self._urgent: deque[Frame] = deque()
        self._items: deque[_Item] = deque()
        self._begun: Iterator[Frame] | None = None
        self._untaken: deque[tuple[int, bytes]] = deque()  # numbers and bytes
        self._on_the_way = 0
        self._again: deque[bytes] = deque()
        self._sent_number = self._received_number = 0
        self._tell_taken = False
        self._write: Callable[[bytes], None] | None = None
        self._in_step = False  # the other side has said what it has
        self._thread = threading.Thread(target=self._write_all, name="engine-writer", daemon=True)
        self._thread.start()

    @property
    def unanswered(self) -> float:
        """Seconds since something came in, if something that was sent has not arrived; or 0."""
        with self._changed:
            waits = bool(self._urgent or self._untaken)
        return time.monotonic() - self.heard if waits else 0.0

    def send(self, frames: Iterator[Frame], key: str | None = None) -> None:
        """Send frames, which are asked for when it is their turn.

        Parameters
        ----------
        frames
            They are iterated over in a thread of the line's; their errors are theirs to handle.
        key
            What was to be sent with the same key, and was not begun, is not sent any more.
        """
        with self._changed:
            if key is not None:
                self._items = deque(item for item in self._items if item.key != key)
            self._items.append(_Item(frames, key))
            self._changed.notify_all()

    def send_at_once(self, content: bytes) -> None:
        """Send a message before everything that waits."""
        with self._changed:
            self._urgent.append(Frame(MESSAGE, content))
            self._changed.notify_all()

    def serve(self, read: Callable[[int], bytes], write: Callable[[bytes], None]) -> None:
        """Use a connection until it ends.

        Parameters
        ----------
        read
            Waits for at most so many bytes; none means that the connection has ended.
        write
            Writes all bytes. Both may raise `OSError` or `ValueError`.
        """
        with self._changed:
            self._write, self._in_step, self._tell_taken = write, False, True
            self._again.clear()
            self.heard = time.monotonic()
            self._changed.notify_all()
        try:
            while not self._closed:
                kind, number, length = _HEAD.unpack(self._exactly(read, _HEAD.size))
                if length > _LONGEST:
                    return
                self._take(kind, number, self._exactly(read, length))
        except (OSError, ValueError, EOFError):
            return
        finally:
            self._forget(write)

    def close(self) -> None:
        """Send and receive nothing any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_taken(self, timeout: float) -> bool:
        """Wait until the other side has everything; return whether it has."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not (self._urgent or self._items or self._begun or self._untaken), timeout
            )

    def _exactly(self, read: Callable[[int], bytes], length: int) -> bytes:
        parts = []
        while length:
            part = read(min(length, 1 << 16))
            if not part:
                raise EOFError
            self.heard = time.monotonic()
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _take(self, kind: int, number: int, content: bytes) -> None:
        if kind == _TAKEN:
            with self._changed:
                while self._untaken and self._untaken[0][0] <= number:
                    self._on_the_way -= len(self._untaken.popleft()[1])
                if not self._in_step:
                    self._in_step = True
                    self._again.extend(data for _, data in self._untaken)
                self._changed.notify_all()
            return
        if number > self._received_number + 1:
            raise ValueError("a frame is missing")
        if number == self._received_number + 1:
            self._received(Frame(kind, content))
            self._received_number = number
        with self._changed:
            self._tell_taken = True
            self._changed.notify_all()

    def _forget(self, write: Callable[[bytes], None]) -> None:
        with self._changed:
            if self._write is write:
                self._write = None
                self._changed.notify_all()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                work = self._chosen()
                if work is None:
                    self._tell_taken = not self._changed.wait(_PULSE) or self._tell_taken
                    continue
                write = self._write
            # Outside the lock: reading and packing an array takes its time.
            data = work if isinstance(work, bytes) else self._next_of(work, write)
            if data is not None and write is not None:
                try:
                    write(data)
                except (OSError, ValueError):
                    self._forget(write)

    def _chosen(self) -> bytes | Iterator[Frame] | None:
        """Return what is to be written now, or whom to ask for it. The lock is held."""
        if self._write is None:
            return None
        if self._tell_taken:
            self._tell_taken = False
            return _HEAD.pack(_TAKEN, self._received_number, 0)
        if not self._in_step:
            return None
        if self._again:
            return self._again.popleft()
        if self._urgent:
            return self._numbered(self._urgent.popleft())
        if self._on_the_way >= _WINDOW:
            return None
        if self._begun is None and self._items:
            self._begun = self._items.popleft().frames
        return self._begun

    def _next_of(
        self, frames: Iterator[Frame], write: Callable[[bytes], None] | None
    ) -> bytes | None:
        frame = next(frames, None)
        with self._changed:
            if frame is None:
                self._begun = None
                self._changed.notify_all()
                return None
            data = self._numbered(frame)
            if self._write is write:
                return data
            if self._in_step:  # with a newer connection, that did not know of this frame
                self._again.append(data)
            return None

    def _numbered(self, frame: Frame) -> bytes:
        """Return the bytes of a frame, which is kept until it is taken. The lock is held."""
        self._sent_number += 1
        data = _HEAD.pack(frame.kind, self._sent_number, len(frame.content)) + frame.content
        self._untaken.append((self._sent_number, data))
        self._on_the_way += len(data)
        return data
