"""That a model notices objects of other sizes than it knows, and only those."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from unet_napari import segment
from unet_napari.evaluation.objects import average_precision
from unet_napari.images import Image, nuclei, read_image
from unet_napari.inference import InferenceConfig, result_shape, segment_steps
from unet_napari.inference.sizes import fitting
from unet_napari.inference.sizes.fitting import FoundObjects, Seen
from unet_napari.inference.storage.unfinished import Unfinished

ON_CPU = {"device": "cpu", "backend": "torch"}


@pytest.fixture(scope="module")
def unseen():
    return nuclei((192, 256), count=56, seed=5)


@pytest.fixture(scope="module")
def large(unseen):
    """The same nuclei, four times as large."""
    return tuple(np.kron(array, np.ones((4, 4), array.dtype)) for array in unseen)


def run(image, model, **settings):
    """Return the labels and the last plan that was told."""
    source = image if isinstance(image, Image) else Image(image, "YX")
    out = np.zeros(result_shape(source), np.uint32)
    config = InferenceConfig(**ON_CPU, **settings)
    steps = list(segment_steps(source, model, out, config))
    assert steps[-1].done == steps[-1].total
    assert all(step.done < step.total for step in steps[:-1])
    return out, [step.plan for step in steps if step.plan is not None][-1]


def test_large_objects_are_noticed_and_segmented_at_their_size(trained_model, unseen, large):
    image, truth = large
    usual = average_precision(unseen[1], run(unseen[0], trained_model)[0])
    found, plan = run(image, trained_model)
    assert average_precision(truth, found) > usual - 0.05 > 0.4
    assert plan.diameter == pytest.approx(4 * trained_model.diameter, rel=0.3)
    assert f"cells of about {plan.diameter:.0f} pixels" in plan.sizes
    assert f"knows {trained_model.diameter:.0f}" in plan.describe()
    np.testing.assert_array_equal(found, run(image, trained_model, diameter=plan.diameter)[0])


def test_a_large_image_is_looked_at_before(trained_model, large, monkeypatch):
    expected, plan = run(large[0], trained_model)
    monkeypatch.setattr(fitting, "_SMALL_IMAGE", {2: 0})
    found, looked = run(large[0], trained_model)
    assert looked.diameter == pytest.approx(plan.diameter)
    np.testing.assert_array_equal(found, expected)


def test_few_objects_of_many_times_the_usual_size_are_noticed(trained_model, unseen, monkeypatch):
    """At the model's own scale their pieces are as large as usual objects."""
    monkeypatch.setattr(fitting, "_SMALL_IMAGE", {2: 0})
    image = ndimage.zoom(unseen[0][:96, :128].astype(np.float32), 12, order=1)
    found, plan = run(image, trained_model)
    assert plan.diameter == pytest.approx(12 * trained_model.diameter, rel=0.3)
    truth = np.kron(unseen[1][:96, :128], np.ones((12, 12), int))
    assert average_precision(truth, found) > 0.4


@pytest.mark.parametrize("small", [0, 2**21])
def test_objects_of_known_sizes_are_left_as_they_are(trained_model, unseen, monkeypatch, small):
    monkeypatch.setattr(fitting, "_SMALL_IMAGE", {2: small})
    found, plan = run(unseen[0], trained_model)
    assert plan.diameter is None
    assert plan.sizes == ""
    np.testing.assert_array_equal(found, run(unseen[0], trained_model, diameter="model")[0])


def test_the_word_model_takes_the_image_as_it_is(trained_model, large):
    found, plan = run(large[0], trained_model, diameter="model")
    assert plan.diameter is None
    assert average_precision(large[1], found) < 0.2


def test_all_frames_of_a_film_are_segmented_at_one_size(trained_model, large):
    film = np.stack([large[0]] * 2)
    found, plan = run(Image(film, "TYX"), trained_model)
    assert plan.diameter is not None
    single = segment(large[0], trained_model, diameter=plan.diameter, **ON_CPU)
    assert len(np.unique(found[0])) == len(np.unique(found[1])) == len(np.unique(single))


def test_a_run_that_goes_on_keeps_its_size(trained_model, large, tmp_path, monkeypatch):
    monkeypatch.setattr("unet_napari.inference.sizes.scaled_run._takes_long", lambda _: True)
    monkeypatch.setattr("unet_napari.inference.storage.unfinished._SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr("unet_napari.inference.storage.unfinished._TIMES_A_SAVE", 0.0)
    tifffile.imwrite(tmp_path / "image.tif", large[0])
    image = read_image(tmp_path / "image.tif", axes="YX")
    config = InferenceConfig(**ON_CPU, tile=(64, 64))
    out = np.zeros(image.shape, np.uint32)

    def stages(stop):
        begun = 0
        with Unfinished(tmp_path / "labels.tif") as unfinished:
            for step in segment_steps(image, trained_model, out, config, unfinished=unfinished):
                yield step
                begun += begun > 0 or (step.plan is not None and step.plan.diameter is not None)
                if begun == stop:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(stages(4))
    told = list(stages(None))
    assert told[0].plan is not None
    assert told[0].plan.diameter is not None  # not decided anew
    assert not any(step.stage == "measuring objects" for step in told)
    assert any(step.stage.startswith("continuing") for step in told)
    expected, _ = run(large[0], trained_model, tile=(64, 64))
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    ("found", "diameter", "misses"),
    [
        ([20.0] * 9, 24.0, False),  # as usual
        ([80.0] * 9, 84.0, False),  # large, and found as they are
        ([80.0] * 7 + [15.0] * 2, 84.0, True),  # large, and some are cut
        ([80.0] * 3, 84.0, True),  # large, and most are missed
        ([7.0] * 9, 7.0, True),  # small
        ([20.0] * 9, 84.0, True),  # pieces of large ones
        ([45.0] * 6 + [20.0] * 3, 51.0, False),  # known, if large
        ([30.0] * 9, 44.0, False),
    ],
)
def test_a_scale_helps_where_objects_are_cut_missed_or_small(
    trained_model, found, diameter, misses
):
    model = replace(trained_model, diameter=20.0)
    assert FoundObjects(np.array(found), unfamiliar=False).misses(diameter, model) is misses


def test_what_is_found_in_an_unfamiliar_image_is_not_trusted(trained_model):
    model = replace(trained_model, diameter=20.0)
    strange = FoundObjects(np.array([55.0] * 9), unfamiliar=True)
    assert strange.looks_wrong(model)
    assert strange.misses(55.0, model)
    assert not strange.misses(45.0, model)


def test_what_is_written_is_remembered():
    out = np.zeros((3, 4), np.uint32)
    seen = Seen(out)
    seen[1:, 2:] = 7
    np.testing.assert_array_equal(seen.labels, out)
    assert out.sum() == 7 * 4
