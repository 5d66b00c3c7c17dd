"""What the output of a network means: encode labels, loss, activate, decode, score.

It may import `evaluation`.
"""

from unet_napari.tasks.base import Task
from unet_napari.tasks.build import TASKS, make_task
from unet_napari.tasks.cells import CellsTask
from unet_napari.tasks.criterion import Criterion
from unet_napari.tasks.semantic import SemanticTask
from unet_napari.tasks.target import Target

__all__ = ["TASKS", "CellsTask", "Criterion", "SemanticTask", "Target", "Task", "make_task"]
