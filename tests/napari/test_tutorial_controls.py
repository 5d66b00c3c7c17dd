"""Every control that the tutorial names is in one of the docks, under that name."""

import re
from pathlib import Path

from qtpy.QtWidgets import QLabel, QPushButton

from unet_napari._napari.corrections.keys import KEY_TABLE

TEXT = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text("utf-8")


def words(dock):
    """Return the texts of all buttons, folds and captions of a dock."""
    buttons = [button.text() for button in dock.native.findChildren(QPushButton)]
    captions = [label.text() for label in dock.native.findChildren(QLabel)]
    return {text.lstrip("▸▾ ").rstrip(":") for text in [*buttons, *captions]}


def test_the_controls_of_the_tutorial_are_in_the_docks(train_dock, segment_dock):
    there = words(train_dock) | words(segment_dock)
    there |= {"Stop", "Continue"}  # what the button is called later: see test_continue
    named = set(re.findall(r"\*\*([^*]+)\*\*", TEXT))
    assert named <= there
    assert {"New", "Train", "Take", "Next", "Segment", "Fit to my painted cells"} <= named


def test_its_keys_are_those_of_the_tools():
    keys = {entry.text: entry.key for entry in KEY_TABLE}
    named = re.findall(r"\*\*([^*]+)\*\* \((?:key )?`(\w)`\)", TEXT)
    assert len(named) == 5
    assert all(keys[text] == key for text, key in named)
