"""The table of tasks, and how one is made from its description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unet_napari.errors import SettingsError
from unet_napari.tasks.base import Task
from unet_napari.tasks.cells import CellsTask
from unet_napari.tasks.semantic import SemanticTask

__all__ = ["TASKS", "make_task"]

TASKS: dict[str, type[Task]] = {task.name: task for task in (CellsTask, SemanticTask)}


def make_task(description: Mapping[str, Any]) -> Task:
    """Make a task from `Task.to_dict`, or from a part of it: the rest has its default.

    Parameters
    ----------
    description
        ``{"name": "cells" | "semantic", ...}``. It may come out of a file nobody vouches for:
        every value is checked before anything is made of it.

    Raises
    ------
    SettingsError
        If the description names no task of ours, or a setting outside its range.

    Examples
    --------
    >>> make_task({"name": "semantic", "classes": [1, 2], "criterion": "focal"}).out_channels
    2
    """
    if not isinstance(description, Mapping) or not isinstance(description.get("name"), str):
        raise SettingsError("A task is described by a name and its settings.")
    settings = dict(description)
    name = settings.pop("name")
    if name not in TASKS:
        raise SettingsError(f"There is no task {name[:40]!r}, only {' and '.join(TASKS)}.")
    return TASKS[name].from_dict(settings)
