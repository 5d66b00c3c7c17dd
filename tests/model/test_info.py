"""What a model says about itself, checked; and finding models by name."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model_infos import GOOD
from unet_napari.errors import ModelFileError, SettingsError
from unet_napari.model.description import describe_model
from unet_napari.model.file import write_model_file
from unet_napari.model.info import (
    read_info,
    read_storage,
    read_thumbnail,
)
from unet_napari.model.schema import FORMAT, check_name, parse_info


def text_of(**changes):
    return json.dumps(GOOD.to_dict() | changes)


def save(path, info=GOOD, weights=None, thumbnail=None):
    write_model_file(path, json.dumps(info.to_dict()), weights or {}, thumbnail)
    return path


def test_a_description_survives_json():
    assert parse_info(text_of()) == GOOD


def test_a_description_in_words():
    assert describe_model(GOOD).splitlines() == [
        "nuclei <b>β</b>",
        "  Score:        0.812 (AP50)",
        "  Task:         cells, seed threshold 0.5",
        "  Network:      unet, 2D, 12,345 parameters",
        "  Channels:     1",
        "  Pixel size:   Y 0.25, X 0.5 µm",
        "  Halo:         12 x 14 px",
        "  Objects:      typically 21.5 px across",
        "  Data:         a.tif, shape (3, 4), sha256 0123456789ab…",
        "  Seconds:      12.25",
    ]


def test_a_preset_is_called_by_its_name():
    network = {"name": "unet", "options": {"features": [32, 64, 128, 256, 512]}}
    text = describe_model(dataclasses.replace(GOOD, network=network))
    assert "Network:      unet (small), 2D, 12,345 parameters" in text


def test_what_is_unknown_is_said_in_words():
    info = dataclasses.replace(GOOD, pixel_size={}, halo=None, provenance={"score": None})
    assert "Pixel size:   unknown" in describe_model(info)
    assert "Halo:         not measured" in describe_model(info)
    assert "Score:        none: too few labels to judge" in describe_model(info)


def test_a_description_leaves_out_what_is_not_set_or_usual():
    settings = {
        "network": "unet",
        "patch": None,
        "batch": 4,
        "network_options": {"norm": "group"},
        "task_options": {},
        "augment": {"flip": False, "gamma": 0.3},
    }
    usual = {
        "network": "unet",
        "patch": None,
        "batch": None,
        "network_options": {},
        "task_options": {},
        "augment": {"flip": True, "gamma": 0.3},
    }
    source = {
        "settings": settings,
        "slicewise": False,
        "steps": 12,
        "finished": "",
        "data": [{"name": f"{n}.tif", "pixel_size": {}} for n in range(6)],
    }
    info = dataclasses.replace(GOOD, provenance=source)
    assert describe_model(info, usual).splitlines()[8:] == [
        "  Steps:        12",
        "  Data:         0.tif",
        "                1.tif",
        "                2.tif",
        "                3.tif",
        "                and 2 more",
        "  Settings:     batch 4, network options norm group, augment flip off",
    ]
    assert describe_model(info, settings).splitlines()[-1] == "  Settings:     all as usual"
    assert "Settings" not in describe_model(info)


def test_weights_that_are_damaged_leave_the_description_readable(tmp_path):
    path = save(tmp_path / "a.unet", weights={"a": np.ones(100, np.float32)})
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert read_info(path) == GOOD
    assert read_storage(path).precision == "fp32"
    path.write_bytes(data[:-1])
    with pytest.raises(ModelFileError, match="truncated"):
        read_info(path)


def test_storage_in_words(tmp_path):
    weights = {"a": np.zeros(2**20, np.float16), "b": np.zeros(3, np.float32)}
    path = save(tmp_path / "a.unet", weights=weights)
    assert read_storage(path).describe() == "2.0 MiB, weights in fp16"


def test_a_name_can_be_checked_before_there_is_a_model():
    check_name("細胞 / <b>")
    with pytest.raises(SettingsError, match="one line"):
        check_name("two\nlines")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "two\nlines"},
        {"name": "n" * 201},
        {"name": 5},
        {"task": {}},
        {"task": "cells"},
        {"task": {"name": ["cells"]}},
        {"network": {"name": "unet"}},
        {"network": {"name": "unet", "options": [], "code": "import os"}},
        {"network": {"name": "unet", "options": []}},
        {"normalisation": None},
        {"channels": 0},
        {"channels": 10**9},
        {"channels": True},
        {"channels": 1.0},
        {"ndim": 4},
        {"parameters": -1},
        {"parameters": 1 << 60},
        {"pixel_size": {"Q": 1.0}},
        {"pixel_size": {"Y": 0.0}},
        {"pixel_size": {"Y": "0.25"}},
        {"pixel_size": {"Y": True}},
        {"halo": [1]},
        {"halo": [1, -1]},
        {"halo": [1, 10**9]},
        {"halo": "12"},
        {"diameter": 0},
        {"diameter": True},
        {"diameter": "12"},
        {"diameter": 1e10},
        {"provenance": []},
        {"provenance": {"text": "x" * 10_001}},
        {"provenance": {"text": "\ud800"}},
        {"provenance": {"many": [0] * 20_001}},
        {"format": "1"},
        {"format": 0},
        {"surplus": 1},
    ],
)
def test_impossible_values_are_refused(changes):
    with pytest.raises(ModelFileError):
        parse_info(text_of(**changes))


@pytest.mark.parametrize("key", sorted(GOOD.to_dict().keys() - {"diameter"}))
def test_a_missing_value_is_refused(key):
    content = GOOD.to_dict()
    del content[key]
    with pytest.raises(ModelFileError, match=key):
        parse_info(json.dumps(content).encode())


def test_a_newer_format_is_named_together_with_the_remedy():
    text = json.dumps({"format": FORMAT + 1, "all": "different"})
    with pytest.raises(ModelFileError, match=rf"format {FORMAT + 1}.*update unet-napari"):
        parse_info(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[1]",
        "\xff\xfe",
        "{'format': 1}",
        "[" * 500_000,
        '{"a":' * 100_000,
        '{"format": ' + "1" * 10_000 + "}",
        text_of(provenance={"score": float("nan")}),
        text_of(provenance={"score": float("-inf")}),
        text_of().replace("0.8125", "1e999"),
        text_of().replace('"ndim": 2', '"ndim": 2, "ndim": 3'),
        text_of(provenance={"a": {"b": {"c": {"d": {"e": [[[[[[[[1]]]]]]]]}}}}}),
    ],
    ids=range(13),
)
def test_what_is_no_sound_json_is_refused(text):
    with pytest.raises(ModelFileError):
        parse_info(text)


def test_a_thumbnail_comes_back(tmp_path):
    picture = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    path = save(tmp_path / "a.unet", thumbnail=picture)
    assert np.array_equal(read_thumbnail(path), picture)
    assert read_thumbnail(save(tmp_path / "b.unet")) is None


def test_describing_a_model_needs_no_torch(tmp_path):
    path = save(tmp_path / "a.unet")
    program = (
        "import sys; from unet_napari.model.info import read_info;"
        f"read_info({str(path)!r}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert Path(path).exists()
