"""Stacks through a 2D model: what the network sees, and 3D objects of what it says."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import ndimage

from unet_napari.images import Image, Normalisation
from unet_napari.inference import InferenceConfig, predict_steps, result_shape, segment_steps
from unet_napari.inference.stacks import smooth_along_z, stack_scale
from unet_napari.inference.storage import scratch
from unet_napari.model.model import Model
from unet_napari.networks import Network
from unet_napari.tasks import CellsTask, SemanticTask

ON_CPU = {"device": "cpu", "backend": "torch", "precision": "fp32"}


class Brightness(Network):
    """A network that needs no training: the brighter, the surer of a cell, and the deeper in it."""

    name = "stack_brightness"

    def __init__(self, ndim=2, maps=3):
        super().__init__({}, ndim=ndim, in_channels=1, out_channels=maps, stride=(1,) * ndim)
        self.scale = torch.nn.Parameter(torch.tensor(10.0))

    def logits(self, x):
        bright = self.scale * (x - 0.4)
        return torch.cat([bright, -bright, bright][: self.out_channels], dim=1)


def model_of(task=None, diameter=10.0, **options):
    rule = Normalisation(low=0, high=100, noise=0)
    task = task or CellsTask(min_size=4)
    return Model(Brightness(**options), task, rule, diameter=diameter)


def blobs(*centres, shape=(16, 32, 32), sigma=2.0):
    """Return an image of blurred cells."""
    pixels = np.zeros(shape)
    for centre in centres:
        pixels[centre] = 1
    pixels = ndimage.gaussian_filter(pixels, sigma)
    return np.rint(250 * pixels / pixels.max()).astype(np.uint8)


def segmented(image, model, steps=None, **config):
    out = np.full(result_shape(image), 2**32 - 1, np.uint32)
    done = list(segment_steps(image, model, out, InferenceConfig(**ON_CPU, **config)))
    assert done[-1].done == done[-1].total
    assert all(a.done <= b.done for a, b in pairwise(done[1:]))
    if steps is not None:
        steps.extend(done)
    return out


CENTRES = (3, 8, 8), (12, 8, 8), (7, 22, 22)


def test_a_stack_becomes_3d_cells():
    labels = segmented(Image(blobs(*CENTRES), "ZYX"), model_of())
    assert sorted(np.unique(labels)) == [0, 1, 2, 3]
    assert len({int(labels[centre]) for centre in CENTRES}) == 3
    for centre in CENTRES:
        slices = np.flatnonzero((labels == labels[centre]).any(axis=(1, 2)))
        assert len(slices) >= 5
        assert np.diff(slices).max() == 1


@pytest.mark.parametrize("config", [{"tile": (16, 16)}, {"memory": 8 * 2**20}, {"batch": 3}])
def test_labels_do_not_depend_on_how_a_stack_is_cut(config):
    image = Image(blobs(*CENTRES), "ZYX")
    np.testing.assert_array_equal(segmented(image, model_of(), **config),
                                  segmented(image, model_of()))  # fmt: skip


def test_maps_on_disk_give_the_same(monkeypatch):
    image = Image(blobs(*CENTRES), "ZYX")
    expected = segmented(image, model_of())
    made = []

    class Noted(scratch.DiskArray):
        def __init__(self, *arguments):
            made.append(arguments[1])
            super().__init__(*arguments)

    monkeypatch.setattr(scratch, "DiskArray", Noted)
    monkeypatch.setattr("unet_napari.inference.sizes.scaled_run._SHARE_FOR_MAPS", 1e-9)
    np.testing.assert_array_equal(segmented(image, model_of()), expected)
    assert (3, *image.shape) in made


def test_a_stack_of_one_slice_is_one_slice():
    plane = blobs(*CENTRES)[7:8]
    labels = segmented(Image(plane, "ZYX"), model_of())
    assert labels.shape == plane.shape
    assert labels[0, 22, 22] == labels.max() == 1


def test_every_frame_has_its_own_cells():
    series = np.stack([blobs(*CENTRES), blobs(*CENTRES)[::-1], blobs(*CENTRES)])
    labels = segmented(Image(series, "TZYX"), model_of())
    assert [sorted(np.unique(frame)) for frame in labels] == 3 * [[0, 1, 2, 3]]
    np.testing.assert_array_equal(labels[0], labels[2])
    np.testing.assert_array_equal(labels[1] > 0, labels[0][::-1] > 0)


def test_3d_cells_keep_their_numbers_over_time():
    series = np.stack([blobs(*CENTRES), blobs(*CENTRES)[::-1, ::-1], blobs(*CENTRES)])
    shift = np.roll(series[0], 1, axis=2)
    labels = segmented(Image(np.stack([series[0], shift, series[1]]), "TZYX"), model_of(), link="T")
    for z, y, x in CENTRES:
        assert labels[0, z, y, x] == labels[1, z, y, x + 1] > 0
    assert not set(np.unique(labels[0])) & set(np.unique(labels[2])) - {0}


def test_an_image_of_channels_last_is_the_same():
    pixels = blobs(*CENTRES)
    expected = segmented(Image(pixels, "ZYX"), model_of())
    image = Image(pixels[..., np.newaxis], "ZYXC").select(C=0)
    np.testing.assert_array_equal(segmented(image, model_of()), expected)


def test_a_stack_at_the_scale_of_the_model_has_the_same_cells():
    large = np.kron(blobs(*CENTRES), np.ones((1, 2, 2), np.uint8))
    sizes = {"Z": 2.0, "Y": 1.0, "X": 1.0}
    labels = segmented(Image(large, "ZYX", sizes), model_of(), diameter=20.0)
    assert labels.shape == large.shape
    assert len({int(labels[z, 2 * y, 2 * x]) for z, y, x in CENTRES} - {0}) == 3


def test_slices_stay_apart_on_request():
    labels = segmented(Image(blobs(*CENTRES), "ZYX"), model_of(), slicewise=True)
    ids = [number for plane in labels for number in np.unique(plane) if number]
    assert ids == list(range(1, len(ids) + 1))
    assert len(ids) > 12


def test_progress_shows_what_is_written():
    image, steps = Image(blobs(*CENTRES), "ZYX"), []
    out = np.zeros(image.shape, np.uint32)
    config = InferenceConfig(**ON_CPU)
    for step in segment_steps(image, model_of(), out, config, provisional=True):
        steps.append((step.stage, step.region, int(out.max())))
    shown = [region for stage, region, _ in steps if region and stage != "finding objects"]
    assert [region[0] for region in shown] == [(z, z + 1) for z in range(16)]
    last = [(region, highest) for stage, region, highest in steps if stage == "finding objects"]
    assert (((0, 16), (0, 32), (0, 32)), 3) in last


def test_maps_are_those_that_are_decoded():
    image, model = Image(blobs(*CENTRES), "ZYX"), model_of()
    out = np.zeros(image.shape, np.uint32)
    maps, alone = np.zeros((2, 3, *image.shape), np.float32)
    config = InferenceConfig(**ON_CPU)
    list(segment_steps(image, model, out, config, maps=maps))
    list(predict_steps(image, model, alone, config))
    np.testing.assert_array_equal(maps, alone)


SIZES = {"Z": 2.0, "Y": 0.5, "X": 0.5}


@pytest.mark.parametrize(
    ("sizes", "factors", "spacing"),
    [({}, None, 1.0), (SIZES, None, 4.0), (SIZES, (0.5, 0.5), 2.0), ({"Y": 0.5}, None, 1.0)],
)
def test_the_scale_of_a_stack_follows_from_pixel_sizes(sizes, factors, spacing):
    image = Image(np.zeros((4, 8, 8)), "ZYX", sizes)
    scale = stack_scale(image, model_of(), InferenceConfig(), factors)
    assert (scale.diameter, scale.spacing) == (10.0, pytest.approx(spacing))
    assert scale.along(0.2) == pytest.approx((2 / spacing, 2, 2))
    assert stack_scale(image, model_of(diameter=None), InferenceConfig()).diameter == 20.0


def test_only_slices_of_cells_are_joined():
    image = Image(np.zeros((4, 8, 8)), "ZYX")
    assert stack_scale(image, model_of(), InferenceConfig(slicewise=True)) is None
    assert stack_scale(image, model_of(SemanticTask(), maps=3), InferenceConfig()) is None
    assert stack_scale(image, model_of(ndim=3), InferenceConfig()) is None
    assert stack_scale(image.select(Z=0), model_of(), InferenceConfig()) is None


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.2])
def test_smoothing_is_a_gaussian_along_z_alone(sigma):
    pixels = np.random.default_rng(0).integers(0, 255, (9, 2, 6, 7)).astype(np.uint8)
    smooth = smooth_along_z(Image(pixels, "ZCYX"), sigma)
    expected = ndimage.gaussian_filter1d(
        pixels.astype(float), sigma, axis=0, mode="mirror", truncate=2.0
    )
    np.testing.assert_allclose(smooth.read(), np.moveaxis(expected, 1, 0), rtol=1e-5)
    for z in (0, 4, 8):
        part = smooth.select(Z=z).read((slice(1, 4), slice(2, 3)))
        np.testing.assert_array_equal(part, smooth.read()[:, z, 1:4, 2:3])


def test_smoothing_of_a_series_stays_within_its_frame():
    pixels = np.random.default_rng(0).random((3, 5, 4, 4)).astype(np.float32)
    smooth = smooth_along_z(Image(pixels, "TZYX"), 1.0)
    alone = smooth_along_z(Image(pixels[1], "ZYX"), 1.0)
    np.testing.assert_array_equal(smooth.select(T=1).read(), alone.read())


def test_pixels_without_a_number_count_for_nothing():
    pixels = np.ones((5, 3, 3), np.float32)
    pixels[2, 1, 1] = np.nan
    pixels[:, 0, 0] = np.inf
    smooth = smooth_along_z(Image(pixels, "ZYX"), 0.5).read()[0]
    assert np.isnan(smooth[:, 0, 0]).all()
    smooth[:, 0, 0] = 1
    np.testing.assert_allclose(smooth, 1, rtol=1e-6)


def test_slices_that_are_far_apart_are_not_smoothed():
    image = Image(np.zeros((4, 8, 8)), "ZYX")
    assert smooth_along_z(image, 0.2) is image
