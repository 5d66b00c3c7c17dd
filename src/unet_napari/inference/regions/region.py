"""A region as it is said: boxes and outlines along the axes of an image, or a mask. No torch."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from unet_napari.checks import shorten
from unet_napari.errors import SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images import LazyArray
    from unet_napari.labels.outlines import Outline

    RegionSource: TypeAlias = (
        "ImageRegion | str | Path | Mapping[str, slice | int | tuple[int, int]] | NDArray[Any]"
    )
    """What a user may say of a region, see `ImageRegion.of`."""

__all__ = ["ImageRegion", "RegionPart"]

_AXES = "TZYX"
_HOW = (
    "write Y=100:400,X=0:300 for a box and YX=(10 20, 90 20, 50 80) for an outline, with Z=5 or "
    "T=0:3 where they do not go through all slices or time points; ';' stands between several"
)
# An item ends at a comma that is not within brackets.
_ITEMS = re.compile(r"\s*([A-Za-z]+)\s*=\s*(\([^()]*\)|[^,()=]+?)\s*(?:,|$)")
_SAID = re.compile(r"\s*[TZYXtzyx]{1,2}\s*=")
_DIGITS = 2  # of the corners of an outline: a hundredth of a pixel


@dataclass(frozen=True)
class RegionPart:
    """A box, or an outline in a plane of two axes.

    Attributes
    ----------
    spans : mapping of str to (int, int or None)
        Start and stop by axis letter; None is the end of the image. It goes through all of the
        axes that are not named.
    plane : str
        The two axes of the outline; empty for a box.
    corners : tuple of (float, float)
        The corners of the outline, in pixels along these axes, at least three.
    """

    spans: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    plane: str = ""
    corners: tuple[tuple[float, float], ...] = ()

    @property
    def axes(self) -> str:
        """The axes that are named."""
        return self.plane + "".join(self.spans)

    def __str__(self) -> str:
        """Return it as `ImageRegion.parse` reads it."""
        items = []
        if self.plane:
            corners = ", ".join(f"{a:g} {b:g}" for a, b in self._written)
            items.append(f"{self.plane}=({corners})")
        for axis, (start, stop) in self.spans.items():
            single = stop == start + 1
            items.append(f"{axis}={start if single else f'{start}:{_or_nothing(stop)}'}")
        return ",".join(items)

    @property
    def _written(self) -> Iterator[tuple[_Number, _Number]]:
        return ((_Number(a), _Number(b)) for a, b in self.corners)


class _Number(float):
    """A number that is written with as many digits as tell it from any other, and no more."""

    def __format__(self, _: str) -> str:
        return f"{int(self)}" if self.is_integer() else repr(float(self))


@dataclass(frozen=True)
class ImageRegion:
    """A part of an image: boxes and outlines, or a mask.

    Attributes
    ----------
    parts : tuple of RegionPart
        What it consists of; parts may overlap.
    mask : LazyArray or None
        Array of the shape of the image's labels, or of their last axes: the region is where it is
        not 0.
    file : Path or None
        The file that holds such a mask.
    """

    parts: tuple[RegionPart, ...] = ()
    mask: LazyArray | None = None
    file: Path | None = None

    @classmethod
    def of(cls, value: RegionSource) -> ImageRegion:
        """Return the region that a user means.

        Parameters
        ----------
        value : ImageRegion, str, Path, mapping or array
            Text as of `parse`, or the name of a file; the path of a file that holds a mask or
            labels; a box as a slice, a (start, stop) or a single position by axis letter; or an
            array of bool or integers that has the shape of the image's labels, or of their last
            axes, in which the region is not 0.

        Raises
        ------
        SettingsError
            If it is none of these.
        """
        if isinstance(value, ImageRegion):
            return value
        if isinstance(value, str) and (not value.strip() or _SAID.match(value)):
            return cls.parse(value)
        if isinstance(value, str | Path):
            if not Path(value).exists():
                raise SettingsError(
                    f"The region {str(value)!r} is no file, and no place either: {_HOW}."
                )
            return cls(file=Path(value))
        if isinstance(value, Mapping):
            return cls((_box_of(value),))
        dtype = getattr(value, "dtype", None)
        if dtype is not None and np.dtype(dtype).kind in "biu" and len(value.shape) >= 2:
            return cls(mask=value)
        raise SettingsError(
            "A region is text such as Y=100:400,X=0:300, a mapping such as "
            '{"Y": slice(100, 400)}, an array of bool or integers, or a file of one, '
            f"not {shorten(value) if dtype is None else f'an array of {dtype}'}."
        )

    @classmethod
    def parse(cls, text: str) -> ImageRegion:
        """Return the region that a text says.

        Parameters
        ----------
        text : str
            Boxes such as ``Y=100:400,X=0:300,Z=5``, with a start, a stop, both or a single
            position for each axis, counted from 0 and the stop not included; and outlines such as
            ``YX=(10 20, 90 20, 50 80),Z=5``, by their corners in pixels; ``;`` stands between
            several.

        Raises
        ------
        SettingsError
            If it says no region, with what is wrong.
        """
        said = [part for part in text.split(";") if part.strip()]
        if not said:
            raise SettingsError(f"The region is empty: {_HOW}.")
        return cls(tuple(_parsed(part) for part in said))

    @classmethod
    def from_outlines(cls, outlines: Sequence[Outline], axes: str) -> ImageRegion:
        """Return the region within outlines on the grid of an image with these axes.

        Their corners are taken to a hundredth of a pixel, so that the text says the same region.
        """
        return cls(tuple(_outlined(outline, axes) for outline in outlines))

    def __str__(self) -> str:
        """Return the parts as `parse` reads them, or what the mask is."""
        if self.file is not None:
            return str(self.file)
        return ";".join(map(str, self.parts)) if self.mask is None else "a mask"


def _or_nothing(stop: int | None) -> str:
    return "" if stop is None else str(stop)


def _outlined(outline: Outline, axes: str) -> RegionPart:
    plane = "".join(axes[axis] for axis in outline.plane)
    others = [letter for letter in axes if letter not in plane]
    spans = {
        letter: (at, at + 1)
        for letter, at in zip(others, outline.index, strict=True)
        if at is not None
    }
    corners = np.round(np.asarray(outline.outline, float), _DIGITS) + 0.0  # no -0
    return RegionPart(spans, plane, tuple((float(a), float(b)) for a, b in corners))


def _box_of(value: Mapping[str, Any]) -> RegionPart:
    """Return a box that is given by axis letter."""
    spans = {}
    for axis, span in value.items():
        if isinstance(span, slice):
            ends = (span.start, span.stop)
            if span.step not in (None, 1):
                raise SettingsError(
                    f"The region takes {axis} in steps of {span.step}; leave steps out."
                )
        else:
            ends = (span, span + 1) if isinstance(span, int | np.integer) else span
        try:
            start, stop = ends
            spans[str(axis)] = (int(start or 0), None if stop is None else int(stop))
        except (TypeError, ValueError) as error:
            raise SettingsError(
                f"The region along {axis} is a slice, a (start, stop) or a position, "
                f"not {shorten(span)}."
            ) from error
    return _checked(RegionPart(spans), str(dict(value)))


def _parsed(text: str) -> RegionPart:
    """Return the part that a text says."""
    spans: dict[str, tuple[int, int | None]] = {}
    plane, corners, end = "", "", 0
    for item in _ITEMS.finditer(text):
        if item.start() != end:
            break
        end = item.end()
        axes, said = item[1].upper(), item[2]
        if said.startswith("(") and not plane:
            plane, corners = axes, said[1:-1]
        elif axes in spans or (span := _span(said)) is None:
            break
        else:
            spans[axes] = span
    else:
        if end == len(text):
            return _checked(RegionPart(spans, plane, _corners(corners, text)), text)
    raise SettingsError(f"{shorten(text.strip())} is no region: {_HOW}.")


def _span(text: str) -> tuple[int, int | None] | None:
    match = re.fullmatch(r"(\d+)|(\d*)\s*:\s*(\d*)", text)
    if match is None:
        return None
    if match[1]:
        return int(match[1]), int(match[1]) + 1
    return int(match[2] or 0), int(match[3]) if match[3] else None


def _corners(said: str, text: str) -> tuple[tuple[float, float], ...]:
    corners = []
    for corner in said.split(",") if said.strip() else ():
        try:
            a, b = map(float, corner.split())
        except ValueError:
            a = b = math.nan
        if not math.isfinite(a + b):
            raise SettingsError(
                f"{shorten(corner.strip())} in {shorten(text.strip())} is no corner of an outline: "
                f"{_HOW}."
            )
        corners.append((a, b))
    return tuple(corners)


def _checked(part: RegionPart, text: str) -> RegionPart:
    """Return a part, or raise `SettingsError` with what is wrong with it."""
    said = shorten(text.strip())
    wrong = ""
    named = [*part.plane, *part.spans]
    if not named or any(axis not in tuple(_AXES) for axis in named):
        wrong = f"its axes are some of T, Z, Y and X, not {', '.join(named) or 'none'}"
    elif len(set(named)) < len(named):
        wrong = "it names an axis twice"
    elif part.plane and len(part.plane) != 2:
        wrong = "an outline lies in a plane of two axes, such as YX"
    elif part.plane and len(part.corners) < 3:
        wrong = "an outline has at least three corners"
    for axis, (start, stop) in part.spans.items():
        if start < 0 or (stop is not None and stop <= start):
            wrong = wrong or f"along {axis} it goes from {start} to {stop}, which holds no pixel"
    if wrong:
        raise SettingsError(f"{said} is no region: {wrong}.")
    return part
