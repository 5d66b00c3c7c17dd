"""What tells one segmentation from another, so that a stopped one goes on only with itself."""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unet_napari.images import Image, Statistics
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.model.model import Model

__all__ = ["request_key"]

# Files of a zarr that are looked at. To look at more would take minutes, so a run whose image is in
# more files does not go on after a stop.
_MOST_FILES = 1_000_000


def request_key(
    image: Image, model: Model, config: InferenceConfig, statistics: Statistics
) -> str | None:
    """Return what tells one segmentation from another.

    That is a digest of the file's path, size and time (in a folder: of all its files), the part of
    it that is taken, its brightness, all of the model, the settings and the program's version.

    Returns
    -------
    str or None
        None for images that are in no file, and for folders of more than a million files.
    """
    if image.source is None:
        return None
    state = _state(_place_of(image))
    if state is None:
        return None
    facts = [
        version("unet-napari"), str(image.source.resolve()), state, image.shape, image.axes,
        str(image.data.dtype), sorted(image.fixed.items()), sorted(image.pixel_size.items()),
        statistics.to_dict(), config.to_dict(), model.task.to_dict(),
        type(model.network).__name__, model.network.options,
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(facts, default=str).encode())
    for name, tensor in sorted(model.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _place_of(image: Image) -> Path:
    """Return the file, or of a zarr the folder of the level that is read."""
    source = Path(image.source or "")
    root = getattr(getattr(image.data, "store", None), "root", None)
    return Path(root) if source.is_dir() and isinstance(root, Path) else source


def _state(place: Path) -> str | None:
    """Return a digest of the names, sizes and times of a file or of all files in a folder."""
    digest = hashlib.sha256()
    count = 0
    folders = [place]
    while folders:
        folder = folders.pop()
        entries = sorted(os.scandir(folder), key=_name) if folder.is_dir() else [folder]
        for entry in entries:
            path = Path(entry)
            if path != place and path.is_dir():
                folders.append(path)
                continue
            status = path.stat()
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
            count += 1
            if count > _MOST_FILES:
                return None
    return digest.hexdigest()


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name
