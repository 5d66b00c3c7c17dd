"""What the engine is asked to train."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unet_napari._napari.jobs.job import Job
from unet_napari._napari.sections.paint import Snapshot, detect, share_pair
from unet_napari.engine import TrainJob
from unet_napari.training.config import TrainConfig
from unet_napari.training.state.state_file import state_beside

__all__ = ["train_job"]


def train_job(
    job: Job,
    snapshots: Sequence[Snapshot],
    *,
    rules: Mapping[str, Any],
    values: Mapping[str, Any],
    output: Path,
    start_from: str | None,
    resume: bool = False,
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
    resume : bool
        Go on from the state that a training of this model has left.

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
        pairs=tuple(share_pair(job, snapshot, config.task) for snapshot in snapshots),
        config=config.to_dict(),
        output=str(output),
        name=output.stem,
        start_from=None if resume else start_from,
        state=str(state_beside(output)),
        resume=resume,
    )
