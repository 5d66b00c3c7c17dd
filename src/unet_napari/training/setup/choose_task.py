"""The task of a training: from the labels, the settings and the model that it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unet_napari.tasks import Task, make_task, task_class
from unet_napari.tasks.base import PaintedParts

if TYPE_CHECKING:
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.sample import Sample

__all__ = ["choose_task"]


def choose_task(
    config: TrainConfig,
    samples: Sequence[Sample],
    training: Sequence[Sample],
    spacing: Sequence[float],
    start: Task | None,
) -> Task:
    """Return the task, with all that the settings leave open; see `Task.suited`.

    Parameters
    ----------
    config
        The settings; what its ``task_options`` and its ``loss`` say counts more than anything else.
        Parameters of a loss without its name are those of the task's usual loss.
    samples
        All that was painted.
    training
        What of it is trained on.
    spacing
        Relative pixel size per axis.
    start
        Task of the model that training starts from.

    Raises
    ------
    SettingsError
        For an unknown option of the task or a value outside its range.
    """
    painted = PaintedParts(
        [sample.labelled for sample in samples], [sample.labelled for sample in training], spacing
    )
    options = dict(config.task_options)
    if config.loss is not None or config.loss_options:
        name = config.loss or make_task({"name": config.task}).criterion.name
        options["criterion"] = {"name": name, **config.loss_options}
    return task_class(config.task).suited(options, painted, start)
