"""Labels are compared with others that are right; what is wrong is outlined and gone through."""

import numpy as np
import pytest

from unet_napari.engine import CompareJob, JobFailed, JobFinished
from unet_napari.engine.worker.judge_labels import judge_labels
from unet_napari.errors import UnetNapariError
from unet_napari.evaluation.objects import evaluate


@pytest.fixture
def compare(dock, client, context, qtbot):
    """Press Compare, and let the engine's own function judge."""

    def compare():
        before = len(client.jobs)
        dock["compare"].native.click()
        qtbot.waitUntil(lambda: len(client.jobs) > before)
        job = client.jobs[-1]
        assert isinstance(job, CompareJob)
        try:
            end = JobFinished(judge_labels(job, context))
        except UnetNapariError as error:
            end = JobFailed(str(error), user_error=True)
        client.say(end)
        qtbot.waitUntil(lambda: dock.run.text == "Segment")

    return compare


@pytest.fixture
def labels(viewer):
    """Right and wrong labels of a film: one missed, one extra and one split."""
    right, wrong = np.zeros((2, 3, 60, 80), np.uint16)
    right[0, 5:15, 5:15], wrong[0, 5:15, 5:15] = 1, 9
    right[1, 5:15, 40:50] = 1
    wrong[2, 20:30, 60:70] = 3
    right[2, 40:50, 20:40] = 4
    wrong[2, 40:50, 20:30], wrong[2, 40:50, 30:40] = 4, 5
    viewer.add_image(np.zeros((3, 60, 80)), name="film", axis_labels="tyx", scale=(1, 0.5, 0.5))
    scale = {"scale": (1, 0.5, 0.5), "axis_labels": "tyx"}
    truth = viewer.add_labels(right, name="right", **scale)
    found = viewer.add_labels(wrong, name="wrong", **scale)
    return truth, found


def test_scores_and_layers_of_outlines_come_of_it(dock, viewer, labels, compare):
    truth, found = labels
    dock["truth"].value = truth
    viewer.layers.selection.active = found
    compare()
    frames = evaluate(list(truth.data), list(found.data))
    said = dock.status.value
    assert f"AP50 {frames.average_precision(0.5):.3f}, F1 {frames.f1():.3f}" in said
    assert said.endswith("1 missed, 1 extra, 1 split, 0 merged.")
    assert "splits" in dock.status.native.toolTip()
    layers = {name: viewer.layers[f"{name} · wrong"] for name in ("missed", "extra", "split")}
    assert "merged · wrong" not in viewer.layers
    np.testing.assert_array_equal(layers["missed"].data, np.where(np.arange(3)[:, None, None] == 1,
                                                                  truth.data, 0))  # fmt: skip
    np.testing.assert_array_equal(layers["extra"].data, np.where(found.data == 3, 3, 0))
    np.testing.assert_array_equal(layers["split"].data, np.where(truth.data == 4, 4, 0))
    for layer in layers.values():
        assert layer.contour > 0
        np.testing.assert_array_equal(layer.scale, found.scale)
    colours = {name: tuple(layer.get_color(4)) for name, layer in layers.items()}
    assert len(set(colours.values())) == 3
    assert viewer.layers.selection.active is found


def test_a_button_goes_through_what_is_wrong(dock, viewer, labels, compare):
    truth, found = labels
    dock["truth"].value = truth
    viewer.layers.selection.active = found
    compare()
    seen = []
    for _ in range(4):
        dock["next_wrong"].native.click()
        seen.append((dock.status.value, viewer.dims.current_step[0]))
        centre = viewer.scene.camera.center
    assert [step for _, step in seen] == [1, 2, 2, 1]
    assert seen[0][0] == "missed: 1 of 3."
    assert seen[1][0] == "extra: 2 of 3."
    assert seen[3][0] == seen[0][0]
    assert centre[-2:] == pytest.approx((9.5 * 0.5, 44.5 * 0.5))


def test_a_second_comparison_takes_the_place_of_the_first(dock, viewer, labels, compare):
    truth, found = labels
    dock["truth"].value = truth
    viewer.layers.selection.active = found
    compare()
    found.data = truth.data.copy()
    compare()
    assert [layer.name for layer in viewer.layers] == ["film", "right", "wrong"]
    assert "AP50 1.000" in dock.status.value
    assert not dock["next_wrong"].enabled


def test_of_two_selected_results_the_better_one_is_told(dock, viewer, compare):
    right = np.zeros((60, 60), np.uint16)
    for number in range(25):
        row, column = divmod(number, 5)
        right[12 * row : 12 * row + 8, 12 * column : 12 * column + 8] = number + 1
    dock["truth"].value = viewer.add_labels(right, name="right")
    good = viewer.add_labels(np.where(right == 4, 0, right), name="good")
    poor = viewer.add_labels(np.where(right < 13, 0, right), name="poor")
    viewer.layers.selection = {poor, good}
    compare()
    said = dock.status.value
    assert said.startswith("AP50 0.960 of 'good', 0.520 of 'poor': 'good' is better (difference +")
    assert said.endswith("Right in one only: 11 and 0.")
    only = viewer.layers["only · good"].data
    np.testing.assert_array_equal(only, np.where((right < 13) & (right != 4), right, 0))
    assert "only · poor" not in viewer.layers
    dock["next_wrong"].native.click()
    assert dock.status.value == "only 'good' has it right: 1 of 11."


def test_more_than_two_results_are_too_many(dock, viewer, client):
    shape = (8, 8)
    dock["truth"].value = viewer.add_labels(np.ones(shape, int), name="right")
    viewer.layers.selection = {viewer.add_labels(np.ones(shape, int)) for _ in range(3)}
    dock["compare"].native.click()
    assert "the two that are to be compared" in dock.status.value
    assert client.jobs == []


def test_what_cannot_be_compared_is_said(dock, viewer, labels, client):
    _, found = labels
    dock["compare"].native.click()
    assert "choose the labels that are right" in dock.status.value
    other = viewer.add_labels(np.zeros((5, 6), int), name="small")
    dock["truth"].value = other
    viewer.layers.selection.active = found
    dock["compare"].native.click()
    assert "has the shape (3, 60, 80), but 'small' (5, 6)" in dock.status.value
    dock["truth"].value = found
    dock["compare"].native.click()
    assert "Select the labels that are to be compared" in dock.status.value
    assert client.jobs == []
    assert dock.run.text == "Segment"


def test_labels_that_are_right_are_never_written_to(dock, labels):
    truth, _ = labels
    dock["truth"].value = truth
    assert list(dock.numbers._comparing.chosen_layers()) == [truth]
