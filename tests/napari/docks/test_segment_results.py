"""What the Segment dock says of a run, and where its results go."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
import zarr

from segment_runs import run, start
from unet_napari.engine import (
    ArraysReady,
    DiameterJob,
    JobFinished,
    JobWarning,
    SegmentFileJob,
    SegmentJob,
)
from unet_napari.images import open_output
from unet_napari.inference.progress import PlanSummary, Progress


@pytest.fixture
def dock(segment_dock):
    return segment_dock


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


def test_a_size_that_was_found_out_is_said_shown_and_forgotten(
    dock, viewer, client, qtbot, library
):
    library("sized", diameter=20.0)
    dock.model.reset_choices()
    dock.model.value = "sized"
    viewer.add_image(np.zeros((200, 300)), name="plane")
    job = start(dock, client, qtbot)
    assert job.config["diameter"] is None
    plan = PlanSummary(
        "one tile", "it fits", "torch", "cpu", "auto", (50, 75), (50, 75), 1, None, (0, 0), 1, 1, 1,
        diameter=82.4, sizes="cells of about 82 pixels, where 'sized' knows 20",
    )  # fmt: skip
    client.say(ArraysReady(np.ones((200, 300), np.uint32)))
    client.say(Progress(0, 1, "predicting", plan=plan))
    client.say(JobFinished({"objects": 1}))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    assert "Cells of about 82 pixels, where 'sized' knows 20." in dock.status.value
    assert viewer.layers[-1].metadata["unet-napari"]["diameter"] == 82.4
    assert dock.settings.diameter.field.value == "82.4"
    assert "diameter" not in viewer.layers  # nobody asked for a circle
    viewer.add_image(np.zeros((50, 50)), name="another")
    dock.image.value = viewer.layers["another"]
    assert dock.settings.diameter.field.value == ""
    dock.settings.diameter.show_found(82.4)
    dock.model.value = "nuclei"
    assert dock.settings.diameter.field.value == ""


def test_the_word_model_leaves_the_image_as_it_is(dock, viewer, client, qtbot, library):
    library("sized", diameter=20.0)
    dock.model.reset_choices()
    dock.model.value = "sized"
    viewer.add_image(np.zeros((200, 300)), name="plane")
    dock.settings.diameter.field.value = "model"
    assert "diameter" not in viewer.layers
    assert start(dock, client, qtbot).config["diameter"] == "model"


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
    assert dock.status.value == f"Done: 1 cell in 5 slices. The labels are in '{job.output}'."
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
        "unet_napari._napari.docks.segment_settings.QFileDialog.getSaveFileName",
        lambda *_: (wanted, ""),
    )
    dock.settings.choose.native.click()
    assert dock.settings.save_to.value == wanted
