"""Tables between markers in a document, replaced only when they are whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["NETWORKS", "replace_table"]

NETWORKS = Path(__file__).parents[1] / "docs" / "guide" / "models" / "networks.md"


def replace_table(document: Path, name: str, lines: Sequence[str]) -> None:
    """Put lines between ``<!-- table NAME -->`` and ``<!-- end NAME -->``.

    Whatever ends the program leaves the document as it was or with the whole new table.
    """
    text = document.read_text(encoding="utf-8")
    start, end = f"<!-- table {name} -->", f"<!-- end {name} -->"
    before, rest = text.split(start)
    _, after = rest.split(end)
    table = "\n".join([start, "", *lines, "", end])
    part = document.with_name(document.name + ".part")
    try:
        part.write_text(before + table + after, encoding="utf-8")
        part.replace(document)
    finally:
        part.unlink(missing_ok=True)
