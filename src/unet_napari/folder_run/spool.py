"""A file without a name, in which much that is written at the end waits outside the memory."""

from __future__ import annotations

import io
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from unet_napari.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Spool", "open_spool"]

_COPIED = 2**20  # bytes at a time


class Spool:
    """Bytes in the order in which they were appended; get one from `open_spool`.

    Parameters
    ----------
    file
        The file.
    path
        What is going to be written of it, as messages name it.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path

    def append(self, content: bytes) -> tuple[int, int]:
        """Append some bytes, and return where they start and stop.

        Raises
        ------
        OutputError
            If the disk is full.
        """
        with _output_errors(self._path):
            start = self._file.seek(0, io.SEEK_END)
            self._file.write(content)
            return start, self._file.tell()

    def read(self, start: int, stop: int) -> bytes:
        """Return what is in a part."""
        self._file.seek(start)
        return self._file.read(stop - start)

    def copy(self, start: int, stop: int, target: BinaryIO) -> None:
        """Copy a part, which may be larger than the memory."""
        for begin in range(start, stop, _COPIED):
            target.write(self.read(begin, min(begin + _COPIED, stop)))


@contextmanager
def open_spool(path: Path) -> Iterator[Spool]:
    """Open a spool on the disk of a file that is going to be written.

    Raises
    ------
    OutputError
        If nothing can be written there.
    """
    with _output_errors(path):
        file = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115  left below
    with file:
        yield Spool(file, path)


@contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
