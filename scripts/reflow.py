"""Break the lines of pages after each sentence, so that a change of one sentence is one line.

A sentence of more than 200 characters is broken at a comma or the like. Headlines, tables, code
and comments stay as they are.

Usage: python scripts/reflow.py [PAGE ...]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["pages", "reflow"]

WIDTH = 200
_KEPT = re.compile(r"^\s*($|#|\||<|>|\[[^\]]+\]:|!\[|\$\$|---)")
_ITEM = re.compile(r"^(\s*)([-*+]|\d+\.) +")
_FENCE = re.compile(r"^\s*(```|~~~)")
# A full stop, perhaps a bracket or quote that closes, then what a sentence begins with.
_END = re.compile(
    r"[.!?][)\"'*_`\]]* (?=[\"'(*_`\[]*[A-Z0-9`\u0400-\u04ff]|[\[`]*(?:unet-)?napari\b)"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|et al|vs|cf|ca|approx|[Ff]ig|[Ee]qs?|No|[A-Z])|\.\.)\.$"
)
_CODE = re.compile(r"`[^`]*`|\[[^\]]*\]\([^)]*\)|\$[^$]+\$")
_PAUSES = ("; ", ": ", ", ", " ")


def reflow(text: str) -> str:
    """Return a page in Markdown with one sentence per line."""
    lines: list[str] = []
    paragraph: list[str] = []
    fenced = False
    for line in text.splitlines():
        fence = bool(_FENCE.match(line))
        kept = bool(fence or fenced or _KEPT.match(line))
        kept |= line.startswith("    ") and not (paragraph or _ITEM.match(line))  # code
        if kept or _ITEM.match(line):
            lines += _sentences(paragraph)
            paragraph = []
        fenced ^= fence
        if kept:
            lines.append(line.rstrip())
        else:
            paragraph.append(line)
    lines += _sentences(paragraph)
    return "\n".join(lines).rstrip() + "\n"


def pages(root: Path) -> list[Path]:
    """Return the pages of a repository that are kept so."""
    inner = [*(root / "docs").rglob("*.md"), *(root / "benchmarks").rglob("*.md")]
    return sorted([*root.glob("*.md"), *inner])


def _sentences(paragraph: list[str]) -> Iterator[str]:
    """Yield the lines of a paragraph, or of an item of a list with its indent."""
    if not paragraph:
        return
    item = _ITEM.match(paragraph[0])
    start = item[0] if item else re.match(r"\s*", paragraph[0])[0]  # type: ignore[index]
    text = " ".join(line.strip() for line in [paragraph[0][len(start) :], *paragraph[1:]])
    for sentence in _split(text):
        for part in _parts(sentence, WIDTH - len(start)):
            yield start + part
            start = " " * len(start)


def _split(text: str) -> Iterator[str]:
    """Yield the sentences of a text."""
    hidden = [span.span() for span in _CODE.finditer(text)]
    begin = 0
    for found in _END.finditer(text):
        end = found.end() - 1
        inside = any(start < found.start() + 1 < stop for start, stop in hidden)
        if inside or _ABBREVIATION.search(text[begin : found.start() + 1]):
            continue
        yield text[begin:end]
        begin = found.end()
    yield text[begin:]


def _parts(sentence: str, width: int) -> Iterator[str]:
    """Yield a sentence in lines of at most a width, broken where a reader pauses."""
    while len(sentence) > width:
        hidden = [span.span() for span in _CODE.finditer(sentence)]
        cut = 0
        for pause in _PAUSES:
            places = [at.end() for at in re.finditer(re.escape(pause), sentence[: width + 1])]
            cut = max(
                (
                    place
                    for place in places
                    if place >= width // 4
                    and not any(start < place < stop for start, stop in hidden)
                    and not re.match(r"[-*+#>|<!]|\d+\.", sentence[place:])
                ),
                default=0,
            )
            if cut:
                break
        if not cut:
            break
        yield sentence[:cut].rstrip()
        sentence = sentence[cut:]
    yield sentence


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]) if sys.argv[1:] else pages(Path(__file__).parents[1]):
        before = page.read_text("utf-8")
        if (after := reflow(before)) != before:
            page.write_text(after, "utf-8")
            print(f"{page}: lines broken after sentences")
