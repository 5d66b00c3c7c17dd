"""The settings: checked at once, and the same after a trip through JSON."""

import json
import subprocess
import sys

import pytest

from unet_napari.errors import SettingsError
from unet_napari.inference.config import InferenceConfig


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("device", "gpu"),
        ("backend", "onnx"),
        ("precision", "int4"),
        ("halo", "big"),
        ("halo", -1),
        ("halo", True),
        ("tile", (64, 0)),
        ("tile", ()),
        ("memory", 0),
        ("diameter", 0),
        ("diameter", "large"),
        ("diameter", float("inf")),
        ("diameter", True),
    ],
)
def test_a_wrong_setting_is_named(setting, value):
    with pytest.raises(SettingsError, match=setting):
        InferenceConfig(**{setting: value})


@pytest.mark.parametrize("elsewhere", [{"backend": "torch"}, {"device": "cuda"}, {"device": "mps"}])
def test_int8_is_for_openvino_on_the_cpu(elsewhere):
    with pytest.raises(SettingsError, match="int8 is computed by OpenVINO on the CPU"):
        InferenceConfig(precision="int8", **elsewhere)


def test_only_one_setting_says_how_the_image_is_scaled():
    with pytest.raises(SettingsError, match="only one"):
        InferenceConfig(rescale=True, diameter="auto")


@pytest.mark.parametrize("scaled", [{"rescale": True}, {"diameter": 20.0}, {"diameter": "auto"}])
def test_maps_are_not_scaled(scaled):
    InferenceConfig().check_unscaled()
    with pytest.raises(SettingsError, match="maps are not rescaled"):
        InferenceConfig(**scaled).check_unscaled()


def test_settings_survive_json():
    config = InferenceConfig(tile=(64, 96), halo=12, memory=2**30, device="cpu", slicewise=True)
    assert InferenceConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_an_unknown_setting_is_named():
    with pytest.raises(SettingsError, match="overlap"):
        InferenceConfig.from_dict({"overlap": 0.5})


def test_settings_and_progress_load_without_torch():
    code = (
        "import sys\n"
        "from unet_napari.inference import InferenceConfig, Progress\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
