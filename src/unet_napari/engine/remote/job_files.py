"""Which fields of jobs are files, and how they travel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from unet_napari.errors import SettingsError
from unet_napari.model.info import find_model, is_bundled
from unet_napari.model.versions import keep_version
from unet_napari.system.atomic import check_output, open_atomic

__all__ = ["JobFiles", "WantedFile", "job_files", "model_here", "put_in_place", "refuse_unseen"]

_CHOSEN_THERE = ("auto", "nothing")  # instead of a model to start from


class JobFiles(NamedTuple):
    """The fields of a job that are files.

    Attributes
    ----------
    models
        Fields that are names or paths of models, which the job reads.
    written
        Fields that are paths of files that the job writes.
    """

    models: tuple[str, ...] = ()
    written: tuple[str, ...] = ()


class WantedFile(NamedTuple):
    """A file that the host sends back.

    Attributes
    ----------
    path
        Where it goes.
    model
        Whether it is a model, of which what was there before becomes a version.
    """

    path: Path
    model: bool


_FILES: Mapping[str, JobFiles] = {
    "DiameterJob": JobFiles(models=("model",)),
    "SegmentFileJob": JobFiles(models=("model",)),
    "SegmentListJob": JobFiles(models=("model",)),
    "SegmentJob": JobFiles(models=("model",)),
    "SegmentRegionJob": JobFiles(models=("model",)),
    "TrainJob": JobFiles(models=("start_from",), written=("output", "state")),
}


def job_files(name: str) -> JobFiles:
    """Return which fields of the jobs of a class are files."""
    return _FILES.get(name, JobFiles())


def model_here(name_or_path: str) -> Path | None:
    """Return the file of a model; None where the host has it too, or chooses one.

    Raises
    ------
    ModelFileError
        If there is no such model.
    """
    if name_or_path in _CHOSEN_THERE:
        return None
    path = find_model(name_or_path)
    return None if is_bundled(path) else path


def put_in_place(whole: Path, wanted: WantedFile, *, first: bool) -> None:
    """Put a file that was sent in its place.

    Parameters
    ----------
    whole
        What was sent; it is gone afterwards.
    wanted
        Its place.
    first
        Whether it is the first of its job.

    Raises
    ------
    OutputError
        If it cannot be written there.
    """
    check_output(wanted.path, overwrite=True)
    if wanted.model and first:  # another training's model becomes a version
        keep_version(wanted.path)
    with whole.open("rb") as source, open_atomic(wanted.path) as file:
        while block := source.read(1 << 20):
            file.write(block)
    whole.unlink(missing_ok=True)


def refuse_unseen(path: str) -> SettingsError:
    """Return the error for a file that a host would have to read or write, but cannot."""
    return SettingsError(
        f"'{path}' is not seen by the host: name a folder that both computers see (under "
        "Computing, or with --host-folders), or compute on this one."
    )
