"""The tables and the contact sheet of a list of images, written now and then and at the end."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from unet_napari.folder_run.contact_sheet import ContactSheet
from unet_napari.folder_run.image_line import ImageLine, list_table
from unet_napari.folder_run.object_rows import ObjectRows
from unet_napari.labels.table_files import write_table

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from unet_napari.folder_run.finishing import ImageDone

__all__ = ["FolderTables"]

_INTERVAL = 30.0  # seconds after which the list so far is written


class FolderTables:
    """What is written of all images together; each of it only where it was asked for.

    What there is so far is also written when the work is stopped; the sheet only when all of it
    is done.

    Parameters
    ----------
    objects : Path, optional
        Table with a row for each object, .csv or .parquet.
    listing : Path, optional
        Table with a row for each image, .csv or .parquet.
    sheet : Path, optional
        Picture of all thumbnails, .png.
    """

    def __init__(
        self, objects: Path | None = None, listing: Path | None = None, sheet: Path | None = None
    ) -> None:
        self._objects = None if objects is None else ObjectRows(objects)
        self._listing = listing
        self._sheet = None if sheet is None else ContactSheet(sheet)
        self._lines: list[ImageLine] = []
        self._listed = time.monotonic()

    def __enter__(self) -> Self:
        self._files = ExitStack()
        if self._objects is not None:
            self._files.enter_context(self._objects)
        if self._sheet is not None:
            self._files.enter_context(self._sheet)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write what there is."""
        with self._files:
            if self._lines or kind is None:
                self._write_list()
            if self._sheet is not None and kind is None:
                self._sheet.write()

    def add(self, finished: ImageDone) -> None:
        """Take note of an image.

        Raises
        ------
        OutputError
            If the disk is full.
        """
        line = finished.line
        if self._objects is not None and finished.rows:
            self._objects.add(line.name, finished.rows)
        if self._sheet is not None and line.has_result:
            self._sheet.add(line)
        self._lines.append(replace(line, thumbnail=None))
        if time.monotonic() - self._listed > _INTERVAL:
            self._write_list()

    def _write_list(self) -> None:
        if self._listing is not None:
            write_table(self._listing, list_table(self._lines))
        self._listed = time.monotonic()
