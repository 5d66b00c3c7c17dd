"""The docks, the command line and Python agree where nothing is said."""

import warnings

import numpy as np
import pytest
from tifffile import imread, imwrite

from unet_napari import segment
from unet_napari.cli import _parser, main
from unet_napari.cli.option_arguments import given_options
from unet_napari.defaults import TRAINING_SECONDS, unfamiliar_pixels
from unet_napari.errors import UnetNapariWarning
from unet_napari.images import Image, Normalisation, nuclei
from unet_napari.inference import InferenceConfig
from unet_napari.inference.views import check_image
from unet_napari.model.model import Model
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask
from unet_napari.training.config import TrainConfig


@pytest.fixture
def model():
    network = build_network("unet", {"in_channels": 1, "out_channels": 3, "features": (2, 4)})
    return Model(network.eval(), CellsTask(), Normalisation(), {"Y": 0.5, "X": 0.5}, "mine")


def test_a_training_takes_the_same_time_through_every_door():
    assert TrainConfig(task="cells", ndim=2).seconds == TRAINING_SECONDS
    words = "train --images no --labels no --task cells --ndim 2 --output m.unet"
    assert given_options(_parser().parse_args(words.split()), TrainConfig) == {
        "task": "cells",
        "ndim": 2,
    }


@pytest.mark.parametrize(
    ("size", "factor"), [(0.5, None), (0.62, None), (0.63, 1.26), (0.41, None), (0.39, 0.78)]
)
def test_pixels_are_told_of_from_a_quarter_on(model, size, factor):
    sizes = {"Y": size, "X": size}
    assert unfamiliar_pixels(sizes, model.pixel_size, "YX") == (
        None if factor is None else pytest.approx(factor)
    )
    image = Image(np.zeros((8, 8), np.uint8), "YX", sizes)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_image(image, model, InferenceConfig())
    assert [w.category for w in caught] == ([] if factor is None else [UnetNapariWarning])
    assert factor is None or f"{factor:.3g} times as large" in str(caught[0].message)


def test_the_axis_that_differs_most_counts():
    assert unfamiliar_pixels({"Z": 2, "Y": 1}, {"Z": 1, "Y": 4}, "ZYX") == 0.25
    assert unfamiliar_pixels({"Z": 9}, {"Y": 1}, "ZYX") is None


def test_a_stack_becomes_the_same_3d_cells_through_every_door(tmp_path):
    stack, true = nuclei((12, 48, 48), count=4, seed=0)
    imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    words = ["segment", str(tmp_path / "stack.tif"), "--backend", "torch", "--output"]
    assert main([*words, str(tmp_path / "cells.tif")]) == 0
    assert main([*words, str(tmp_path / "outlines.tif"), "--slicewise"]) == 0
    cells, outlines = (imread(tmp_path / f"{name}.tif") for name in ("cells", "outlines"))
    np.testing.assert_array_equal(cells, segment(stack, backend="torch"))
    np.testing.assert_array_equal(outlines, segment(stack, backend="torch", slicewise=True))
    assert 0 < cells.max() <= 2 * true.max()
    assert outlines.max() > 2 * cells.max()
