"""The labels of a region are those of the whole image, but for their numbers."""

from itertools import pairwise

import numpy as np
import pytest

from bright_objects import ON_CPU
from unet_napari import Model, predict, segment
from unet_napari.errors import SettingsError
from unet_napari.images import Image
from unet_napari.images.synthetic import nuclei
from unet_napari.inference import InferenceConfig
from unet_napari.inference.regions import region_run
from unet_napari.inference.regions.placed import place_region
from unet_napari.inference.regions.region import ImageRegion
from unet_napari.inference.regions.region_run import region_steps
from unet_napari.tasks import SemanticTask

AS_IT_IS = {**ON_CPU, "diameter": "model"}


def belonging_to(whole, mask):
    """Return the objects of which at least half lies in a mask, numbered in order."""
    sizes = np.bincount(whole.ravel())
    inside = np.bincount(whole[mask], minlength=sizes.size)
    kept = (2 * inside >= sizes) & (inside > 0) & (np.arange(sizes.size) > 0)
    numbers = np.where(kept, np.cumsum(kept), 0)
    return numbers[whole]


@pytest.fixture(scope="module")
def cells():
    return nuclei((640, 680), count=190, seed=5)[0]


@pytest.fixture(scope="module")
def model():
    return Model.load("nuclei")


@pytest.fixture(scope="module")
def labelled(cells, model):
    return segment(cells, model, **AS_IT_IS)


def test_a_region_has_the_cells_of_the_whole_image(cells, model, labelled, monkeypatch):
    assert labelled.max() > 150
    mask = np.zeros(cells.shape, bool)
    mask[50:131, 27:130] = True
    yy, xx = np.indices(cells.shape)
    mask[(yy - 620) ** 2 + (xx - 650) ** 2 < 55**2] = True  # apart, and beyond the border
    seen = []
    run = region_run.cut_out_of
    monkeypatch.setattr(
        region_run, "cut_out_of", lambda image, box: seen.append(box) or run(image, box)
    )
    found = segment(cells, model, region=mask, **AS_IT_IS)
    np.testing.assert_array_equal(found, belonging_to(labelled, mask))
    assert found.max() > 5
    assert len(seen) == 2
    assert sum(box.size for box in seen) < cells.size  # and not all of it was computed
    assert all(start % 16 == 0 for box in seen for start in box.start)


def test_many_scattered_pieces_are_computed_together(cells, model, labelled, monkeypatch):
    mask = np.zeros(cells.shape, bool)
    mask[::200, ::200] = mask[1::200, 1::200] = True  # single pixels, each with much around it
    mask[300:340, 300:340] = True
    seen = []
    run = region_run.cut_out_of
    monkeypatch.setattr(
        region_run, "cut_out_of", lambda image, box: seen.append(box) or run(image, box)
    )
    found = segment(cells, model, region=mask, **AS_IT_IS)
    np.testing.assert_array_equal(found, belonging_to(labelled, mask))
    assert len(seen) == 1


def test_a_region_that_is_cut_too_close_is_computed_with_more_around(
    cells, model, labelled, monkeypatch
):
    monkeypatch.setattr("unet_napari.inference.regions.region_cuts._REACH", 0.1)
    mask = np.zeros(cells.shape, bool)
    mask[50:121, 27:130] = True
    found = segment(cells, model, region=mask, **AS_IT_IS)
    np.testing.assert_array_equal(found, belonging_to(labelled, mask))


def test_what_lies_outside_stays_and_what_is_found_again_keeps_its_number(cells, model, labelled):
    region = "Y=50:131,X=27:130"
    again = labelled.copy()
    segment(cells, model, region=region, out=again, **AS_IT_IS)
    np.testing.assert_array_equal(again, labelled)
    mask = np.zeros(cells.shape, bool)
    mask[50:131, 27:130] = True
    lost = np.where(belonging_to(labelled, mask) > 0, 0, labelled)
    empty = (labelled == 0) & mask
    lost[empty] = 5000  # what nobody finds again
    segment(cells, model, region=region, out=lost, **AS_IT_IS)
    np.testing.assert_array_equal(lost > 0, labelled > 0)
    outside = belonging_to(labelled, mask) == 0
    np.testing.assert_array_equal(lost[outside], labelled[outside])


def test_its_size_is_decided_by_the_whole_image(cells, model):
    large = np.kron(cells[:70, :80], np.ones((3, 3), np.uint8))
    whole = segment(large, model, **ON_CPU)
    assert whole.max() > 2
    mask = np.zeros(large.shape, bool)
    mask[60:150, 50:180] = True
    found = segment(large, model, region={"Y": (60, 150), "X": (50, 180)}, **ON_CPU)
    np.testing.assert_array_equal(found, belonging_to(whole, mask))


def test_in_a_stack_a_region_of_one_slice_is_a_slice_and_of_several_a_stack(cells, model):
    plane = cells[:210, :220]
    stack = np.stack([np.roll(plane, shift, 0) for shift in range(4)])
    whole = segment(stack, model, axes="ZYX", **AS_IT_IS)
    mask = np.zeros(stack.shape, bool)
    mask[1:4, 30:160, 40:180] = True
    found = segment(stack, model, axes="ZYX", region=mask, **AS_IT_IS)
    np.testing.assert_array_equal(found, belonging_to(whole, mask))
    assert found.max() > 2
    found = segment(stack, model, axes="ZYX", region="Z=3,Y=30:160,X=40:180", **AS_IT_IS)
    alone = segment(stack[3], model, **AS_IT_IS)
    np.testing.assert_array_equal(found[3], belonging_to(alone, mask[3]))
    assert not np.delete(found, 3, axis=0).any()


def test_in_a_film_each_frame_has_its_own_cells_unless_they_are_linked(cells, model):
    film = np.stack([cells[:160, :170], np.roll(cells[:160, :170], 2, 0)])
    region = {"Y": slice(30, 120), "X": slice(40, 130)}
    mask = np.zeros(film.shape[1:], bool)
    mask[30:120, 40:130] = True
    whole = segment(film, model, axes="TYX", **AS_IT_IS)
    found = segment(film, model, axes="TYX", region=region, **AS_IT_IS)
    first, second = (belonging_to(frame, mask) for frame in whole)
    np.testing.assert_array_equal(found[0], first)
    np.testing.assert_array_equal(found[1], np.where(second > 0, second + first.max(), 0))
    linked = segment(film, model, axes="TYX", region=region, link="T", **AS_IT_IS)
    np.testing.assert_array_equal(linked > 0, found > 0)
    both = np.intersect1d(linked[0][linked[0] > 0], linked[1][linked[1] > 0])
    assert len(both) >= 3
    with pytest.raises(SettingsError, match="in a result of their own"):
        segment(film, model, axes="TYX", region=region, link="T", out=linked, **AS_IT_IS)


def test_of_classes_the_pixels_within_count(make_model, cells):
    classes = make_model(out_channels=2)
    classes = type(classes)(classes.network, SemanticTask((3, 7)), classes.normalisation)
    whole = segment(cells, classes, **ON_CPU)
    before = np.full(cells.shape, 9, np.uint32)
    segment(cells, classes, region="Y=50:120,X=60:222", out=before, **ON_CPU)
    np.testing.assert_array_equal(before[50:120, 60:222], whole[50:120, 60:222])
    before[50:120, 60:222] = 9
    assert (before == 9).all()


def test_its_maps_are_those_of_the_whole_image(cells, make_model):
    model = make_model()
    maps = predict(cells, model, **ON_CPU)
    part = predict(cells, model, region="YX=(101 33, 180 50, 150 200)", **ON_CPU)
    inside = part.any(axis=0)
    assert inside.sum() > 5000
    np.testing.assert_allclose(part[:, inside], maps[:, inside], atol=1e-5)
    volume = np.random.default_rng(0).random((24, 60, 70), np.float32)
    deep, mask = make_model(ndim=3, features=(3, 4)), np.zeros(volume.shape, bool)
    mask[5:15, 21:40, 11:50] = True  # between two strides of the network
    maps_of_all = predict(volume, deep, **ON_CPU)
    found = predict(volume, deep, region=mask, **ON_CPU)
    np.testing.assert_allclose(found[:, mask], maps_of_all[:, mask], atol=1e-6)
    image = Image(cells, "YX")
    region = place_region(ImageRegion.of("YX=(101 33, 180 50, 150 200)"), image)
    labels, again = np.zeros(cells.shape, np.uint32), np.zeros_like(maps)
    config = InferenceConfig(**ON_CPU)
    steps = list(region_steps(image, model, region, labels, config, maps=again))
    np.testing.assert_allclose(again, part, atol=1e-5)
    assert all(a.done <= b.done for a, b in pairwise(steps))
    assert [step.done == step.total for step in steps].index(True) == len(steps) - 1
    assert steps[0].plan is not None
    assert all(step.region is None for step in steps)


def test_an_image_without_contrast_has_no_cells(model):
    found = segment(np.full((40, 50), 7, np.uint8), model, region="Y=3:9")
    assert not found.any()


def test_a_cluster_takes_whole_images(model):
    with pytest.raises(SettingsError, match="not on a cluster"):
        segment(np.zeros((40, 50)), model, region="Y=3:9", client=object())
