"""Tables written to files: CSV, and Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from unet_napari.errors import OutputError
from unet_napari.system.atomic import open_atomic

__all__ = ["TABLE_SUFFIXES", "check_table_name", "print_table", "text_as_parquet", "write_table"]

TABLE_SUFFIXES = (".csv", ".parquet")
"""Endings of the tables that can be written."""


def check_table_name(path: Path) -> None:
    """Raise `OutputError`, before the work, if a table of this name cannot be written."""
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise OutputError(f"{path} must end in {' or '.join(TABLE_SUFFIXES)}.")
    if suffix == ".parquet":
        _pyarrow()


def write_table(path: Path, table: Mapping[str, Sequence[object]]) -> None:
    """Write columns to a file, whole or not at all.

    Parameters
    ----------
    path
        Parquet if it ends in ``.parquet``, else CSV. In CSV a number that is not known is empty.
    table
        Columns of equal length.

    Raises
    ------
    OutputError
        If the file cannot be written, or pyarrow is missing, which Parquet takes.
    """
    write = _write_parquet if path.suffix.lower() == ".parquet" else _write_csv
    with open_atomic(path) as file:
        write(file, table)


def print_table(file: TextIO, table: Mapping[str, Sequence[object]]) -> None:
    """Write columns as CSV to an open file; a number that is not known is empty."""
    writer = csv.writer(file)
    writer.writerow(table)
    for row in zip(*table.values(), strict=True):
        writer.writerow(["" if isinstance(v, float) and math.isnan(v) else v for v in row])


def text_as_parquet(text: BinaryIO, file: BinaryIO, texts: Sequence[str]) -> None:
    """Write a CSV of numbers as Parquet.

    Parameters
    ----------
    text
        The CSV, read from where it is.
    file
        Takes the Parquet.
    texts
        Columns that hold text, whatever they look like; all others are numbers.

    Raises
    ------
    OutputError
        If pyarrow is missing.
    """
    pyarrow, parquet = _pyarrow()
    from pyarrow import csv as arrow_csv

    start, known = text.tell(), dict.fromkeys(texts, pyarrow.string())
    try:
        table = arrow_csv.read_csv(
            text, convert_options=arrow_csv.ConvertOptions(column_types=known)
        )
    except pyarrow.ArrowInvalid:  # whole numbers at first, and fractions far below
        text.seek(start)
        names = next(csv.reader([text.readline().decode()]))
        text.seek(start)
        types = dict.fromkeys(names, pyarrow.float64()) | known
        table = arrow_csv.read_csv(
            text, convert_options=arrow_csv.ConvertOptions(column_types=types)
        )
    parquet.write_table(table, file)


def _write_csv(file: BinaryIO, table: Mapping[str, Sequence[object]]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    print_table(text, table)
    text.detach()  # which writes the rest, and leaves the file open


def _write_parquet(file: BinaryIO, table: Mapping[str, Sequence[object]]) -> None:
    pyarrow, parquet = _pyarrow()
    # A column that only some images have is empty for the others.
    columns = {
        name: [None if isinstance(v, str) and not v else v for v in values]
        for name, values in table.items()
    }
    parquet.write_table(pyarrow.table(columns), file)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise OutputError(
            'A table in Parquet takes the package pyarrow: pip install "unet-napari[parquet]", or '
            "write a .csv."
        ) from None
    return pyarrow, parquet
