"""The count is checked in the dock: places are drawn, shown, answered with keys, and saved."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari.layers import Vectors
from segment_runs import THRESHOLDS, next_job, segment
from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.outcomes.check_keys import CHECK_KEYS
from unet_napari.cli import main
from unet_napari.engine import CheckJob, JobFinished
from unet_napari.engine.protocol import decode, encode
from unet_napari.inference.doubt.check_table import draw_places
from unet_napari.inference.doubt.doubtful_object import DoubtfulObject

LAYER = "count check"


def squares(rows=4, columns=6, pitch=20, side=10):
    """Return labels of squares in a grid."""
    labels = np.zeros((rows * pitch, columns * pitch), np.uint32)
    for number in range(rows * columns):
        top, left = pitch * (number // columns) + 5, pitch * (number % columns) + 5
        labels[top : top + side, left : left + side] = number + 1
    return labels


def drawn(job, labels):
    """Draw as the engine does, from the labels of the job."""
    rng = np.random.default_rng(0)
    numbers = np.unique(labels if job.box is None else labels[tuple(slice(*b) for b in job.box)])
    found = [
        DoubtfulObject(
            float(rng.beta(1, 9)), "weak", int(n), tuple(map(int, np.argwhere(labels == n)[44]))
        )
        for n in numbers[numbers > 0]
    ]
    return JobFinished(decode(encode({"places": tuple(draw_places(found, job.number, job.seed))})))


@pytest.fixture
def dock(viewer, job, library):
    library("nuclei", thresholds=THRESHOLDS)
    dock = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(dock, name="Segment")
    return dock


@pytest.fixture
def check(dock, client, qtbot):
    """Press Check the count, and let places be drawn in the labels of the last job."""

    def check(labels, number=8):
        before = len(client.jobs)
        dock["places"].value = number
        dock["check_count"].native.click()
        job = next_job(client, qtbot, before + 1)
        assert isinstance(job, CheckJob)
        client.say(drawn(job, labels))
        qtbot.waitUntil(lambda: dock.run.text == "Segment")
        return job

    return check


@pytest.fixture
def save(dock, tmp_path, monkeypatch):
    """Press Save, and return what unet-napari count says of the file."""

    def save(capsys):
        path = tmp_path / "checks"
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
        dock.numbers._counting.buttons.by_name["save"].click()
        capsys.readouterr()
        code = main(["count", f"{path}.csv"])
        return code, capsys.readouterr().out.strip()

    return save


def press(viewer, *keys):
    for key in keys:
        layer = viewer.layers[LAYER]
        binding = next(known for known in layer.keymap if str(known) == key)
        layer.keymap[binding](layer)


def said(dock):
    return str(dock["counted"].value)


def test_each_place_is_shown_and_answered_with_a_key_and_the_count_is_that_of_the_file(
    dock, viewer, client, qtbot, check, save, capsys
):
    labels = squares()
    viewer.add_image(np.zeros(labels.shape), name="cells", scale=(0.5, 0.5))
    segment(dock, client, qtbot, labels, kept=7)
    job = check(labels)
    assert (job.kept, job.thresholds, job.number, job.box) == (7, {}, 8, None)
    assert said(dock).startswith("Place 1 of 8. How many cells have their middle")
    assert "So far" not in said(dock)
    record = dock.numbers._counting._record
    layer = viewer.layers[LAYER]
    assert viewer.layers.selection.active is layer
    for step, key in enumerate(["T", "R", "S", "T", "T", "T"]):
        item = record.places[step].item
        assert labels[item.point] == item.number
        np.testing.assert_allclose(
            viewer.scene.camera.center[-2:], np.multiply(item.point, 0.5), atol=1e-6
        )
        starts, colours = layer.data[:, 0], layer.edge_color
        own = starts[colours[:, 2] == colours[-1, 2]][-4:]  # the square of the cell itself
        mask = labels == item.number
        assert own.min() == min(np.argwhere(mask).min(axis=0)) - 0.5
        assert (starts.min(axis=0) < np.argwhere(mask).min(axis=0) - 0.5).all()
        press(viewer, key)
    assert "So far 2" in said(dock)
    press(viewer, "Shift+N")
    assert said(dock).startswith("Place 6 of 8. Your answer: 1.")
    press(viewer, "R", "N", "T")  # answered again; the seventh is left for later
    assert record.answers == [1, 0, 2, 1, 1, 0, None, 1]
    assert said(dock).startswith("Place 7 of 8.")
    press(viewer, "O", "O")
    assert "2 more than the next key says" in said(dock)
    press(viewer, "S")
    assert record.answers == [1, 0, 2, 1, 1, 0, 4, 1]
    code, line = save(capsys)
    assert code == 0
    assert line.endswith("(8 of the 24 that were found were checked).")
    assert f"All are answered: {line} More places make it narrower." in said(dock)
    check(labels, 24)  # all of them: the answers stay
    longer = dock.numbers._counting._record
    assert longer.answers[:9] == [*record.answers, None]
    assert longer.places[:8] == record.places
    press(viewer, *["T"] * 16)
    assert "All are answered: 26 cells: all 24 that were found were checked." in said(dock)


def test_in_a_film_it_goes_to_the_frame_and_only_the_part_is_counted(
    dock, viewer, client, qtbot, check
):
    frame = squares()
    viewer.add_image(np.zeros((3, *frame.shape)), name="film", axis_labels="tyx")
    viewer.dims.set_point(0, 2)
    dock.scope.value = "slice"
    segment(dock, client, qtbot, frame, kept=1)
    viewer.dims.set_point(0, 0)
    assert check(frame).box == ((0, 80), (0, 120))
    assert viewer.dims.current_step[0] == 2
    lines = viewer.layers[LAYER].data
    assert set(lines[:, 0, 0]) == {2}
    found = viewer.layers["film · nuclei"].data
    for place in dock.numbers._counting._record.places:
        assert found[place.item.point] == place.item.number
    press(viewer, *["T"] * 8)
    assert "That is of the part that was segmented last." in said(dock)


def test_in_a_volume_a_cell_is_outlined_in_each_of_its_slices(dock, viewer, client, qtbot, check):
    stack = np.zeros((7, *squares().shape), np.uint32)
    stack[2:5] = squares()
    viewer.add_image(np.zeros(stack.shape), name="stack", axis_labels="zyx", scale=(3, 1, 1))
    segment(dock, client, qtbot, stack)
    check(stack)
    lines = viewer.layers[LAYER]
    yellow = lines.edge_color[:, 0] == lines.edge_color[-1, 0]
    yellow &= lines.edge_color[:, 1] == lines.edge_color[-1, 1]
    assert set(lines.data[yellow, 0, 0]) == {2, 3, 4}
    assert set(lines.data[:, 0, 0]) == set(range(7))  # its territory takes all slices
    np.testing.assert_array_equal(lines.scale, (3, 1, 1))


def test_the_answers_outlive_the_dock_but_not_the_labels(
    dock, viewer, job, client, qtbot, check, save, capsys
):
    labels = squares()
    viewer.add_image(np.zeros(labels.shape), name="cells")
    segment(dock, client, qtbot, labels)
    check(labels)
    press(viewer, "T", "T", "S")
    viewer.window.remove_dock_widget(dock.native.parent())
    assert LAYER not in viewer.layers
    again = SegmentDock(viewer, job)
    viewer.window.add_dock_widget(again, name="Segment")
    again["places"].value = 8
    again["check_count"].native.click()
    assert said(again).startswith("Place 4 of 8.")
    press(viewer, "T", "T")
    assert "So far" in said(again)
    result = viewer.layers["cells · nuclei"]
    result.data_setitem((np.array([3]), np.array([4])), 9)
    press(viewer, "T")
    assert said(again) == (
        "The labels have changed since the places were drawn, so the check has ended: 5 of 8 were "
        "answered. Save keeps these answers; Check the count draws again."
    )
    assert LAYER not in viewer.layers
    assert not again.numbers._counting.buttons.by_name["one"].isEnabled()
    again["check_count"].native.click()
    assert "segment the image with a model of cells first" in str(again.status.value)


def test_labels_that_go_or_follow_a_slider_end_the_check(dock, viewer, client, qtbot, check):
    labels = squares()
    viewer.add_image(np.zeros(labels.shape), name="cells")
    segment(dock, client, qtbot, labels)
    check(labels)
    dock.settings.thresholds.sliders["foreground_threshold"].value = 0.8
    before = len(client.jobs)
    found = np.where(labels < 20, labels, 0).astype(np.uint32)
    client.say(JobFinished({"labels": found, "objects": 19, "highest": 19}))
    qtbot.waitUntil(lambda: "have changed" in said(dock))
    qtbot.waitUntil(lambda: not dock.thresholds._live.following)
    job = check(found)
    assert (job.thresholds, len(client.jobs)) == ({"foreground_threshold": 0.8}, before + 1)
    viewer.layers.remove("cells · nuclei")
    assert "were removed since" in said(dock)


def test_no_key_is_one_of_napari_s_and_each_is_listed_in_tooltip_overlay_and_docs(
    dock, viewer, client, qtbot, check
):
    labels = squares()
    viewer.add_image(np.zeros(labels.shape), name="cells")
    segment(dock, client, qtbot, labels)
    check(labels)
    layer = viewer.layers[LAYER]
    keys = {str(key) for key in layer.keymap}
    assert keys == {entry.key.replace("-", "+") for entry in CHECK_KEYS}
    assert keys & {str(key) for key in Vectors.class_keymap} == set()
    assert keys & {str(key) for key in ViewerModel.class_keymap} == set()
    press(viewer, "H")
    overlay = viewer.canvas.overlays.text
    assert overlay.visible
    assert [line.split()[0] for line in overlay.text.splitlines()] == [e.key for e in CHECK_KEYS]
    press(viewer, "H")
    assert not overlay.visible
    for name, made in dock.numbers._counting.buttons.by_name.items():
        entry = next((entry for entry in CHECK_KEYS if entry.name == name), None)
        assert entry is None or f"Key: {entry.key}, while the layer" in made.toolTip()
    page = (Path(__file__).parents[3] / "docs" / "guide" / "doubt.md").read_text("utf-8")
    assert [entry.key for entry in CHECK_KEYS if f"`{entry.key}`" not in page] == []


def test_places_that_are_not_in_the_labels_and_planes_of_volumes_are_said(
    dock, viewer, client, qtbot, library
):
    labels = squares()
    viewer.add_image(np.zeros(labels.shape), name="cells")
    segment(dock, client, qtbot, labels)
    for end, line in (
        (lambda job: drawn(job, np.roll(labels, 10, axis=0)), "does not show what was found last"),
        (lambda _: JobFinished({"places": ()}), "No cell was found"),
    ):
        before = len(client.jobs)
        dock["check_count"].native.click()
        client.say(end(next_job(client, qtbot, before + 1)))
        qtbot.waitUntil(lambda: dock.run.text == "Segment")
        assert line in str(dock.status.value)
    order = dock.thresholds.check_order()
    library("volumes", ndim=3, thresholds=THRESHOLDS)
    place = type(order.run.order.place)({"Y": 5})
    plane = replace(order.run, order=replace(order.run.order, place=place))
    with pytest.raises(Exception, match="choose the whole image under Scope"):
        replace(order, run=plane).request(20, 0)
