import numpy as np
import pytest
import zarr

from unet_napari import Model, attention_maps, predict, segment, train
from unet_napari.errors import ImageError, LabelsError, OutputError, SettingsError
from unet_napari.evaluation.objects import average_precision
from unet_napari.images import Image

TINY = {
    "steps": 2,
    "validation": 0,
    "patch": (16, 16),
    "batch": 1,
    "network_options": {"features": [4, 8]},
    "device": "cpu",
}


def test_what_was_painted_is_found_again(trained_model, painted_nuclei):
    image, truth = painted_nuclei
    labels = segment(image, trained_model)
    assert labels.dtype == np.uint32
    assert average_precision(truth, labels, 0.5) > 0.8


@pytest.mark.parametrize("start", [None, "nothing", "auto"])
def test_a_short_training_starts_from_nothing(painted_nuclei, start):
    model = train(*painted_nuclei, task="cells", start_from=start, **TINY)
    assert model.provenance["start"]["name"] == "nothing"
    assert model.network.options["features"] == [4, 8]


def test_a_training_starts_from_the_model_that_is_named(painted_nuclei, trained_model, tmp_path):
    path = trained_model.save(tmp_path / "mine.unet")
    model = train(*painted_nuclei, task="cells", start_from=path, steps=1, device="cpu")
    assert model.provenance["start"]["name"] == "mine"
    assert model.network.options["features"] == [8, 16, 32]


def test_maps_are_probabilities_of_the_whole_image(trained_model, painted_nuclei):
    image, truth = painted_nuclei
    maps = predict(image, trained_model)
    assert maps.dtype == np.float32
    assert maps.shape == (3, *image.shape)
    assert maps.min() >= 0
    assert maps.max() <= 1
    assert maps[0][truth > 0].mean() > 0.8
    assert maps[0][truth == 0].mean() < 0.2


def test_the_maps_of_a_film_have_its_time_after_the_maps(trained_model, painted_nuclei):
    image, _ = painted_nuclei
    film = np.stack([image, image[::-1], image[:, ::-1]])[:, 16:64, :96]
    maps = predict(film, trained_model, axes="TYX")
    assert maps.shape == (3, 3, 48, 96)
    statistics = trained_model.normalisation.measure(Image(film, "TYX"))
    for frame, pixels in enumerate(film):
        alone = trained_model.normalisation.apply(pixels[np.newaxis], statistics)
        assert maps[0, frame][alone[0] > 0.5].mean() > 0.6 > maps[0, frame][alone[0] < 0.1].mean()
    out = np.zeros_like(maps)
    assert predict(film, trained_model, axes="TYX", out=out) is out
    np.testing.assert_array_equal(out, maps)


@pytest.mark.parametrize("function", [predict, segment])
def test_an_array_for_the_result_that_does_not_fit_is_refused_first(
    function, trained_model, painted_nuclei
):
    with pytest.raises(OutputError, match=r"out has the shape \(5, 6\), but the result \("):
        function(painted_nuclei[0], trained_model, out=np.zeros((5, 6)), on_progress=pytest.fail)


def test_results_go_where_the_caller_wants_them(trained_model, painted_nuclei, tmp_path):
    image, _ = painted_nuclei
    source = zarr.create_array(tmp_path / "in.zarr", shape=image.shape, dtype=image.dtype)
    source[...] = image
    out = zarr.create_array(tmp_path / "out.zarr", shape=image.shape, dtype="uint32")
    assert segment(source, trained_model, out=out) is out
    np.testing.assert_array_equal(out[...], segment(image, trained_model))


def test_a_saved_model_gives_the_same_labels(trained_model, painted_nuclei, tmp_path):
    path = trained_model.save(tmp_path / "mine.unet")
    again = segment(painted_nuclei[0], path)
    np.testing.assert_array_equal(again, segment(painted_nuclei[0], trained_model))
    assert Model.load(path).provenance["seed"] == 0


def test_events_are_told_and_their_listener_can_stop_the_training(painted_nuclei):
    told = []

    def stop_after_three(event):
        told.append(type(event).__name__)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(*painted_nuclei, **{**TINY, "steps": 1000}, on_event=stop_after_three)
    assert told == ["Started", "Step", "Step"]


@pytest.mark.parametrize("where", ["first", "last"])
def test_the_labels_tell_where_the_channels_are(where):
    rng = np.random.default_rng(0)
    image = rng.random((20, 24, 3))
    labels = np.zeros((20, 24), int)
    labels[4:9, 4:9] = 1
    labels[12:18, 10:20] = 2
    data = image if where == "last" else np.moveaxis(image, -1, 0)
    model = train(data, labels, **TINY, unpainted="background")
    assert model.channels == 3
    assert segment(data, model).shape == (20, 24)
    with pytest.raises(ImageError, match="1 channel"):
        segment(image[..., 0], model)


def test_a_colour_image_is_refused_by_a_model_of_one_channel(trained_model):
    with pytest.raises(ImageError, match=r"3 channels.*1 channel"):
        segment(np.arange(1800, dtype=np.uint8).reshape(20, 30, 3), trained_model)


def test_a_stack_becomes_3d_cells_or_outlines_of_slices(trained_model, painted_nuclei):
    image, _ = painted_nuclei
    stack = np.stack([image, image, image])
    cells = segment(stack, trained_model)
    np.testing.assert_array_equal(cells, segment(stack, trained_model, axes="ZYX"))
    outlines = segment(stack, trained_model, slicewise=True)
    in_one = len(np.unique(outlines[0])) - 1
    assert outlines.max() == 3 * in_one
    assert in_one / 2 < cells.max() < 2 * in_one
    assert set(np.unique(cells[0])) & set(np.unique(cells[2])) - {0}
    assert not set(np.unique(outlines[0])) & set(np.unique(outlines[2])) - {0}


def test_a_model_trained_on_slices_of_a_stack_segments_stacks():
    rng = np.random.default_rng(0)
    stack = rng.random((3, 24, 24))
    labels = np.zeros(stack.shape, int)
    labels[1, 2:10, 2:20] = 1
    labels[1, 12:22, 2:20] = 2
    model = train(stack, labels, task="semantic", **TINY)
    assert segment(stack, model).shape == stack.shape


def test_time_points_are_segmented_one_by_one(trained_model, painted_nuclei):
    image, _ = painted_nuclei
    series = np.stack([image, image[::-1]])
    labels = segment(Image(series, "TYX"), trained_model)
    assert labels.shape == series.shape
    assert labels[0].any()
    assert labels[1].any()


def test_pixel_sizes_are_a_mapping_or_a_number_for_each_axis(painted_nuclei):
    image, labels = painted_nuclei
    by_name = train(image, labels, **TINY, scale={"Y": 0.5, "X": 0.25})
    by_order = train(image, labels, **TINY, scale=(0.5, 0.25))
    assert by_name.pixel_size == by_order.pixel_size == {"Y": 0.5, "X": 0.25}
    with pytest.raises(SettingsError, match="scale has 3 numbers"):
        train(image, labels, axes="YX", **TINY, scale=(1, 1, 1))


def test_shapes_that_differ_are_both_named(painted_nuclei):
    image, labels = painted_nuclei
    with pytest.raises(LabelsError, match=r"95, 128.*96, 128"):
        train(image, labels[1:], **TINY)
    with pytest.raises(LabelsError, match="2 images, but 1 labels"):
        train([image, image], [labels], **TINY)


def test_an_array_that_can_be_meant_in_several_ways_is_not_guessed_at(trained_model):
    with pytest.raises(ImageError, match="name its axes"):
        segment(np.zeros((2, 3, 20, 20)), trained_model)


def test_thresholds_take_the_place_of_the_models(trained_model, painted_nuclei):
    image, _ = painted_nuclei
    labels = segment(image, trained_model)
    sizes = np.bincount(labels.ravel())[1:]
    smallest = int(np.median(sizes[sizes > 0]))
    kept = segment(image, trained_model, thresholds={"min_size": smallest})
    assert np.bincount(kept.ravel())[1:].min() >= smallest
    assert kept.max() < labels.max()
    assert not segment(image, trained_model, thresholds={"foreground_threshold": 1.0}).any()


@pytest.mark.parametrize("thresholds", [{"surplus": 1}, {"seed_threshold": 2.0}])
def test_thresholds_that_make_no_sense_are_refused(trained_model, painted_nuclei, thresholds):
    with pytest.raises(SettingsError, match=next(iter(thresholds))):
        segment(painted_nuclei[0], trained_model, thresholds=thresholds)


def test_attention_maps_need_attention_gates(trained_model, painted_nuclei):
    with pytest.raises(SettingsError, match="no attention gates"):
        attention_maps(painted_nuclei[0], trained_model)


SERIES = np.zeros((3, 4, 24, 32), np.uint16)  # TZYX
SERIES[1, 2, 3:9, 3:9], SERIES[1, 2, 12:20, 12:20], SERIES[2, 1, 5:9, 20:28] = 1, 2, 1


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("axes", [None, "TZYX"])
def test_a_time_series_of_stacks_can_be_trained_on(axes, ndim):
    rng = np.random.default_rng(0)
    options = TINY | {"patch": (8, 16, 16)[-ndim:]}
    model = train(rng.random(SERIES.shape), SERIES, axes=axes, ndim=ndim, **options)
    assert model.provenance["steps"] == 2


@pytest.mark.parametrize("shape", [(1, 24, 32), (1, 1, 24, 32), (1, 1, 1, 24, 32)])
def test_axes_of_length_1_train_with_labels_that_have_them_or_not(shape):
    rng = np.random.default_rng(0)
    image, plane = rng.random(shape), SERIES[1, 2]
    axes = "TCZYX"[-len(shape) :]
    for labels in (plane, plane.reshape(shape)):
        model = train(image, labels, axes=axes, **TINY)
        assert model.provenance["steps"] == 2
    assert train(image, plane, **TINY).channels == 1
