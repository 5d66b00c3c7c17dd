"""What a person types, turned into values: durations, sizes, lists, folders of files."""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path
from typing import Any, TypeAlias

from unet_napari.errors import ImageError, warn_user

__all__ = [
    "Subparsers",
    "duration",
    "image_files",
    "integers",
    "memory",
    "pixel_sizes",
    "positive_integer",
    "scene",
    "setting",
    "stem",
]

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What a command adds its parser to."""

_SECONDS_OF_UNIT = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}
_BYTES_OF_UNIT = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
# Endings of images that other programs may read; that they are left out of a folder is said.
_FOREIGN_ENDINGS = (
    *(".czi", ".lif", ".nd2", ".oir", ".oib", ".oif", ".vsi", ".ims", ".dv", ".sld", ".mrc"),
    *(".nii", ".nii.gz", ".nrrd", ".mha", ".npy", ".h5", ".gif", ".webp", ".jp2"),
)


def duration(text: str) -> float:
    """Turn ``90``, ``90s``, ``3min`` or ``1.5h`` into seconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([a-z]*)\s*", text.lower())
    if match is None or match[2] not in _SECONDS_OF_UNIT or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write 90s, 3min or 1h")
    return float(match[1]) * _SECONDS_OF_UNIT[match[2]]


def memory(text: str) -> int:
    """Turn ``2GiB``, ``500MB`` or ``1073741824`` into bytes (binary units)."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([kmgt]?)(?:i?b)?\s*", text.lower())
    if match is None or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of memory; write 2GiB or 500MiB")
    return int(float(match[1]) * _BYTES_OF_UNIT[match[2]])


def integers(text: str) -> tuple[int, ...] | None:
    """Turn ``64,256,256`` into a tuple and ``auto`` into None."""
    if text.strip().lower() == "auto":
        return None
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or min(values) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not auto and not a list like 64,256,256")
    return values


def positive_integer(text: str) -> int:
    """Turn ``4`` into a number that is at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def pixel_sizes(text: str) -> dict[str, float]:
    """Turn ``0.25``, ``2,0.25,0.25`` or ``Z=2,Y=0.25,X=0.25`` into micrometres by axis letter.

    A single number is the size along Y and X; two are those along Y and X, three along Z, Y and X.
    """
    sizes: dict[str, float] = {}
    parts = [part.partition("=") for part in text.upper().split(",")]
    named = [axis.strip() for axis, sign, _ in parts if sign]
    bare = {1: ("YX",), 2: ("Y", "X"), 3: ("Z", "Y", "X")}.get(len(parts), ())
    axes = named or bare
    for (first, sign, last), letters in zip(parts, axes, strict=False):
        try:
            size = float(last if sign else first)
        except ValueError:
            size = math.nan
        if not (math.isfinite(size) and size > 0) or bool(sign) != bool(named):
            break
        sizes |= dict.fromkeys(letters, size)
    if any(len(axis) != 1 for axis in named):
        sizes = {}
    if len(axes) != len(parts) or len(sizes) != sum(map(len, axes)) or {*sizes} - {*"ZYX"}:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no pixel size in micrometres; write 0.25, 2,0.25,0.25 or Z=2,Y=0.5,X=0.5"
        )
    return sizes


def scene(text: str) -> int | str:
    """Turn ``3`` into a number and leave the name of an image as it is."""
    return int(text) if text.isdecimal() else text


def setting(text: str) -> tuple[str, Any]:
    """Turn ``residual=true`` into a name and a value: JSON where it is, else the text itself."""
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def stem(path: Path) -> str:
    """Return the name of an image's file without its ending, double endings included."""
    from unet_napari.images.formats.names import image_name

    return image_name(path)


def image_files(where: Path) -> list[Path]:
    """List the images of a folder in the order of their names; a file stands for itself.

    Files that begin with a dot are skipped: macOS puts one beside each image on foreign disks.

    Raises
    ------
    ImageError
        If there is nothing at that path, or no image in the folder.

    Warns
    -----
    UnetNapariWarning
        If images are left out because their format cannot be read.
    """
    from unet_napari.images.formats.names import is_image_name, way_out
    from unet_napari.images.formats.read_zarr import is_zarr

    if not where.exists():
        raise ImageError(f"There is no file or folder {where}.")
    if where.is_file() or where.suffix.lower() == ".zarr" or is_zarr(where):
        return [where]
    names = sorted(path.name for path in where.iterdir() if not path.name.startswith("."))
    found = [name for name in names if is_image_name(name)]
    foreign = [n for n in names if n.lower().endswith(_FOREIGN_ENDINGS) and n not in found]
    listed = ", ".join(foreign[:3]) + (" ..." if len(foreign) > 3 else "")
    if not found:
        what = f"only {listed}" if foreign else "no image that can be read"
        raise ImageError(f"The folder {where} contains {what}. {way_out()}.")
    if foreign:
        warn_user(
            f"{len(foreign)} of the files in {where} are left out: {listed}. {way_out()}.",
            stacklevel=2,
        )
    return [where / name for name in found]
