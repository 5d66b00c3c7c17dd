"""The versions of a model: what its file held before each further training. Free of torch.

The versions of ``cells.unet`` lie beside it, in the folder ``cells.versions``, and are models like
any other: ``3.unet`` can be copied, loaded and passed on.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.errors import ModelFileError, OutputError
from unet_napari.model.file import SUFFIX
from unet_napari.model.info import read_info
from unet_napari.system.atomic import open_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Version",
    "copy_model_file",
    "go_back",
    "keep_version",
    "versions_folder",
    "versions_of",
]

_FOLDER = ".versions"
_KEPT_VERSIONS = 10


@dataclass(frozen=True)
class Version:
    """What a model was at some time.

    Attributes
    ----------
    number
        Counts up from 1; a later version has a higher number.
    path
        Its model file.
    score, score_name
        What it reached; None where it was not judged.
    saved
        When the training saved it, in seconds since 1970.
    painted
        What it was trained on, such as "14 cells in 2 images"; "" where that is not known.
    """

    number: int
    path: Path
    score: float | None
    score_name: str
    saved: float
    painted: str


def versions_of(path: Path) -> tuple[Version, ...]:
    """Return the versions of a model, newest first; those that cannot be read are left out.

    Parameters
    ----------
    path
        The model file; what it holds at present is not among them.
    """
    found = []
    for number, file in sorted(_files(path).items(), reverse=True):
        try:
            about = read_info(file).provenance
            found.append(_described(number, file, about))
        except (ModelFileError, OSError):
            continue
    return tuple(found)


def keep_version(path: Path) -> Version | None:
    """Keep a copy of what a model file holds now, before another training replaces it.

    Of more than ten versions the oldest goes. What is the newest version already is not kept twice.

    Returns
    -------
    Version or None
        The version; None where there is no such file, or it is no model.

    Raises
    ------
    OutputError
        If the copy cannot be written.
    """
    return _keep(path, spare=None)


def go_back(path: Path, number: int) -> None:
    """Let a model be what it was in a version; what it is now becomes a version itself.

    Raises
    ------
    ModelFileError
        If there is no such version, or it is damaged.
    OutputError
        If a file cannot be written. The model is then as it was.
    """
    file = _files(path).get(number)
    if file is None:
        known = ", ".join(map(str, sorted(_files(path)))) or "none yet"
        raise ModelFileError(f"'{path.name}' has no version {number}. There are: {known}.")
    read_info(file)
    _keep(path, spare=number)
    copy_model_file(file, path)


def _keep(path: Path, spare: int | None) -> Version | None:
    try:
        about = read_info(path).provenance
    except ModelFileError:
        return None
    files = _files(path)
    newest = max(files, default=0)
    if newest and filecmp.cmp(path, files[newest], shallow=False):
        return _described(newest, files[newest], about)
    target = versions_folder(path) / f"{newest + 1}{SUFFIX}"
    try:
        target.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"The versions of '{path}' cannot be kept: {error}.") from error
    copy_model_file(path, target)
    old = sorted(number for number in files if number != spare)
    for number in old[: max(0, len(files) + 1 - _KEPT_VERSIONS)]:
        files[number].unlink(missing_ok=True)
    return _described(newest + 1, target, about)


def copy_model_file(source: Path, target: Path) -> None:
    """Copy a file in one step, with the time at which it was saved.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    status = source.stat()
    with source.open("rb") as content, open_atomic(target) as file:
        shutil.copyfileobj(content, file)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def versions_folder(path: Path) -> Path:
    """Return where the versions of a model lie; there may be no such folder."""
    return path.with_suffix(_FOLDER)


def _files(path: Path) -> dict[int, Path]:
    found = versions_folder(path).glob(f"*{SUFFIX}")
    return {int(file.stem): file for file in found if file.stem.isdecimal() and file.is_file()}


def _described(number: int, file: Path, about: Mapping[str, Any]) -> Version:
    score, painted = about.get("score"), about.get("painted")
    return Version(
        number,
        file,
        float(score) if isinstance(score, int | float) else None,
        str(about.get("score_name") or ""),
        file.stat().st_mtime,
        painted if isinstance(painted, str) else "",
    )
