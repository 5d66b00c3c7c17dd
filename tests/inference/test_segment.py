"""Labels: the decoded maps of the whole image, every view in its place."""

import dataclasses

import numpy as np
import pytest
import torch

from bright_objects import ON_CPU, Brightness, segmented, squares
from unet_napari.errors import ImageError, SettingsError, UnetNapariWarning
from unet_napari.images import Image, nuclei
from unet_napari.inference import InferenceConfig, predict_steps, result_shape, segment_steps
from unet_napari.inference.views import rescale_factors
from unet_napari.tasks import SemanticTask


class BrightAndDark(Brightness):
    """Two classes: bright and dark."""

    name = "bright_and_dark"
    maps = 2

    def logits(self, x):
        bright = self.scale * (x - 0.4)
        return torch.cat([bright, -bright], dim=1)


def same_objects(a, b):
    """Tell whether two label images differ at most in their numbers."""
    pairs = {(int(x), int(y)) for x, y in zip(a.flat, b.flat, strict=True)}
    return len(pairs) == len({x for x, _ in pairs}) == len({y for _, y in pairs})


def test_every_object_gets_its_id(bright):
    pixels = squares((4, 4), (4, 24), (24, 10))
    labels = segmented(Image(pixels, "YX"), bright())
    assert sorted(np.unique(labels)) == [0, 1, 2, 3]
    np.testing.assert_array_equal(labels > 0, pixels > 0)


def test_labels_do_not_depend_on_the_tiles(bright):
    pixels, _ = nuclei((150, 130), count=25, seed=1)
    image, model = Image(pixels, "YX"), bright()
    assert same_objects(segmented(image, model), segmented(image, model, tile=(37, 50)))


def test_a_stack_is_segmented_slice_by_slice_on_request_with_unique_ids(bright):
    stack = np.stack([squares((4, 4)), squares((4, 4), (24, 24)), squares(), squares((8, 8))])
    image = Image(stack, "ZYX")
    labels = segmented(image, bright(), slicewise=True)
    np.testing.assert_array_equal(labels > 0, stack > 0)
    ids = [set(np.unique(plane)) - {0} for plane in labels]
    assert ids == [{1}, {2, 3}, set(), {4}]


def test_every_frame_of_a_time_series_has_its_own_ids(bright):
    series = np.stack([squares((4, 4)), squares((4, 4), (24, 24))])
    labels = segmented(Image(series, "TYX"), bright())
    np.testing.assert_array_equal(labels > 0, series > 0)
    assert [set(np.unique(frame)) for frame in labels] == [{0, 1}, {0, 1, 2}]


MOVING = [squares((4, 4), (24, 24)), squares((24, 22), (6, 30)), squares((6, 30), (22, 20))]


def test_cells_keep_their_numbers_over_time_on_request(bright):
    """The upper left cell goes in the second frame, and one comes in the upper right."""
    image = Image(np.stack(MOVING), "TYX")
    anew = segmented(image, bright())
    assert [sorted(np.unique(frame)) for frame in anew] == 3 * [[0, 1, 2]]
    kept = segmented(image, bright(), link="T")
    np.testing.assert_array_equal(kept > 0, anew > 0)
    assert [int(frame[26, 26]) for frame in kept] == [2, 2, 2]
    assert [int(frame[8, 8]) for frame in kept] == [1, 0, 0]
    assert [int(frame[10, 34]) for frame in kept] == [0, 3, 3]


@pytest.mark.parametrize("config", [{"tile": (16, 20)}, {"diameter": 16.0}])
def test_numbers_over_time_do_not_depend_on_tiles_and_scale(bright, config):
    image, model = Image(np.stack(MOVING), "TYX"), dataclasses.replace(bright(), diameter=8.0)
    kept = segmented(image, model, link="T", **config)
    assert [int(frame[26, 26]) for frame in kept] == [2, 2, 2]
    assert [int(frame[10, 34]) for frame in kept] == [0, 3, 3]


def test_numbers_that_cannot_be_kept_are_refused(bright):
    classes = dataclasses.replace(
        bright(), network=BrightAndDark(), task=SemanticTask(classes=(3, 7))
    )
    with pytest.raises(SettingsError, match="classes: leave link off"):
        segmented(Image(np.stack(MOVING), "TYX"), classes, link="T")
    stack = Image(np.stack(MOVING)[:, np.newaxis], "TZYX")
    with pytest.raises(SettingsError, match="leave link or slicewise off"):
        segmented(stack, bright(), link="T", slicewise=True)
    one = Image(MOVING[0], "YX")
    np.testing.assert_array_equal(segmented(one, bright(), link="T"), segmented(one, bright()))


def test_time_series_of_stacks_slice_by_slice(bright):
    plane = squares((4, 4), (24, 24))
    series = np.stack([[plane, plane], [plane, plane], [plane, plane]])
    labels = segmented(Image(series, "TZYX"), bright(), slicewise=True)
    assert labels.shape == (3, 2, 40, 40)
    for frame in labels:
        assert [set(np.unique(z)) - {0} for z in frame] == [{1, 2}, {3, 4}]


def test_a_volume_is_segmented_as_a_whole(bright):
    pixels = squares((2, 4, 4), (2, 4, 24), shape=(12, 40, 40))
    labels = segmented(Image(pixels, "ZYX"), bright(ndim=3))
    assert sorted(np.unique(labels)) == [0, 1, 2]
    np.testing.assert_array_equal(labels > 0, pixels > 0)


def test_classes_keep_their_ids_in_every_slice(bright):
    model = dataclasses.replace(
        bright(), network=BrightAndDark(), task=SemanticTask(classes=(3, 7))
    )
    stack = np.stack([squares((4, 4)), squares((8, 8))])
    labels = segmented(Image(stack, "ZYX"), model, slicewise=True)
    np.testing.assert_array_equal(labels, np.where(stack > 0, 3, 7))


def test_a_constant_image_has_no_objects(bright):
    assert not segmented(Image(np.full((30, 30), 77, np.uint8), "YX"), bright()).any()


def test_nan_alone_is_refused(bright):
    with pytest.raises(ImageError, match="NaN"):
        segmented(Image(np.full((30, 30), np.nan), "YX"), bright())


@pytest.mark.parametrize("shape", [(1, 1), (1, 37), (2, 3), (53, 1)])
def test_tiny_images_keep_their_shape(make_model, shape):
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    assert segmented(Image(pixels, "YX"), make_model()).shape == shape


def test_rescaling_segments_at_the_pixel_size_of_the_model(bright):
    model = bright()
    model.pixel_size = {"Y": 0.5, "X": 0.5}
    pixels = squares((4, 4), (4, 24), (24, 10))
    fine = np.kron(pixels, np.ones((2, 2), np.uint8))
    image = Image(fine, "YX", {"Y": 0.25, "X": 0.25})
    with pytest.warns(UnetNapariWarning, match=r"0\.5 times as large"):
        segmented(image, model)
    labels = segmented(image, model, rescale=True)
    assert sorted(np.unique(labels)) == [0, 1, 2, 3]
    wrong = (labels > 0) != (fine > 0)
    assert wrong.mean() < 0.02  # the outline may move by a pixel
    # Every 2 x 2 block carries one label: the work was done at the size of the model.
    np.testing.assert_array_equal(labels, np.kron(labels[::2, ::2], np.ones((2, 2), np.uint32)))


def test_a_diameter_segments_at_the_size_that_the_model_knows(bright):
    model = bright()
    model.diameter = 6.0
    pixels = squares((4, 4), (4, 24), (24, 10))
    fine = np.kron(pixels, np.ones((2, 2), np.uint8))
    labels = segmented(Image(fine, "YX"), model, diameter=12)
    assert sorted(np.unique(labels)) == [0, 1, 2, 3]
    np.testing.assert_array_equal(labels, np.kron(labels[::2, ::2], np.ones((2, 2), np.uint32)))


def test_a_diameter_leaves_the_shape_of_voxels_to_the_pixel_size(bright):
    model = bright()
    model.diameter, model.pixel_size = 8.0, {"Y": 1.0, "X": 0.5}
    image = Image(np.zeros((9, 9)), "YX", {"Y": 0.3, "X": 0.1})
    # 20 image pixels of 0.1 become 8 model pixels of 0.5: along X by 8 / 20, along Y as
    # pixels are three times as long in the image, but twice as long in the model.
    assert rescale_factors(image, model, 20.0) == pytest.approx((0.6, 0.4))
    bare = Image(np.zeros((9, 9)), "YX")
    assert rescale_factors(bare, model, 20.0) == pytest.approx((0.4, 0.4))


@pytest.mark.parametrize(
    ("known", "diameter", "message"),
    [(None, 10, "does not know how large"), (20.0, 1, "20 times as large"), (1.0, 99, "0.0101")],
)
def test_a_diameter_that_cannot_be_used_is_refused(bright, known, diameter, message):
    model = bright()
    model.diameter = known
    with pytest.raises(SettingsError, match=message):
        segmented(Image(squares((4, 4)), "YX"), model, diameter=diameter)


def test_provisional_labels_of_a_time_series_lie_in_their_frame(bright):
    series = np.stack([squares((4, 4)), squares((4, 4), (24, 24))])
    out = np.zeros(series.shape, np.uint32)
    config = InferenceConfig(**ON_CPU)
    steps = segment_steps(Image(series, "TYX"), bright(), out, config, provisional=True)
    regions = [step.region for step in steps if step.region]
    assert sorted(set(regions)) == [((t, t + 1), (0, 40), (0, 40)) for t in (0, 1)]


def told(image, model, **config):
    """Return what a segmentation says of an image unlike those that the model knows."""
    out = np.zeros(result_shape(image), np.uint32)
    steps = segment_steps(image, model, out, InferenceConfig(**ON_CPU, **config))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_an_unfamiliar_image_is_told_with_what_helps(bright):
    image = Image(squares((4, 4), (20, 20), side=14), "YX")
    model = dataclasses.replace(bright(most_coverage=0.1), name="few", diameter=7.0)
    with pytest.warns(UnetNapariWarning) as caught:
        said = told(image, model, diameter=14.0)
    assert said == str(caught[0].message)
    assert said.startswith("Check the result: 'few' takes 24% of the image for cells")
    for remedy in ("Diameter", "about 7 pixels, taken here for 14", "another model", "train one"):
        assert remedy in said


def test_of_a_familiar_image_nothing_is_told(bright):
    assert told(Image(squares((4, 4)), "YX"), bright(most_coverage=0.5)) is None


def test_a_bleaching_film_is_segmented_time_point_by_time_point(bright):
    still = squares((4, 4), (24, 10)).astype(float)
    film = Image(np.stack([still * f for f in (1, 0.5, 0.1)]), "TYX")
    out = np.zeros(result_shape(film), np.uint32)
    with pytest.warns(UnetNapariWarning, match=r"changes over time \(10.0-fold\)"):
        first, *_ = segment_steps(film, bright(), out, InferenceConfig(**ON_CPU))
    assert [len(np.unique(frame)) - 1 for frame in out] == [2, 2, 2]
    np.testing.assert_array_equal(out[2] > 0, out[0] > 0)
    assert first.plan.by_frame
    assert "each time point is scaled by itself" in first.plan.describe()


def test_the_maps_of_a_bleaching_film_are_those_of_each_time_point(bright):
    still = squares((4, 4), (24, 10)).astype(float)
    film = Image(np.stack([still, still * 0.2]), "TYX")
    maps = np.zeros((3, *result_shape(film)), np.float32)
    with pytest.warns(UnetNapariWarning, match="changes over time"):
        list(predict_steps(film, bright(), maps, InferenceConfig(**ON_CPU)))
    np.testing.assert_allclose(maps[:, 1], maps[:, 0], atol=1e-6)
