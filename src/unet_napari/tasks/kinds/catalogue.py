"""Which tasks there are. To add one, see ``docs/extending.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unet_napari.registry import Registry
from unet_napari.tasks.kinds.classes import ClassKind
from unet_napari.tasks.kinds.kind import TaskKind
from unet_napari.tasks.kinds.objects import ObjectKind

__all__ = ["CELLS", "SEMANTIC", "TASK_KINDS", "described_kind", "task_kind", "task_texts"]

CELLS = ObjectKind(
    name="cells",
    implementation="unet_napari.tasks.cells:CellsTask",
    title="separate cells",
    help="Separate cells: paint every cell (or nucleus, or anything countable) with a\n"
    "number of its own; the result tells them apart.",
    thing="cell",
    things="cells",
    found="cells",
    file_word="cells",
    nothing_painted="Nothing is painted yet: paint some cells, each with a label number of its "
    "own.",
    verdicts=(
        "most cells are not found: train longer, or paint more",
        "about half of the cells are right",
        "most cells are right",
        "nearly all cells are right",
    ),
)

SEMANTIC = ClassKind(
    name="semantic",
    implementation="unet_napari.tasks.semantic:SemanticTask",
    title="classes of pixels",
    help="Classes of pixels: every number is a kind of thing, such as 1 for background and\n"
    "2 for membrane; paint the background like any other class.",
    thing="class",
    things="classes",
    found="classes of pixels",
    file_word="classes",
    nothing_painted="Nothing is painted yet: paint a few strokes of each class, each class with a "
    "label number of its own.",
    verdicts=(
        "most of the area is wrong",
        "about half of the area is right",
        "most of the area is right",
        "nearly all of the area is right",
    ),
)

TASK_KINDS: Registry[TaskKind] = Registry("task", (CELLS, SEMANTIC))


def task_kind(name: object) -> TaskKind:
    """Return the kind of a task by its name.

    Raises
    ------
    SettingsError
        If there is no such task.
    """
    return TASK_KINDS.find(name)


def described_kind(task: Mapping[str, Any]) -> TaskKind | None:
    """Return the kind of a task as a model file describes it; None if we do not know the task."""
    name = task.get("name")
    return TASK_KINDS.get(name) if isinstance(name, str) else None


def task_texts() -> tuple[tuple[object, str], ...]:
    """Return pairs of each task's name and what the docks call it."""
    return tuple((one.name, one.title) for one in TASK_KINDS.values())
