"""What tasks are apart from their networks, and that nothing outside of them asks for a name."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import unet_napari
from unet_napari.errors import SettingsError
from unet_napari.tasks import task_class
from unet_napari.tasks.kinds.catalogue import CELLS, SEMANTIC, TASK_KINDS, described_kind, task_kind
from unet_napari.tasks.kinds.classes import count_pixels
from unet_napari.tasks.kinds.kind import Labelled

LABELS = np.array([[0, 3, 3, 0], [0, 3, 9, 9], [0, 0, 0, 9]], np.int32)
PART = Labelled(LABELS, np.array([[1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]], bool))


@pytest.mark.parametrize("name", TASK_KINDS)
def test_every_task_has_its_class(name):
    made = task_class(name)
    assert made.kind is TASK_KINDS[name]
    assert made.name == name
    assert made().kind.name == made().to_dict()["name"]


def asked_names(tree):
    """Yield each constant that a value is compared with, or that picks an entry of a table."""
    for node in ast.walk(tree):
        found = []
        if isinstance(node, ast.Compare):
            found = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            found = [node.value]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) != "Literal":
            found = [node.slice]
        elif isinstance(node, ast.Dict):
            found = [key for key in node.keys if key is not None]
        for part in found:
            for constant in ast.walk(part):
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    yield constant.value, node.lineno


def test_no_file_outside_tasks_asks_for_the_name_of_a_task():
    root = Path(unet_napari.__file__).parent
    files = [file for file in root.rglob("*.py") if file.relative_to(root).parts[0] != "tasks"]
    assert len(files) > 100
    asked = [
        f"{file.relative_to(root)}:{line} asks for {name!r}: ask `task_kind(name)` for what is "
        "needed, and make it a member of TaskKind if it is not there"
        for file in files
        for name, line in asked_names(ast.parse(file.read_text("utf-8")))
        if name in TASK_KINDS
    ]
    assert asked == []


def test_the_guard_sees_every_way_to_ask():
    program = """
if task == "cells": ...
if "semantic" != task: ...
if task in ("cells", 1): ...
{"cells": 1}[task]
least["cells"]
match task:
    case "semantic": ...
"""
    names = [name for name, _ in asked_names(ast.parse(program))]
    assert sorted(names) == ["cells"] * 4 + ["semantic"] * 2


def test_unknown_tasks():
    with pytest.raises(SettingsError, match="There is no task 'x'; there are cells, semantic"):
        task_kind("x")
    assert described_kind({"name": "x"}) is None
    assert described_kind({"name": ["cells"]}) is None
    assert described_kind({"name": "cells"}) is CELLS


def test_patches_are_laid_around_one_pixel_of_each_cell_and_all_background():
    anchors = {group: pixels.tolist() for group, pixels in CELLS.anchors(PART).items()}
    assert anchors == {0: [0, 3, 4], 1: [1, 6]}
    assert [CELLS.anchor_share(group) for group in anchors] == [0.25, 0.75]


def test_patches_are_laid_around_the_pixels_of_each_class():
    anchors = {group: pixels.tolist() for group, pixels in SEMANTIC.anchors(PART).items()}
    assert anchors == {0: [0, 3, 4], 3: [1, 2, 5], 9: [6, 7]}
    assert {SEMANTIC.anchor_share(group) for group in anchors} == {1.0}


def test_boxes_of_cells_are_held_out():
    [group] = CELLS.groups([PART])
    units = CELLS.units(PART, group)
    assert units.start.tolist() == [[0, 1], [1, 2]]
    assert units.stop.tolist() == [[2, 2], [3, 4]]
    assert units.weight.tolist() == [1, 1]
    large = PART._replace(labels=np.where(LABELS == 9, 2**40, LABELS.astype(np.int64)))
    assert CELLS.units(large, group).stop.tolist() == units.stop.tolist()
    full = Labelled(LABELS[:1, 1:3] + 2**30, np.ones((1, 2), bool))
    assert CELLS.units(full, group).stop.tolist() == [[1], [2]]


def test_pixels_of_classes_are_held_out_and_thinned_where_they_are_many():
    assert list(SEMANTIC.groups([PART])) == [0, 3, 9]
    units = SEMANTIC.units(PART, 9)
    assert units.start.tolist() == [[1, 1], [2, 3]]
    assert (units.stop - units.start == 1).all()
    many = Labelled(np.ones((300, 300), np.int32), np.ones((300, 300), bool))
    thinned = SEMANTIC.units(many, 1)
    assert set(thinned.weight) == {4.0}
    assert thinned.weight.sum() == 90_000


def test_what_is_counted():
    assert CELLS.count_objects(PART) == CELLS.drawing_weight(PART) == 2
    assert (SEMANTIC.count_objects(PART), SEMANTIC.drawing_weight(PART)) == (0, 8)
    assert count_pixels([PART, PART]) == {0: 6, 3: 6, 9: 4}
    assert CELLS.scarcest([PART, PART]) == (4, "cells")
    assert SEMANTIC.scarcest([PART, PART]) == (4, "pixels of class 9")
    assert [CELLS.enough_objects(n) for n in (4, 5)] == [False, True]
    assert SEMANTIC.enough_objects(0)


def test_ids_are_held_in_few_bytes():
    small = CELLS.compact_ids(np.array([0, 7], np.uint64))
    assert (small.dtype, small.tolist()) == (np.int32, [0, 7])
    huge = np.array([0, 2**40, 5, 2**40], np.uint64)
    cells, classes = CELLS.compact_ids(huge), SEMANTIC.compact_ids(huge)
    assert (cells.dtype, cells.tolist()) == (np.int32, [0, 2, 1, 2])
    assert (classes.dtype, classes.tolist()) == (np.int64, [0, 2**40, 5, 2**40])
    assert CELLS.compact_ids(huge[1:]).tolist() == [2, 1, 2]
    assert CELLS.compact_ids(np.array([True, False])).tolist() == [1, 0]


def test_what_two_results_agree_in():
    assert CELLS.decisions(LABELS).tolist() == (LABELS > 0).tolist()
    assert SEMANTIC.decisions(LABELS) is LABELS


def test_nouns():
    assert [CELLS.nouns(n) for n in (1, 2000)] == ["1 cell", "2,000 cells"]
    assert [SEMANTIC.nouns(n) for n in (0, 1)] == ["0 classes", "1 class"]
