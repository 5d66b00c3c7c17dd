"""A table with the rows of many images."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["MeasurementTable"]

_INTERVAL = 30.0  # seconds after which what there is so far is written


class MeasurementTable:
    """Gathers rows and writes them as CSV, now and then and at the end of the ``with`` block.

    Columns that only some images have, such as the time point, are empty for the others.

    Parameters
    ----------
    path : Path
        The path of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns: dict[str, list[object]] = {"image": []}
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write what there is, also if the work was interrupted."""
        if kind is None or self._columns["image"]:
            self._write()

    def add(self, image: str, columns: Mapping[str, Sequence[object]]) -> None:
        """Append the rows of one image.

        Parameters
        ----------
        image : str
            What to call it in the first column.
        columns : mapping of str to sequence
            All of one length.
        """
        before = len(self._columns["image"])
        count = len(next(iter(columns.values())))
        for name in columns:
            self._columns.setdefault(name, [""] * before)
        for name, values in self._columns.items():
            values.extend([image] * count if name == "image" else columns.get(name, [""] * count))
        if time.monotonic() - self._written > _INTERVAL:
            self._write()

    def _write(self) -> None:
        from unet_napari.labels.table_files import write_table

        write_table(self._path, self._columns)
        self._written = time.monotonic()
