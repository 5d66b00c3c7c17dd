import os

import dask.array
import numpy as np
import pytest
import zarr

from segment_runs import run
from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.layers import results
from unet_napari.engine import (
    ArraysReady,
    JobCancelled,
    JobFailed,
    JobFinished,
    SegmentJob,
)
from unet_napari.engine.arrays import open_ref
from unet_napari.errors import ResourceError
from unet_napari.images import Statistics
from unet_napari.inference.progress import Progress


@pytest.fixture
def dock(segment_dock):
    return segment_dock


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
    assert job.config["slicewise"] is False
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


@pytest.fixture
def stack(tmp_path):
    """A stack on the disk, as a layer's data."""
    array = zarr.create_array(tmp_path / "stack.zarr", shape=(5, 20, 30), dtype=np.uint8)
    array[...] = 7
    return array
