"""Letters for the axes of a zarr array, found by their type, their name or their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unet_napari.images.axes import AXES, SPATIAL_AXES

__all__ = ["letters_of"]

_AXIS_TYPES = {"time": "T", "channel": "C"}
_USUAL_NAMES = {
    "T": ("t", "time", "frame", "frames", "timepoint"),
    "C": ("c", "ch", "channel", "channels", "band"),
    "Z": ("z", "depth", "slice", "plane", "section"),
    "Y": ("y", "row", "height"),
    "X": ("x", "column", "col", "width"),
}
_LETTERS = {name: letter for letter, names in _USUAL_NAMES.items() for name in names}


def letters_of(axes: Sequence[Any]) -> str | None:
    """Return the letters of axes as OME-Zarr, zarr 3 or xarray describe them.

    In OME-Zarr the type of an axis says what it is, and its name is free
    (https://ngff.openmicroscopy.org/0.5/#axes-md); without a type the usual names are understood.

    Parameters
    ----------
    axes : sequence
        For each axis its name, or a mapping with its ``name`` and perhaps its ``type``.

    Returns
    -------
    str or None
        One letter of ``TCZYX`` for each axis; None if the letter of one is not known.
    """
    described = [axis if isinstance(axis, dict) else {"name": axis} for axis in axes]
    spatial = [axis for axis in described if axis.get("type") == "space"]
    letters = ""
    for axis in described:
        kind = axis.get("type")
        letter = _AXIS_TYPES.get(kind) if isinstance(kind, str) else None
        letter = letter or _LETTERS.get(str(axis.get("name", "")).lower(), "")
        if kind == "space" and letter not in SPATIAL_AXES:
            letter = ""
        if kind == "space" and not letter and len(spatial) <= len(SPATIAL_AXES):
            place = next(number for number, one in enumerate(spatial) if one is axis)
            letter = SPATIAL_AXES[place - len(spatial)]
        letters += letter
    known = len(letters) == len(described) == len(set(letters))
    return letters if letters and known and set(letters) <= set(AXES) else None
