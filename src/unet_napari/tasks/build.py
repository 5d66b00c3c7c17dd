"""How a task is made from its description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unet_napari.errors import SettingsError
from unet_napari.registry import load_object
from unet_napari.tasks.base import Task
from unet_napari.tasks.kinds.catalogue import task_kind

__all__ = ["make_task", "task_class"]


def task_class(name: object) -> type[Task]:
    """Return the class of a task by its name.

    Raises
    ------
    SettingsError
        If there is no such task.
    """
    kind = task_kind(name)
    found: type[Task] = load_object(kind.implementation, f"the task {kind.name!r}")
    return found


def make_task(description: Mapping[str, Any]) -> Task:
    """Make a task from `Task.to_dict`, or from a part of it: the rest has its default.

    Parameters
    ----------
    description : mapping
        ``{"name": ..., ...}``, with a name of `TASK_KINDS`. It may come out of a file that nobody
        vouches for: every value is checked before anything is made of it.

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
    return task_class(settings.pop("name")).from_dict(settings)
