"""What the engine is asked to train, and where the model goes."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unet_napari._napari.job import Job
from unet_napari._napari.paint import Snapshot, detect, share_pair
from unet_napari.engine import TrainJob
from unet_napari.errors import SettingsError
from unet_napari.model_info import list_models, models_folder
from unet_napari.training.config import TrainConfig

__all__ = ["model_path", "train_job", "unused_name"]

_LONGEST = 80  # characters of a file's name


def train_job(
    job: Job,
    snapshots: Sequence[Snapshot],
    *,
    rules: Mapping[str, Any],
    values: Mapping[str, Any],
    output: Path,
    start_from: str | None,
) -> TrainJob:
    """Check what is painted and make it readable by the engine; runs beside the viewer.

    Parameters
    ----------
    job : Job
        The engine.
    snapshots : sequence of Snapshot
        What to train on.
    rules : mapping
        Keyword arguments of `detect`.
    values : mapping
        Fields of `TrainConfig`; a `patch` of one number counts for all axes.
    output : Path
        The model file to write.
    start_from : str or None
        Model to refine.

    Raises
    ------
    LabelsError, SettingsError, ResourceError
        Naming what is wrong and the remedy.
    """
    snapshots = [snapshot.settled() for snapshot in snapshots]
    ndim = min(detect(snapshot, **rules).ndim for snapshot in snapshots)
    patch = values["patch"]
    if patch is not None and len(patch) == 1:
        patch = patch * ndim
    config = TrainConfig.from_dict({**values, "patch": patch, "ndim": ndim})
    return TrainJob(
        pairs=tuple(share_pair(job, snapshot) for snapshot in snapshots),
        config=config.to_dict(),
        output=str(output),
        name=output.stem,
        start_from=start_from,
    )


def unused_name(wanted: str) -> str:
    """Return a name that no model has yet, such as ``nuclei cells 2``."""
    base = _safe(wanted) or "model"
    taken = {model.name.casefold() for model in list_models()}
    names = (base if n == 1 else f"{base} {n}" for n in range(1, len(taken) + 2))
    return next(name for name in names if name.casefold() not in taken)


def model_path(name: str) -> Path:
    """Return the file of a model in the models folder.

    Raises
    ------
    SettingsError
        If there is nothing in the name that a file could be called.
    OutputError
        If there is no folder that can be written to.
    """
    safe = _safe(name)
    if not safe:
        raise SettingsError("Give the model a name with letters or digits (under Model).")
    return models_folder() / f"{safe}.unet"


def _safe(name: str) -> str:
    """Keep what every file system takes; a name is never a path."""
    return re.sub(r"[^\w\-+.,() ]+", "_", name).strip(" ._")[:_LONGEST].strip()
