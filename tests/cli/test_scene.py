"""One of several images of a microscope's file, from the command line."""

import sys
import types

import numpy as np
import pytest

from unet_napari import read_image, segment
from unet_napari.cli import main

da = pytest.importorskip("dask.array")


def test_the_scene_that_is_named_is_segmented(
    tmp_path, monkeypatch, trained_model, painted_nuclei, capsys
):
    image, _ = painted_nuclei
    scenes = {"empty": np.zeros_like(image), "cells": image}

    class BioImage:
        physical_pixel_sizes = types.SimpleNamespace(Z=None, Y=0.5, X=0.5)
        dims = types.SimpleNamespace(order="TCZYX")

        def __init__(self, path, reader):
            self.scenes = tuple(scenes)
            self.set_scene(0)

        def set_scene(self, index):
            self.dask_data = da.from_array(scenes[self.scenes[index]][None, None, None])

    monkeypatch.setitem(sys.modules, "bioio", types.SimpleNamespace(BioImage=BioImage))
    monkeypatch.setitem(sys.modules, "bioio_lif", types.SimpleNamespace(Reader=None))
    trained_model.save(tmp_path / "model.unet")
    (tmp_path / "many.lif").write_bytes(b"of Leica")
    words = ["segment", "many.lif", "--scene", "cells", "--output", "labels.tif"]
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--model", "model.unet", "--device", "cpu"]) == 0
    labels = read_image(tmp_path / "labels.tif")
    assert labels.pixel_size == {"Y": 0.5, "X": 0.5}
    expected = segment(image, trained_model, device="cpu")
    assert expected.any()
    np.testing.assert_array_equal(labels.read()[0], expected)
