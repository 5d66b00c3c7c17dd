from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from unet_napari.errors import SettingsError
from unet_napari.training import AugmentConfig, TrainConfig


def test_the_default_budget_is_two_minutes():
    assert TrainConfig().seconds == 120


def test_a_given_budget_replaces_the_default():
    assert TrainConfig(epochs=3).seconds is None
    assert TrainConfig(steps=3).seconds is None


def test_settings_survive_json():
    config = TrainConfig(
        task="semantic",
        ndim=3,
        steps=7,
        patch=(16, 32, 32),
        network_options={"features": [8, 16]},
        augment=AugmentConfig(rotation=10.0, flip=False),
    )
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seconds": 3.0, "epochs": 2}, "seconds and epochs exclude each other: give only one"),
        ({"seconds": 0.0}, "seconds must be a number above 0 seconds"),
        ({"seconds": float("nan")}, "seconds must be a number above 0 seconds"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, not 0"),
        ({"steps": 1.5}, "steps must be a whole number"),
        ({"task": "nuclei"}, "one of cells, semantic"),
        ({"ndim": 4}, "one of 2, 3"),
        ({"device": "tpu"}, "one of auto, cpu, cuda, mps"),
        ({"optimiser": "lion"}, "one of adamw, adam, sgd"),
        ({"schedule": "none"}, "one of cosine"),
        ({"unpainted": "nearby"}, "one of auto, ignore, background"),
        ({"patch": (64,)}, "patch must have 2 sizes"),
        ({"patch": (64, 4)}, "patch must be one whole number of at least 8 pixels"),
        ({"batch": 0}, "batch must be"),
        ({"learning_rate": 0.0}, "learning_rate must be a number above 0 and below 10"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"validation": 0.9}, "validation must be a number from 0 to 0.5, not 0.9"),
        ({"seed": -1}, "seed"),
        ({"clip": 0.0}, "clip"),
        ({"ema": 1.0}, "ema"),
        ({"learning_rate": "fast"}, "learning_rate must be a number"),
        ({"seconds": "60"}, "seconds must be a number above 0 seconds"),
        ({"pretrained": 3}, "pretrained"),
    ],
)
def test_a_setting_outside_its_range_is_named(settings, message):
    with pytest.raises(SettingsError, match=message):
        TrainConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rotation": 200.0}, "rotation"),
        ({"resampled": 1.5}, "resampled"),
        ({"noise": -0.1}, "noise"),
        ({"elastic_spacing": 0.0}, "elastic_spacing"),
        ({"blur": "strong"}, "blur must be a number"),
        ({"turn": 1}, "turn must be true or false, not 1"),
    ],
)
def test_an_augmentation_outside_its_range_is_named(settings, message):
    with pytest.raises(SettingsError, match=message):
        AugmentConfig(**settings)


def test_unknown_settings_are_named():
    with pytest.raises(SettingsError, match="called epoch"):
        TrainConfig.from_dict({"epoch": 3})
    with pytest.raises(SettingsError, match=r"augment\.rotate"):
        TrainConfig.from_dict({"augment": {"rotate": 3}})


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().seed = 3


def test_config_and_events_load_without_torch():
    code = (
        "import sys, unet_napari.training as t; t.TrainConfig(); t.Started; "
        "import unet_napari.training.events; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
