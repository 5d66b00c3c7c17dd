import os
from dataclasses import replace

import dask.array
import numpy as np
import pytest
import tifffile
import zarr

from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.layers import results
from unet_napari._napari.widgets.model_combo import model_saved
from unet_napari.engine import (
    ArraysReady,
    DiameterJob,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobWarning,
    SegmentFileJob,
    SegmentJob,
)
from unet_napari.engine.arrays import open_ref
from unet_napari.errors import ResourceError
from unet_napari.images import Statistics, open_output
from unet_napari.inference.progress import PlanSummary, Progress


@pytest.fixture
def dock(viewer, job, library):
    library("nuclei")
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Segment")
    return dock


def start(dock, client, qtbot):
    """Press Run and return the job that the engine gets."""
    before = len(client.jobs)
    dock.run.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) > before)
    return client.jobs[-1]


def within(job, labels):
    """Put the labels of the wanted part among what lies around, where nothing is found."""
    if not isinstance(job, SegmentJob) or not job.around:
        return labels
    whole = np.zeros(open_ref(job.image.data).shape, np.uint32)
    whole[tuple(slice(*pair) for pair in job.inner)] = labels
    return whole


def run(dock, client, qtbot, labels, *, objects=None, table=None, **output):
    """Press Run and deliver a result; return the job."""
    job = start(dock, client, qtbot)
    client.say(ArraysReady(within(job, labels), **output))
    client.say(JobFinished({"objects": objects} | ({"table": table} if table else {})))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    return job


def test_without_layers_and_models_everything_that_is_missing_is_named(viewer, job):
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Segment")
    assert not dock.run.enabled
    assert "an image" in dock.status.value
    assert "a model" in dock.status.value


def test_the_newest_model_is_chosen(viewer, job, library, models_folder):
    for age, name in enumerate(("oldest", "newest", "older")):
        library(name)
        os.utime(models_folder / f"{name}.unet", (0, {"newest": 3}.get(name, age)))
    assert SegmentDock(viewer, job).model.value == "newest"


def test_the_result_is_a_layer_of_the_images_geometry(dock, viewer, client, qtbot):
    image = viewer.add_image(
        np.zeros((4, 12, 20, 30)),
        name="stack",
        scale=(1, 2, 0.5, 0.5),
        translate=(0, 1, 2, 3),
        units=("pixel", "um", "um", "um"),
        axis_labels=("t", "z", "y", "x"),
    )
    labels = 65_535 + np.arange(4 * 12 * 20 * 30, dtype=np.uint32).reshape(4, 12, 20, 30)
    job = run(dock, client, qtbot, labels)
    assert isinstance(job, SegmentJob)
    assert job.model == "nuclei"
    assert job.image.axes == "TZYX"
    assert job.config["slicewise"] is True
    layer = viewer.layers["stack · nuclei"]
    np.testing.assert_array_equal(layer.data, labels)
    for name in ("scale", "translate", "units", "axis_labels"):
        assert np.array_equal(getattr(layer, name), getattr(image, name))


def test_a_rerun_updates_its_layer_even_if_it_was_renamed(dock, viewer, client, qtbot):
    viewer.add_image(np.zeros((20, 30)), name="cells")
    run(dock, client, qtbot, np.ones((20, 30), np.uint32))
    layer = viewer.layers["cells · nuclei"]
    layer.name = "mine"
    run(dock, client, qtbot, np.full((20, 30), 2, np.uint32))
    assert [item.name for item in viewer.layers] == ["cells", "mine"]
    assert (layer.data == 2).all()


def test_a_result_that_was_removed_is_made_anew(dock, viewer, client, qtbot):
    viewer.add_image(np.zeros((20, 30)), name="cells")
    run(dock, client, qtbot, np.ones((20, 30), np.uint32))
    del viewer.layers["cells · nuclei"]
    run(dock, client, qtbot, np.ones((20, 30), np.uint32))
    assert "cells · nuclei" in viewer.layers


def test_a_slice_lands_in_its_place(dock, viewer, client, qtbot):
    stack = np.random.default_rng(0).random((2, 6, 20, 30))
    viewer.add_image(stack, name="stack", axis_labels=("t", "z", "y", "x"))
    viewer.dims.set_point((0, 1), (1, 4))
    dock.scope.value = "slice"
    job = run(dock, client, qtbot, np.full((20, 30), 5, np.uint32))
    assert job.image.axes == "YX"
    assert job.image.data.shape == (20, 30)
    assert job.statistics is not None
    data = viewer.layers["stack · nuclei"].data
    assert data.shape == stack.shape
    assert (data[1, 4] == 5).all()
    assert data.sum() == 5 * 20 * 30


class Recorded:
    """An array that remembers which planes of it were read."""

    shape, dtype, ndim = (50, 60, 70), np.dtype(np.uint8), 3

    def __init__(self):
        self.planes = set()

    def __getitem__(self, key):
        self.planes |= set(np.arange(50)[key[0]].ravel().tolist())
        return np.zeros(self.shape, np.uint8)[key]


def test_of_a_lazy_stack_only_the_slice_is_read(dock, viewer, client, qtbot, monkeypatch):
    source = Recorded()
    stack = dask.array.from_array(source, chunks=(1, 60, 70), asarray=False)
    # The statistics of the whole are measured from a bounded sample of it.
    monkeypatch.setattr(
        "unet_napari.images.Normalisation.measure", lambda *_, **__: Statistics((0.0,), (1.0,))
    )
    viewer.add_image(stack, name="stack", contrast_limits=(0, 50))
    viewer.dims.set_point(0, 6)
    dock.scope.value = "slice"
    source.planes.clear()
    job = run(dock, client, qtbot, np.full((60, 70), 2, np.uint32))
    assert source.planes <= {6}
    assert job.statistics == Statistics((0.0,), (1.0,)).to_dict()
    data = viewer.layers["stack · nuclei"].data
    assert (data[6] == 2).all()
    assert np.count_nonzero(data) == 60 * 70


@pytest.mark.parametrize("kind", ["dask", "zarr", "memmap"])
def test_a_whole_lazy_stack_goes_to_the_engine_by_reference(
    dock, viewer, client, qtbot, kind, tmp_path
):
    if kind == "memmap":
        np.save(tmp_path / "stack.npy", np.zeros((50, 60, 70), np.uint8))
        stack = np.load(tmp_path / "stack.npy", mmap_mode="r")
    elif kind == "zarr":
        stack = zarr.create_array(tmp_path / "s.zarr", shape=(50, 60, 70), dtype="uint8")
    else:
        stack = dask.array.zeros((50, 60, 70), chunks=(1, 60, 70), dtype="uint8")
    viewer.add_image(stack, name="stack", contrast_limits=(0, 50))
    job = run(dock, client, qtbot, np.zeros(stack.shape, np.uint32))
    assert job.image.data.kind == {"dask": "pickle"}.get(kind, kind)


def test_of_a_pyramid_the_full_resolution_is_segmented(dock, viewer, client, qtbot):
    levels = [np.zeros((64, 96)), np.zeros((32, 48))]
    viewer.add_image(levels, multiscale=True, name="pyramid")
    job = run(dock, client, qtbot, np.ones((64, 96), np.uint32))
    assert job.image.data.shape == (64, 96)
    assert viewer.layers["pyramid · nuclei"].data.shape == (64, 96)


def test_the_view_lands_in_its_place_with_numbers_of_its_own(dock, viewer, client, qtbot):
    image = viewer.add_image(np.zeros((200, 300)), name="plane")
    dock.scope.value = "view"
    image.corner_pixels = np.array([[10, 20], [59, 99]])
    run(dock, client, qtbot, np.full((50, 80), 1, np.uint32))
    image.corner_pixels = np.array([[100, 20], [149, 99]])
    run(dock, client, qtbot, np.full((50, 80), 1, np.uint32))
    data = viewer.layers["plane · nuclei"].data
    assert (data[10:60, 20:100] == 1).all()
    assert (data[100:150, 20:100] == 2).all()
    assert np.count_nonzero(data) == 2 * 50 * 80


def test_a_slice_without_room_is_one_message_and_the_next_run_works(
    dock, viewer, client, qtbot, monkeypatch
):
    def refuse(*_):
        raise ResourceError("The disk is full.")

    viewer.add_image(np.zeros((9, 20, 30)), name="stack")
    dock.scope.value = "slice"
    with monkeypatch.context() as full:
        full.setattr(results, "check_room", refuse)
        run(dock, client, qtbot, np.ones((20, 30), np.uint32))
        qtbot.waitUntil(lambda: dock.status.value == "The disk is full.")
    assert [layer.name for layer in viewer.layers] == ["stack"]
    run(dock, client, qtbot, np.ones((20, 30), np.uint32))
    assert viewer.layers["stack · nuclei"].data.sum() == 20 * 30


def test_a_3d_model_sees_slices_around_the_wanted_one(dock, viewer, client, qtbot, library):
    library("volume", ndim=3)
    dock.model.reset_choices()
    dock.model.value = "volume"
    stack = np.arange(30)[:, None, None] * np.ones((30, 20, 25))
    viewer.add_image(stack, name="stack")
    viewer.dims.set_point(0, 28)
    dock.scope.value = "slice"
    job = run(dock, client, qtbot, np.full((1, 20, 25), 3, np.uint32))
    assert job.image.axes == "ZYX"
    slab = open_ref(job.image.data)
    assert slab[:, 0, 0].tolist() == list(range(20, 30))  # as far as the stack goes
    assert job.inner == ((8, 9), (0, 20), (0, 25))
    data = viewer.layers["stack · volume"].data
    assert (data[28] == 3).all()
    assert not data[:28].any()


def test_probability_maps_are_images(dock, viewer, client, qtbot):
    viewer.add_image(np.zeros((20, 30)), name="cells", scale=(2, 3))
    dock.settings.maps.value = True
    maps = np.stack([np.zeros((20, 30), np.float32), np.ones((20, 30), np.float32)])
    job = run(
        dock,
        client,
        qtbot,
        np.ones((20, 30), np.uint32),
        maps=maps,
        map_names=("foreground", "distance"),
    )
    assert job.maps
    layer = viewer.layers["cells · nuclei · distance"]
    assert (layer.data == 1).all()
    assert layer.scale.tolist() == [2, 3]


def test_the_bar_and_the_line_move(dock, viewer, client, qtbot):
    viewer.add_image(np.zeros((20, 30)))
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    client.say(Progress(3, 4, "network (CPU)"))
    qtbot.waitUntil(lambda: dock.progress.value == 75)
    assert dock.status.value == "network (CPU)"


@pytest.mark.parametrize("event", [JobCancelled(), JobFailed("It broke.", user_error=True)])
def test_after_a_stop_or_an_error_the_next_run_works(dock, viewer, client, qtbot, event):
    viewer.add_image(np.zeros((20, 30)), name="cells")
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    client.say(event)
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    assert dock.status.value in ("It broke.", "Stopped. Nothing was changed.")
    assert len(viewer.layers) == 1
    run(dock, client, qtbot, np.ones((20, 30), np.uint32))
    assert "cells · nuclei" in viewer.layers


def test_an_image_removed_during_the_run_ends_it_cleanly(dock, viewer, client, qtbot):
    viewer.add_image(np.zeros((20, 30)))
    dock.run.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    viewer.layers.clear()
    client.say(ArraysReady(np.ones((20, 30), np.uint32)))
    client.say(JobFinished({"objects": 1}))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    assert "removed" in dock.status.value
    assert not viewer.layers
    assert not dock.run.enabled


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((20, 30), {"channels": 3}, ("3 channels", "1 channel", "'cells'")),
        ((20, 30), {"ndim": 3}, ("3D model", "'cells'")),
    ],
)
def test_an_image_that_does_not_suit_the_model_is_refused_by_name(
    dock, viewer, library, shape, options, words
):
    library("other", **options)
    dock.model.reset_choices()
    viewer.add_image(np.zeros(shape), name="cells")
    dock.model.value = "other"
    assert not dock.run.enabled
    for word in ("'other'", *words):
        assert word in dock.status.value


@pytest.mark.parametrize(("axes", "channels"), [("CZYX", 3), ("ZYXC", 4)])
def test_one_channel_is_segmented_alone(dock, viewer, client, qtbot, axes, channels):
    pixels = np.zeros((channels, 2, 60, 80), np.uint8)
    pixels += np.arange(80, dtype=np.uint8)
    pixels += 10 * np.arange(channels, dtype=np.uint8)[:, None, None, None]
    image = np.moveaxis(pixels, 0, axes.index("C"))
    names = list(axes.lower().removesuffix("c"))
    viewer.add_image(image, name="cells", rgb=axes[-1] == "C", axis_labels=names)
    assert "Choose a Channel (under Data)" in dock.status.value
    dock.channel.value = "2"
    assert "channel 2" in dock.found.value
    dock.measure.value = True
    labels = np.zeros((2, 60, 80), np.uint32)
    labels[1, 10:20, 30:40] = 1
    assert run(dock, client, qtbot, labels, objects=1).image.fixed == {"C": 2}
    layer = viewer.layers["cells · nuclei · channel 2"]
    assert layer.data.max() == 1
    dock.scope.value = "slice"
    viewer.dims.set_point(axes.index("Z"), 1)
    job = start(dock, client, qtbot)
    assert job.image.fixed == {"C": 2}
    ((low,), (high,)) = job.statistics["low"], job.statistics["high"]
    assert 20 <= low < high <= 99
    client.say(ArraysReady(labels[1]))
    client.say(JobFinished({"objects": None}))
    qtbot.waitUntil(lambda: "mean" in layer.features)
    assert layer.features["mean"].tolist() == pytest.approx([34.5 + 20])
    dock.channel.value = "0"
    dock.scope.value = "whole"
    run(dock, client, qtbot, labels, objects=1)
    assert "cells · nuclei · channel 0" in viewer.layers


@pytest.mark.parametrize("channel", ["3", "-1"])
def test_a_channel_that_there_is_not_is_refused_by_its_fields_name(dock, viewer, channel):
    viewer.add_image(np.zeros((20, 30, 3), np.uint8), name="cells", rgb=True)
    dock.channel.value = channel
    assert not dock.run.enabled
    assert f"Channel (under Data) is {channel}, but 'cells' has 3 channels" in dock.status.value


def test_a_different_pixel_size_is_told_with_the_factor(dock, viewer, library):
    library("fine", pixel_size={"Y": 0.2, "X": 0.2})
    dock.model.reset_choices()
    viewer.add_image(np.zeros((20, 30)), scale=(0.5, 0.5), units=("um", "um"))
    dock.model.value = "fine"
    assert dock.run.enabled
    assert "2.5 times as large" in dock.found.value


def test_the_pixel_size_of_the_file_is_offered(dock, viewer, tmp_path, qtbot):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(
        path,
        np.zeros((12, 40, 50), np.uint8),
        imagej=True,
        resolution=(4, 4),
        metadata={"axes": "ZYX", "spacing": 0.5, "unit": "um"},
    )
    (layer,) = viewer.open(path, plugin="napari")
    qtbot.waitUntil(lambda: dock["apply_size"].native.isVisibleTo(dock.native))
    assert "0.25 µm" in dock["apply_size"].text
    dock["apply_size"].native.click()
    assert layer.scale.tolist() == [0.5, 0.25, 0.25]
    assert {str(unit) for unit in layer.units} == {"micrometer"}


def test_every_field_has_a_tooltip(dock):
    assert [field.name for field in dock if not field.tooltip] == []


@pytest.mark.parametrize(
    ("objects", "words"), [(None, "Done."), (1, "Done: 1 cell."), (1234, "Done: 1,234 cells.")]
)
def test_what_was_found_is_told(dock, viewer, client, qtbot, objects, words):
    viewer.add_image(np.zeros((20, 30)))
    run(dock, client, qtbot, np.ones((20, 30), np.uint32), objects=objects)
    assert dock.status.value == words


def test_context_is_shown_to_the_network_and_cut_off_again(dock, viewer, client, qtbot, library):
    library("halo", halo=(20, 30))
    dock.model.reset_choices()
    dock.model.value = "halo"
    pixels = np.arange(200 * 300, dtype=np.float32).reshape(200, 300)
    image = viewer.add_image(pixels, name="plane")
    dock.scope.value = "view"
    image.corner_pixels = np.array([[10, 100], [59, 149]])
    job = run(dock, client, qtbot, np.ones((50, 50), np.uint32))
    np.testing.assert_array_equal(open_ref(job.image.data), pixels[0:80, 70:180])
    assert job.inner == ((10, 60), (30, 80))


def test_thresholds_are_the_models_until_they_are_changed(dock, viewer, client, qtbot, library):
    library("tuned", thresholds={"boundary_threshold": 0.4, "min_size": 12})
    library("classes", task="semantic")
    dock.model.reset_choices()
    viewer.add_image(np.zeros((20, 30)))
    fields = dock.settings.thresholds
    dock.model.value = "tuned"
    assert fields["boundary_threshold"].value == 0.4
    assert fields["min_size"].value == 12
    assert run(dock, client, qtbot, np.ones((20, 30), np.uint32)).thresholds == {}
    fields["min_size"].value = 40
    job = run(dock, client, qtbot, np.ones((20, 30), np.uint32))
    assert job.thresholds == {"min_size": 40}
    dock.model.value = "classes"
    assert not any(field.enabled for field in fields.values())
    dock.model.value = "tuned"
    assert fields["min_size"].value == 12


def test_a_new_model_is_chosen_unless_the_user_has_chosen(dock, library, models_folder, qtbot):
    library("trained")
    os.utime(models_folder / "nuclei.unet", (0, 0))
    model_saved.emit("trained")
    assert dock.model.value == "trained"
    dock.model.value = "nuclei"
    library("better")
    model_saved.emit("better")
    assert dock.model.value == "nuclei"
    assert "better" in dock.model.choices


def test_the_users_own_model_goes_before_a_bundled_one(viewer, job, library, models_folder):
    library("general", bundled=True)
    assert SegmentDock(viewer, job).model.value == "general"
    library("mine")
    os.utime(models_folder / "mine.unet", (0, 0))
    dock = SegmentDock(viewer, job)
    assert dock.model.value == "mine"
    assert "Comes with" not in dock.model.native.toolTip()
    dock.model.value = "general"
    assert dock.model.native.currentText() == "general"
    assert "Comes with unet-napari:\ngeneral" in dock.model.native.toolTip()


PLAN = PlanSummary(
    way="streamed",
    reason="it is large",
    backend="torch",
    device="cpu",
    precision="fp32",
    shape=(20, 30),
    tile=(20, 30),
    tiles=1,
    strip=8,
    halo=(0, 0),
    batch=1,
    variants=1,
    memory=310 << 20,
    seconds=60,
)


def test_the_plan_is_told_in_few_words_and_explained_in_the_tooltip(dock, viewer, client, qtbot):
    viewer.add_image(np.zeros((20, 30)))
    start(dock, client, qtbot)
    client.say(Progress(0, 10, "network", plan=PLAN))
    client.say(Progress(1, 10, "network", seconds_left=130.0))
    qtbot.waitUntil(lambda: dock.progress.value == 10)
    assert dock.status.value == "streamed · 310 MiB · 2 min left · CPU"
    assert dock.status.native.toolTip() == PLAN.describe()


def test_a_warning_stays_in_the_dock_until_the_next_run_and_with_the_result(
    dock, viewer, client, qtbot
):
    viewer.add_image(np.zeros((20, 30)), name="cells")
    start(dock, client, qtbot)
    client.say(JobWarning("The model does not know this kind of image: set Diameter."))
    client.say(JobWarning("Some pixels are not numbers."))
    client.say(JobWarning("Some pixels are not numbers."))
    client.say(ArraysReady(np.ones((20, 30), np.uint32)))
    client.say(JobFinished({"objects": 1, "unfamiliar": "The model does not know it."}))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    said = dock.warning.value
    assert said.splitlines() == [
        "The model does not know this kind of image: set Diameter.",
        "Some pixels are not numbers.",
    ]
    assert dock.warning.native.styleSheet() != ""
    record = viewer.layers["cells · nuclei"].metadata["unet-napari"]
    assert record["unfamiliar"] == "The model does not know it."
    assert len(record["warnings"]) == 3
    dock.scope.value = "view"
    assert dock.warning.value == said
    start(dock, client, qtbot)
    assert dock.warning.value == ""


@pytest.mark.parametrize(("save", "words"), [(False, "all is lost"), (True, "goes on where")])
def test_a_long_run_says_so_before(dock, viewer, client, qtbot, stack, tmp_path, save, words):
    viewer.add_image(stack, name="stack", contrast_limits=(0, 9))
    dock.settings.save_to.value = str(tmp_path / "labels") if save else ""
    start(dock, client, qtbot)
    client.say(Progress(0, 10, "network", plan=replace(PLAN, seconds=45 * 60)))
    qtbot.waitUntil(lambda: bool(dock.warning.value))
    assert "about 45 min" in dock.warning.value
    assert words in dock.warning.value


def test_attention_is_offered_for_attention_networks_and_parts(
    dock, viewer, client, qtbot, library
):
    library("gates", network="attention_unet")
    dock.model.reset_choices()
    viewer.add_image(np.zeros((20, 30)), name="cells")
    assert not dock.settings.attention.enabled
    dock.model.value = "gates"
    assert dock.settings.attention.enabled
    dock.settings.attention.value = True
    dock.scope.value = "slice"
    maps = np.full((1, 20, 30), 0.5, np.float32)
    job = run(
        dock,
        client,
        qtbot,
        np.ones((20, 30), np.uint32),
        maps=maps,
        map_names=("attention, level 1",),
    )
    assert job.attention
    assert not job.maps
    assert (viewer.layers["cells · gates · attention, level 1"].data == 0.5).all()


def test_the_diameter_is_estimated_drawn_and_used(dock, viewer, client, qtbot, library):
    library("sized", diameter=20.0)
    dock.model.reset_choices()
    image = viewer.add_image(
        np.zeros((3, 200, 300)), name="stack", scale=(4, 0.5, 0.5), axis_labels="zyx"
    )
    assert not dock.settings.diameter.field.enabled
    dock.model.value = "sized"
    dock.settings.diameter.estimate.native.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    assert isinstance(client.jobs[0], DiameterJob)
    client.say(JobFinished({"diameter": 41.26}))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    assert "41.3 pixels" in dock.status.value
    circle = viewer.layers["diameter"]
    assert np.ptp(circle.data[0], axis=0) == pytest.approx([41.3, 41.3])
    assert circle.scale.tolist() == [0.5, 0.5]
    assert run(dock, client, qtbot, np.ones((3, 200, 300), np.uint32)).config["diameter"] == 41.3
    dock.settings.diameter.field.value = "20"
    assert np.ptp(viewer.layers["diameter"].data[0], axis=0) == pytest.approx([20, 20])
    assert dock.image.value is image
    dock.image.value = viewer.add_image(np.zeros((50, 50)), name="another")
    assert dock.settings.diameter.field.value == ""
    assert "diameter" not in viewer.layers


def test_the_circle_goes_with_the_dock(dock, viewer, library):
    library("sized", diameter=20.0)
    dock.model.reset_choices()
    dock.model.value = "sized"
    viewer.add_image(np.zeros((200, 300)), name="plane")
    dock.settings.diameter.field.value = "30"
    assert "diameter" in viewer.layers
    viewer.window.remove_dock_widget(dock.native)
    assert "diameter" not in viewer.layers


@pytest.fixture
def stack(tmp_path):
    """A stack on the disk, as a layer's data."""
    array = zarr.create_array(tmp_path / "stack.zarr", shape=(5, 20, 30), dtype=np.uint8)
    array[...] = 7
    return array


def test_labels_that_are_saved_are_shown_from_their_file(
    dock, viewer, client, qtbot, stack, tmp_path
):
    viewer.add_image(stack, name="stack", scale=(2, 1, 1), contrast_limits=(0, 9))
    dock.settings.save_to.value = str(tmp_path / "labels")
    job = start(dock, client, qtbot)
    assert isinstance(job, SegmentFileJob)
    assert job.output == str(tmp_path / "labels.zarr")
    assert job.image.source == str(tmp_path / "stack.zarr")
    with open_output(
        job.output, shape=(5, 20, 30), dtype="uint32", axes="ZYX", pixel_size={}
    ) as output:
        output[...] = 70_000
    client.say(JobFinished({"objects": 1}))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    assert dock.status.value == (
        f"Done: 1 outline in 5 slices, not joined. The labels are in '{job.output}'."
    )
    layer = viewer.layers["stack · nuclei"]
    assert not isinstance(layer.data, np.ndarray)
    assert not layer.editable
    assert tuple(layer.scale) == (2, 1, 1)
    assert (np.asarray(layer.data) == 70_000).all()

    dock.run.native.click()
    assert "exists already" in dock.status.value
    dock.settings.save_to.value = ""
    run(dock, client, qtbot, np.ones((5, 20, 30), np.uint32))
    assert (layer.data == 1).all()
    assert layer.editable


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"stopped": True, "kept": True}, "Stopped. Run it again to go on where it was."),
        ({"stopped": True, "kept": False}, "Stopped. Nothing was changed."),
    ],
)
def test_after_a_stop_it_is_said_whether_the_next_run_goes_on(
    dock, viewer, client, qtbot, stack, tmp_path, result, words
):
    viewer.add_image(stack, name="stack", contrast_limits=(0, 9))
    dock.settings.save_to.value = str(tmp_path / "labels.zarr")
    start(dock, client, qtbot)
    client.say(JobFinished(result))
    qtbot.waitUntil(lambda: dock.status.value == words)
    assert [layer.name for layer in viewer.layers] == ["stack"]


def test_only_labels_go_to_a_file_and_only_those_of_the_whole(
    dock, viewer, client, qtbot, stack, tmp_path
):
    viewer.add_image(stack, name="stack", contrast_limits=(0, 9))
    dock.settings.save_to.value = str(tmp_path / "labels.zarr")
    dock.settings.maps.value = True
    dock.run.native.click()
    qtbot.waitUntil(lambda: "Untick the maps" in dock.status.value)
    assert client.jobs == []
    dock.scope.value = "slice"
    assert isinstance(start(dock, client, qtbot), SegmentJob)


def test_an_image_in_memory_is_not_taken_for_its_file(dock, viewer, client, qtbot, tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((20, 30), np.uint8))
    viewer.open(path, plugin="napari")
    dock.settings.save_to.value = str(tmp_path / "labels.zarr")
    assert start(dock, client, qtbot).image.source is None


def test_where_the_labels_go_is_chosen_in_a_dialog(dock, monkeypatch, tmp_path):
    wanted = str(tmp_path / "labels.zarr")
    monkeypatch.setattr(
        "unet_napari._napari.docks.segment_dock.QFileDialog.getSaveFileName",
        lambda *_: (wanted, ""),
    )
    dock.settings.choose.native.click()
    assert dock.settings.save_to.value == wanted
