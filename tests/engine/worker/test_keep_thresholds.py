"""Thresholds stored in a model file."""

from dataclasses import replace

import pytest

from unet_napari.engine import KeepThresholdsJob
from unet_napari.engine.worker.decode_again import keep_thresholds
from unet_napari.errors import SettingsError
from unet_napari.images import Normalisation
from unet_napari.model.model import Model
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask


def test_thresholds_are_stored_in_the_model_file(tmp_path):
    path = told_file(tmp_path)
    before = Model.load(path)
    source = {"fitted to": "12 cells"}
    job = KeepThresholdsJob(str(path), {"min_size": 33, "seed_threshold": 0.7}, source=source)
    assert keep_thresholds(job, None) == {"model": str(path)}
    after = Model.load(path)
    assert after.task == replace(before.task, min_size=33, seed_threshold=0.7)
    assert after.name == before.name
    record = after.provenance["thresholds"]
    assert record["values"]["min_size"] == 33
    assert record["before"]["min_size"] == before.task.min_size
    assert record["fitted to"] == "12 cells"


def test_a_copy_with_other_thresholds_leaves_the_model_as_it_was(tmp_path):
    path = told_file(tmp_path)
    content = path.read_bytes()
    output = tmp_path / "mine.unet"
    keep_thresholds(KeepThresholdsJob(str(path), {"min_size": 33}, str(output)), None)
    assert path.read_bytes() == content
    copy = Model.load(output)
    assert (copy.name, copy.task.min_size) == ("mine", 33)


def told_file(folder):
    options = {"in_channels": 1, "out_channels": 3, "ndim": 2, "features": [4, 8]}
    network = build_network("unet", options)
    model = Model(network, CellsTask(), Normalisation(), name="my cells")
    return model.save(folder / "cells.unet")


def test_a_value_out_of_range_leaves_the_file_as_it_was(tmp_path):
    path = told_file(tmp_path)
    content = path.read_bytes()
    with pytest.raises(SettingsError, match="seed_threshold"):
        keep_thresholds(KeepThresholdsJob(str(path), {"seed_threshold": 1.5}), None)
    assert path.read_bytes() == content
