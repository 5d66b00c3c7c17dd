"""One table with the objects of many images, on the disk from the first image on."""

from __future__ import annotations

import csv
import io
import tempfile
import time
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from unet_napari.labels.table_files import print_table, text_as_parquet
from unet_napari.system.atomic import open_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from unet_napari.folder_run.spool import Spool

__all__ = ["ObjectRows"]

_FIRST_COLUMN = "image"
# Seconds after which what there is so far is written, and how many times longer than writing that
# must be.
_INTERVAL, _TIMES_A_WRITE = 30.0, 20.0


class _Part(NamedTuple):
    """The rows of one image in the file of rows."""

    columns: tuple[str, ...]
    start: int
    stop: int


class ObjectRows:
    """Gathers rows in a spool, so that memory does not grow with the images.

    The table is written now and then, and in the end by `write`. Columns that only some images
    have, such as the time point, are empty for the others.

    Parameters
    ----------
    path : Path
        The file: CSV, or Parquet if it ends in ``.parquet``.
    spool : Spool
        Takes the rows.
    """

    def __init__(self, path: Path, spool: Spool) -> None:
        self._path, self._spool = path, spool
        self._columns: dict[str, None] = {_FIRST_COLUMN: None}
        self._parts: list[_Part] = []
        self._written, self._interval = time.monotonic(), _INTERVAL

    def add(self, image: str, columns: Mapping[str, Sequence[object]]) -> None:
        """Append the rows of one image.

        Parameters
        ----------
        image : str
            What to call it in the first column.
        columns : mapping of str to sequence
            All of one length.

        Raises
        ------
        OutputError
            If the disk is full.
        """
        count = len(next(iter(columns.values())))
        table = {_FIRST_COLUMN: [image] * count, **columns}
        text = io.StringIO(newline="")
        print_table(text, table)
        rows = text.getvalue().partition("\r\n")[2]
        start, stop = self._spool.append(rows.encode())
        self._columns.update(dict.fromkeys(table))
        self._parts.append(_Part(tuple(table), start, stop))
        if time.monotonic() - self._written > self._interval:
            self.write()

    def write(self) -> None:
        """Write what there is so far, whole or not at all."""
        started = time.monotonic()
        if self._path.suffix.lower() == ".parquet":
            with tempfile.TemporaryFile(dir=self._path.parent) as text:
                self._write_text(text)
                text.seek(0)
                with open_atomic(self._path) as file:
                    text_as_parquet(text, file, (_FIRST_COLUMN,))
        else:
            with open_atomic(self._path) as file:
                self._write_text(file)
        self._written = time.monotonic()
        self._interval = max(_INTERVAL, _TIMES_A_WRITE * (self._written - started))

    def _write_text(self, file: BinaryIO) -> None:
        """Write all rows as CSV: those with all columns as they are, the others filled up."""
        columns = tuple(self._columns)
        file.write(_lines([columns]))
        for part, together in self._stretches(columns):
            if together:
                self._spool.copy(part.start, part.stop, file)
            else:
                text = self._spool.read(part.start, part.stop).decode()
                file.write(_lines(_filled(part.columns, columns, text)))

    def _stretches(self, columns: tuple[str, ...]) -> Iterator[tuple[_Part, bool]]:
        """Yield the parts, those that follow each other and have all columns as one."""
        open_part: _Part | None = None
        for part in self._parts:
            if part.columns == columns:
                start = part.start if open_part is None else open_part.start
                open_part = _Part(columns, start, part.stop)
                continue
            if open_part is not None:
                yield open_part, True
                open_part = None
            yield part, False
        if open_part is not None:
            yield open_part, True


def _filled(own: Sequence[str], columns: Sequence[str], text: str) -> Iterator[list[str]]:
    """Yield rows of some columns as rows of all of them."""
    for row in csv.reader(io.StringIO(text, newline="")):
        values = dict(zip(own, row, strict=True))
        yield [values.get(name, "") for name in columns]


def _lines(rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
