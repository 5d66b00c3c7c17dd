"""One of several images of a microscope's file, from the command line."""

import sys
import types

import numpy as np
import pytest
import tifffile

from unet_napari import Model, read_image, segment, train
from unet_napari.cli import main
from unet_napari.evaluation.objects import evaluate

da = pytest.importorskip("dask.array")


@pytest.fixture
def _many(tmp_path, monkeypatch, trained_model, painted_nuclei):
    """Make a file of two images, the second of which has cells, labels of it and a model."""
    image, labels = painted_nuclei
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
    tifffile.imwrite(tmp_path / "paint.tif", labels)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_many")
def test_the_scene_that_is_named_is_segmented(trained_model, painted_nuclei):
    words = ["segment", "many.lif", "--scene", "cells", "--output", "labels.tif"]
    assert main([*words, "--model", "model.unet", "--device", "cpu"]) == 0
    labels = read_image("labels.tif")
    assert labels.pixel_size == {"Y": 0.5, "X": 0.5}
    expected = segment(painted_nuclei[0], trained_model, device="cpu")
    assert expected.any()
    np.testing.assert_array_equal(labels.read()[0], expected)


@pytest.mark.usefixtures("_many")
def test_the_scene_that_is_named_is_evaluated(trained_model, painted_nuclei, capsys):
    words = ["evaluate", "--images", "many.lif", "--labels", "paint.tif", "--model", "model.unet"]
    assert main([*words, "--scene", "1", "--device", "cpu"]) == 0
    image, labels = painted_nuclei
    expected = evaluate([labels], [segment(image, trained_model, device="cpu")])
    assert capsys.readouterr().out == expected.describe() + "\n"


@pytest.mark.usefixtures("_many")
def test_the_scene_that_is_named_is_trained_on(painted_nuclei):
    words = ["train", "--images", "many.lif", "--labels", "paint.tif", "--task", "cells",
             "--ndim", "2", "--steps", "1", "--device", "cpu", "--output", "new.unet",
             "--patch", "32,32", "--batch", "1", "--network-option", "features=[2,4]"]  # fmt: skip
    assert main([*words, "--scene", "cells"]) == 0
    expected = train(read_image("many.lif", scene="cells"), painted_nuclei[1], steps=1,
                     device="cpu", patch=(32, 32), batch=1,
                     network_options={"features": [2, 4]})  # fmt: skip
    for name, weights in Model.load("new.unet").network.state_dict().items():
        assert (weights == expected.network.state_dict()[name]).all(), name
