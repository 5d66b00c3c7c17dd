"""What the output of a network means: encode labels, loss, activate, decode, score.

It may import `evaluation`.

The room `kinds` is free of torch, and so is this module until one of its names is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unet_napari._lazy import lazy

if TYPE_CHECKING:
    from unet_napari.tasks.base import Task
    from unet_napari.tasks.build import make_task, task_class
    from unet_napari.tasks.cells import CellsTask
    from unet_napari.tasks.criterion import Criterion
    from unet_napari.tasks.semantic import SemanticTask
    from unet_napari.tasks.target import Target

__all__ = [
    "CellsTask",
    "Criterion",
    "SemanticTask",
    "Target",
    "Task",
    "make_task",
    "task_class",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "CellsTask": "cells",
        "Criterion": "criterion",
        "SemanticTask": "semantic",
        "Target": "target",
        "Task": "base",
        "make_task": "build",
        "task_class": "build",
    },
)
