"""A dock has every option that its configs claim for it, and no other one."""

import re
from dataclasses import dataclass
from typing import Annotated

import pytest
from magicgui.widgets import Label, ProgressBar, PushButton

from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.docks.segment_settings import SegmentSettings
from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari._napari.docks.train_settings import EFFORTS
from unet_napari._napari.widgets.form import Form
from unet_napari.checks import Range
from unet_napari.defaults import TRAINING_SECONDS
from unet_napari.errors import SettingsError
from unet_napari.inference.config import CellThresholds, InferenceConfig
from unet_napari.options import Door, HostConfig, Option, ReadingConfig, options_of
from unet_napari.training.config import TrainConfig

# Fields of another kind than the usual one, whose value is no option as it is.
OTHER_NAMES = {"ndim": "dimensions", "seconds": "minutes", "augment": "augmentation"}
# What a dock has besides settings, buttons and messages: layers, models and results.
NO_SETTINGS = {
    SegmentDock: {"image", "model", "scope", "measure", "maps", "attention", "save_to", "truth"}
    | {"region", "places"},
    TrainDock: {"image", "labels", "effort", "annotated", "start_from", "model_name"} | {"version"},
}


@dataclass(frozen=True)
class SharperConfig(InferenceConfig):
    """A config that somebody has extended outside the package, by one field."""

    sharpness: Annotated[
        float,
        Option(help="Sharpen the image first.", group="Data", range=Range(0, 2)),
    ] = 0.5


def claimed(*configs):
    """Return the names of the fields that configs claim for a dock."""
    return {
        OTHER_NAMES.get(name, name)
        for config in configs
        for name, field in options_of(config).items()
        if Door.DOCK in field.option.doors
    }


@pytest.mark.parametrize(
    ("dock", "configs"),
    [
        (SegmentDock, (ReadingConfig, InferenceConfig, CellThresholds, HostConfig)),
        (TrainDock, (ReadingConfig, TrainConfig, HostConfig)),
    ],
)
def test_a_dock_has_what_its_configs_claim_and_nothing_else(viewer, job, dock, configs):
    said = PushButton | Label | ProgressBar
    names = {field.name for field in dock(viewer, job) if not isinstance(field, said)}
    assert names - NO_SETTINGS[dock] == claimed(*configs)


def settings_of(config):
    """Return the Segment dock's settings in a form of their own, and the form."""
    form = Form()
    groups = [form.add_folded(title, "") for title in ("Data", "Result", "Computing")]
    return SegmentSettings(None, *groups, config=config), form


def test_an_option_added_outside_the_package_is_in_the_dock(qtbot):
    settings, form = settings_of(SharperConfig)
    qtbot.addWidget(form.native)
    field = form["sharpness"]
    assert (field.value, field.min, field.max) == (0.5, 0, 2)
    assert field.tooltip == "Sharpen the image first."
    field.value = 1.5
    config = settings.config(type("Info", (), {"ndim": 2}))
    assert SharperConfig.from_dict(config) == SharperConfig(sharpness=1.5)


def test_nothing_said_is_the_default_through_the_dock(qtbot):
    settings, form = settings_of(InferenceConfig)
    qtbot.addWidget(form.native)
    info = type("Info", (), {"ndim": 3})
    assert settings.config(info) == InferenceConfig().to_dict()
    for name, text in {"tile": "64", "halo": "measured", "batch": "4", "memory": "2"}.items():
        form[name].value = text
    expected = InferenceConfig(tile=(64, 64, 64), halo="measured", batch=4, memory=2 << 30)
    assert settings.config(info) == expected.to_dict()
    form["halo"].value = "12"
    assert settings.config(info)["halo"] == 12
    form["slicewise"].value = True
    assert settings.config(info)["slicewise"] is True
    assert EFFORTS["quick"] == TRAINING_SECONDS


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("halo", "wide", "Halo .under Computing. must be exact, measured or a whole number of at"),
        ("halo", "-1", "must be exact, measured or a whole number of at least 0 pixels, not '-1'"),
        ("batch", "0", "Batch .under Computing. must be a whole number of at least 1"),
        ("memory", "0", "Memory .under Computing. must be a number above 0, not '0'"),
        ("tile", "0", "Tile .under Computing. must be one whole number of at least 1"),
    ],
)
def test_a_wrong_value_is_told_as_the_dock_calls_it(qtbot, name, text, message):
    settings, form = settings_of(InferenceConfig)
    qtbot.addWidget(form.native)
    form[name].value = text
    with pytest.raises(SettingsError, match=message):
        settings.config(type("Info", (), {"ndim": 2}))


def test_a_training_takes_what_the_dock_says(viewer, job):
    dock = TrainDock(viewer, job)
    values = dock.settings.values(task="cells", effort="quick")
    assert TrainConfig.from_dict(values) == TrainConfig()
    dock.minutes.value = "0.5"
    dock["validation"].value = 10
    dock["seed"].value = "7"
    values = dock.settings.values(task="semantic", effort="quick")
    expected = TrainConfig(task="semantic", seconds=30, validation=0.1, seed=7)
    assert TrainConfig.from_dict(values) == expected
    dock["steps"].value = "40"
    both = "Minutes (under Network) and Steps (under Network) exclude each other"
    with pytest.raises(SettingsError, match=re.escape(both)):
        dock.settings.values(task="semantic", effort="live")
    dock.minutes.value = ""
    values = dock.settings.values(task="semantic", effort="live")
    expected = TrainConfig(task="semantic", steps=40, validation=0.1, seed=7)
    assert TrainConfig.from_dict(values) == expected
    dock.effort.value = "long"
    assert dock.duration.value == ""
    dock["steps"].value = ""
    assert "20 min" in dock.duration.value
