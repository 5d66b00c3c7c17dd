from __future__ import annotations

import numpy as np
import pytest
import torch

from unet_napari.images import Normalisation
from unet_napari.model.model import Model
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask
from unet_napari.training import TrainConfig
from unet_napari.training.data.sample import Sample
from unet_napari.training.setup.working_scale import WorkingScale


def discs(diameter, shape=(400, 400), count=4):
    """A sample with some discs, all annotated."""
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"))
    labels = np.zeros(shape, np.int32)
    for number in range(count):
        middle = np.array([100 + 200 * (number // 2), 100 + 200 * (number % 2)])
        far = np.sqrt(((grid - middle[:, None, None]) ** 2).sum(axis=0))
        labels[far < diameter / 2] = number + 1
    image = np.random.default_rng(0).random((1, *shape), np.float32)
    return Sample(image, labels, np.ones(shape, bool), 0, (7, 12))


def choose(samples, spacing=(1.0, 1.0), start=None, **settings):
    return WorkingScale.choose(TrainConfig(**settings), samples, spacing, start)


@pytest.mark.parametrize(
    ("diameter", "expected"), [(20, 1), (46, 1), (50, 2), (70, 2), (80, 3), (180, 4)]
)
def test_cells_are_24_to_48_pixels_across_if_they_can(diameter, expected):
    assert choose([discs(diameter)]).reduction == (expected, expected)


@pytest.mark.parametrize(("width", "expected"), [(6, 1), (15, 1), (18, 2), (26, 3)])
def test_thin_cells_stay_8_pixels_wide(width, expected):
    labels = np.zeros((400, 400), np.int32)
    for number in range(5):
        labels[20:380, 5 + 70 * number : 5 + 70 * number + width] = number + 1
    sample = discs(70)
    thin = Sample(sample.image, labels, sample.annotated, 0, (0, 0))
    assert choose([thin]).reduction == (expected, expected)


def test_a_coarse_axis_is_reduced_less():
    assert choose([discs(70)], spacing=(3.0, 1.0)).reduction == (1, 4)


def test_classes_and_unpadded_networks_stay_at_the_scale_of_the_image():
    sample = discs(70)
    assert choose([sample], task="semantic").reduction == (1, 1)
    assert choose([sample], network_options={"padding": "valid"}).reduction == (1, 1)


def test_a_small_image_is_reduced_less():
    labels = np.ones((70, 200), np.int32)
    sample = Sample(np.zeros((1, 70, 200), np.float32), labels, np.ones((70, 200), bool), 0, (0, 0))
    assert choose([sample]).reduction == (2, 4)


def test_the_user_and_the_start_decide_before_the_cells():
    sample = discs(70)
    assert choose([sample], network_options={"reduction": 1}).reduction == (1, 1)
    assert choose([sample], network_options={"reduction": [3, 1]}).reduction == (3, 1)
    start = build_network("unet", {"features": [2, 4], "reduction": 4})
    assert choose([sample], start=start).reduction == (4, 4)


def test_samples_are_averaged_and_their_labels_are_those_of_the_middles():
    sample = discs(70, shape=(401, 403))
    (coarse,) = WorkingScale((2, 3), 2.0).samples([sample])
    assert coarse.image.shape == (1, 200, 134)
    assert coarse.labels.shape == coarse.annotated.shape == (200, 134)
    assert coarse.image[0, 5, 7] == pytest.approx(sample.image[0, 10:12, 21:24].mean())
    assert coarse.labels[50, 33] == sample.labels[101, 100]
    assert coarse.origin == (3, 4)
    assert coarse.image.dtype == np.float32


def test_the_settings_are_in_the_pixels_of_the_network():
    config = TrainConfig(patch=(200, 96), network_options={"features": [4, 8], "reduction": 2})
    there = WorkingScale((2, 2), 2.0).config(config)
    assert there.patch == (100, 48)
    assert there.network_options == {"features": [4, 8]}


def test_the_model_is_for_the_images_and_comes_back_for_training():
    torch.manual_seed(0)
    network = build_network("unet", {"features": [4, 6], "out_channels": 3}).eval()
    scale = WorkingScale((2, 2), 2.0)
    model = Model(network, CellsTask(min_size=20), Normalisation(), halo=(8, 8), diameter=30.0)
    finer = scale.model(model)
    assert finer.network.reduction == (2, 2)
    assert finer.network.stride == (4, 4)
    assert network.reduction == (1, 1)
    assert finer.halo == (20, 20)  # 9 coarse pixels, up to the grid of 4
    assert finer.diameter == 60.0
    assert finer.task.min_size == 80
    assert scale.task(finer.task).min_size == 20
    image = torch.rand(1, 1, 16, 16)
    coarse = torch.nn.functional.avg_pool2d(image, 2)
    with torch.inference_mode():
        torch.testing.assert_close(scale.plain(finer.network).eval()(coarse), network(coarse))
        assert finer.network(image).shape == (1, 3, 16, 16)
    assert next(finer.network.parameters()) is next(network.parameters())


def test_nothing_changes_at_the_scale_of_the_images():
    scale = WorkingScale((1, 1), 1.0)
    network = build_network("unet", {"features": [4, 6]})
    model = Model(network, CellsTask(), Normalisation())
    sample = discs(20)
    assert scale.model(model) is model
    assert scale.plain(network) is network
    assert scale.samples([sample]) == [sample]
    assert scale.describe() == ""
