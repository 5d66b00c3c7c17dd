"""A picture of many images with the outlines of their objects, the most doubtful first."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.evaluation.sheet import draw_caption
from unet_napari.images.thumbnail import write_png

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from unet_napari.folder_run.image_line import ImageLine
    from unet_napari.folder_run.spool import Spool

    _Picture = NDArray[np.uint8]

__all__ = ["SHEET_SIDE", "ContactSheet"]

SHEET_SIDE = 160
"""Longest side of the thumbnails on a sheet, in pixels."""

# Distance between pictures, and the most that are shown: more make a picture that no program opens.
_GAP, _MOST = 6, 1000
_CHARACTERS = 24  # of a line of text below a picture
_WIDE = 1.5  # how many times wider than high the sheet is, about


@dataclass(frozen=True)
class _Kept:
    """A line, and where its thumbnail is in the spool."""

    line: ImageLine
    start: int
    stop: int
    shape: tuple[int, ...]


class ContactSheet:
    """Gathers thumbnails in a spool, and draws those that are to be doubted most.

    Parameters
    ----------
    path : Path
        The PNG.
    spool : Spool
        Takes the thumbnails.
    """

    def __init__(self, path: Path, spool: Spool) -> None:
        self._path, self._spool = path, spool
        self._kept: list[_Kept] = []

    def add(self, line: ImageLine) -> None:
        """Take note of an image that has a thumbnail.

        Raises
        ------
        OutputError
            If the disk is full.
        """
        picture = np.ascontiguousarray(line.thumbnail)
        start, stop = self._spool.append(picture.tobytes())
        self._kept.append(_Kept(replace(line, thumbnail=None), start, stop, picture.shape))

    def write(self) -> None:
        """Draw the sheet; without any thumbnail there is none.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        shown = sorted(self._kept, key=_rank)[:_MOST]
        if not shown:
            return
        high = max(kept.shape[0] for kept in shown)
        wide = max(SHEET_SIDE, *(kept.shape[1] for kept in shown))
        cell = self._cell(shown[0], high, wide).shape
        columns = max(1, round(math.sqrt(len(shown) * _WIDE * cell[0] / cell[1])))
        rows = [
            self._row(shown[start : start + columns], columns, high, wide)
            for start in range(0, len(shown), columns)
        ]
        left_out = len(self._kept) - len(shown)
        if left_out:
            text = f"and {left_out:,} images that are to be doubted less"
            rows.append(_fitted(draw_caption(text, rows[0].shape[1]), rows[0].shape[1]))
        write_png(self._path, np.concatenate(rows))

    def _row(self, shown: list[_Kept], columns: int, high: int, wide: int) -> _Picture:
        """Draw images beside each other."""
        cells = [self._cell(kept, high, wide) for kept in shown]
        row = np.concatenate(cells, axis=1)
        missing = (columns - len(shown)) * (wide + _GAP)
        return np.pad(row, ((0, _GAP), (0, missing), (0, 0)))

    def _cell(self, kept: _Kept, high: int, wide: int) -> _Picture:
        content = self._spool.read(kept.start, kept.stop)
        picture = np.frombuffer(content, np.uint8).reshape(kept.shape)
        below, beside = high - kept.shape[0], wide - kept.shape[1]
        padded = np.pad(picture, ((0, below), (0, beside), (0, 0)))
        texts = [_fitted(draw_caption(text, wide), wide) for text in _captions(kept.line)]
        cell = np.concatenate([padded, *texts])
        return np.pad(cell, ((0, 0), (0, _GAP), (0, 0)))


def _rank(kept: _Kept) -> tuple[float, int]:
    """Sort by doubt, the most doubtful first; what is not known comes last."""
    doubt = kept.line.doubt
    return (1.0 if doubt is None else -doubt, kept.line.number)


def _captions(line: ImageLine) -> tuple[str, str]:
    """Return the name, and what was found, each in a line that fits below a picture."""
    name = line.name
    if len(name) > _CHARACTERS:
        name = f"{name[: _CHARACTERS // 2 - 1]}\u2026{name[-_CHARACTERS // 2 :]}"
    facts = [] if line.objects is None else [f"{line.objects:,} objects"]
    if line.doubt is not None:
        facts.append(f"doubt {line.doubt:.2f}")
    return name, ", ".join(facts)


def _fitted(picture: _Picture, wide: int) -> _Picture:
    """Cut off what is wider than a picture."""
    return picture[:, :wide]
