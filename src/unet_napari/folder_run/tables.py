"""The tables and the contact sheet of a list of images, written now and then and at the end."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from unet_napari.folder_run.contact_sheet import ContactSheet
from unet_napari.folder_run.image_line import ImageLine, list_table
from unet_napari.folder_run.object_rows import ObjectRows
from unet_napari.folder_run.spool import open_spool
from unet_napari.labels.table_files import write_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
        self._objects_path, self._listing, self._sheet_path = objects, listing, sheet
        self._objects: ObjectRows | None = None
        self._sheet: ContactSheet | None = None
        self._lines: list[ImageLine] = []
        self._listed = time.monotonic()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Take note of images in the block, and write what there is at its end.

        Raises
        ------
        OutputError
            If the folder of a table cannot be written to.
        """
        with ExitStack() as files:
            if self._objects_path is not None:
                spool = files.enter_context(open_spool(self._objects_path))
                self._objects = ObjectRows(self._objects_path, spool)
            if self._sheet_path is not None:
                spool = files.enter_context(open_spool(self._sheet_path))
                self._sheet = ContactSheet(self._sheet_path, spool)
            try:
                yield
            except BaseException:
                if self._lines:
                    self._write()
                raise
            self._write()
            if self._sheet is not None:
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

    def _write(self) -> None:
        if self._objects is not None:
            self._objects.write()
        self._write_list()

    def _write_list(self) -> None:
        if self._listing is not None:
            write_table(self._listing, list_table(self._lines))
        self._listed = time.monotonic()
