"""Whatever changes labels is found: in a real viewer, with napari's own strokes and keys."""

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from unet_napari._napari.corrections.corrections import Corrections
from unet_napari._napari.layers.background_paint import background_number, reserve_background
from unet_napari._napari.live import paint_watch
from unet_napari._napari.live.known_paint import KnownPaint
from unet_napari._napari.live.paint_watch import PaintWatch
from unet_napari._napari.sections.detection import split_labels
from unet_napari.geometry import Box

PATIENCE = 30_000  # milliseconds; a busy machine is no failure


class Copy:
    """Stands for the engine: labels that are kept up to date by what is reported, and no more."""

    def __init__(self, parent, viewer, layer):
        self.layer = layer
        self.labels = np.array(layer.data)
        self.known = KnownPaint(np.array(layer.data))
        self.reports = []
        self.watch = PaintWatch(parent, layer, viewer.dims, self.take)

    def take(self, boxes):
        self.reports.append(boxes)
        for box, content in list(self.known.changes(self.layer.data, boxes)):
            self.labels[box.to_slices()] = content
            self.known.learn(box, content)

    def is_same(self):
        return np.array_equal(self.labels, self.layer.data)


@pytest.fixture
def copy_of(viewer):
    copies = []

    def make(shape, dtype=np.uint16, **options):
        layer = viewer.add_labels(np.zeros(shape, dtype), **options)
        copies.append(Copy(viewer.window._qt_window, viewer, layer))
        return copies[-1]

    yield make
    for copy in copies:
        copy.watch.close()


def reported(copy, qtbot):
    qtbot.waitUntil(copy.is_same, timeout=PATIENCE)
    return merged_size(copy.reports)


def merged_size(reports):
    return sum(box.size for boxes in reports for box in boxes)


def stroke(layer, path, label):
    """Paint as the mouse does: all points of a path in one step of the history."""
    with layer.block_history():
        for point in path:
            layer.paint(point, label)


def test_a_stroke_is_reported_at_the_latest_two_and_a_half_seconds_after_its_end():
    pause = (1 + paint_watch._PATIENCE) * paint_watch._PACE  # however long the stroke is
    assert pause <= 2500
    assert paint_watch._HEARTBEAT + paint_watch._PACE <= 2500  # an undo


def test_a_stroke_is_reported_with_little_around_it(copy_of, qtbot):
    copy = copy_of((400, 500))
    stroke(copy.layer, [(100, 100 + x) for x in range(0, 30, 3)], 4)
    assert reported(copy, qtbot) < 3000
    assert copy.labels.max() == 4


def test_undo_and_redo_are_found_though_napari_tells_nobody(copy_of, qtbot):
    copy = copy_of((60, 70))
    for x in (10, 30, 50):
        stroke(copy.layer, [(20, x)], x)
    reported(copy, qtbot)
    copy.layer.undo()
    copy.layer.undo()
    reported(copy, qtbot)
    assert set(np.unique(copy.labels)) == {0, 10}
    copy.layer.redo()
    reported(copy, qtbot)
    assert set(np.unique(copy.labels)) == {0, 10, 30}


def test_an_undo_in_a_hidden_layer_is_found(copy_of, qtbot):
    copy = copy_of((60, 70))
    stroke(copy.layer, [(20, 20)], 1)
    reported(copy, qtbot)
    copy.layer.visible = False
    qtbot.wait(350)
    copy.layer.undo()
    reported(copy, qtbot)
    assert not copy.labels.any()


def test_undo_then_paint_reports_both(copy_of, qtbot):
    copy = copy_of((60, 70))
    stroke(copy.layer, [(20, 20)], 1)
    stroke(copy.layer, [(50, 60)], 2)
    reported(copy, qtbot)
    copy.layer.undo()
    stroke(copy.layer, [(20, 20)], 3)  # what was undone is in no history any more
    reported(copy, qtbot)
    assert set(np.unique(copy.labels)) == {0, 3}


def test_undo_past_the_start_is_found(viewer, copy_of, qtbot):
    layer = viewer.add_labels(np.zeros((40, 50), np.uint16))
    stroke(layer, [(20, 20)], 5)
    copy = Copy(viewer.window._qt_window, viewer, layer)  # the training begins here
    layer.undo()
    reported(copy, qtbot)
    copy.watch.close()
    assert not copy.labels.any()


def test_fill_erase_and_polygon(copy_of, qtbot):
    copy = copy_of((60, 70))
    layer = copy.layer
    layer.paint_polygon([(5, 5), (5, 40), (40, 40), (40, 5)], 3)
    reported(copy, qtbot)
    layer.fill((20, 20), 7)
    reported(copy, qtbot)
    stroke(layer, [(20, 20)], 0)
    reported(copy, qtbot)
    assert set(np.unique(copy.labels)) == {0, 7}
    assert copy.labels[20, 20] == 0


def test_new_data_is_compared_as_a_whole(copy_of, qtbot):
    copy = copy_of((60, 70))
    data = np.zeros((60, 70), np.uint16)
    data[50:55, 3:9] = 6
    copy.layer.data = data
    reported(copy, qtbot)


def test_what_a_script_writes_is_found_after_a_refresh(copy_of, qtbot):
    copy = copy_of((5, 60, 70))
    copy.layer.data[3, 4:9, 5:8] = 2
    copy.layer.refresh()
    reported(copy, qtbot)


def test_walking_through_a_stack_reports_nothing(viewer, copy_of, qtbot):
    copy = copy_of((9, 60, 70))
    qtbot.wait(350)
    copy.reports.clear()
    for z in range(9):
        viewer.dims.set_point(0, z)
        qtbot.wait(50)
    qtbot.wait(350)
    assert copy.reports == []


def test_splitting_and_corrections_are_strokes(viewer, copy_of, qtbot):
    copy = copy_of((60, 70))
    layer = copy.layer
    stroke(layer, [(10, 10)], 1)
    stroke(layer, [(40, 50)], 1)
    split_labels(layer)
    reported(copy, qtbot)
    assert set(np.unique(copy.labels)) == {0, 1, 2}
    predicted = np.zeros((60, 70), np.uint16)
    predicted[20:26, 20:26] = 1
    prediction = viewer.add_labels(predicted)
    number = background_number(layer)
    tools = Corrections(layer, prediction, (0, 1), number, lambda: reserve_background(layer))
    tools.take((22, 22))
    reported(copy, qtbot)
    assert copy.labels[22, 22] == 3
    layer.undo()
    tools.reject((22, 22))
    reported(copy, qtbot)
    assert copy.labels[22, 22] == 65535


def test_paint_in_3d_is_cut_into_its_planes(copy_of, qtbot):
    copy = copy_of((40, 300, 300))
    at = np.arange(0, 40, 13)
    where = (np.repeat(at, 2), np.tile([2, 298], len(at)), np.tile([2, 298], len(at)))
    copy.layer.data_setitem(where, 3)
    reported(copy, qtbot)
    layer = copy.layer
    layer.n_edit_dimensions = 3
    stroke(layer, [(20, 150, 150)], 4)
    reported(copy, qtbot)
    assert (copy.labels == 4).any(axis=(1, 2)).sum() > 3


def test_reports_are_paced_while_the_user_paints(copy_of, qtbot):
    copy = copy_of((400, 400))
    start = time.perf_counter()
    count = 0
    while time.perf_counter() - start < 1.5 or count <= 50:
        stroke(copy.layer, [(20 + count % 300, 30 + 7 * count % 300)], 1 + count % 9)
        count += 1
        qtbot.wait(5)
    reported(copy, qtbot)
    assert 2 <= len(copy.reports) <= 2 + (time.perf_counter() - start) / 0.3
    assert all(len(boxes) <= 16 for boxes in copy.reports)


def test_a_stroke_that_is_still_drawn_waits_for_its_end(copy_of, qtbot):
    copy = copy_of((60, 70))
    stroke(copy.layer, [(50, 60)], 2)
    with copy.layer.block_history():
        copy.layer.paint((10, 10), 1)
        qtbot.wait(700)
        assert copy.reports == []
        copy.layer.paint((10, 12), 1)
    reported(copy, qtbot)


def test_a_stroke_without_end_holds_up_nothing_for_long(copy_of, qtbot):
    copy = copy_of((60, 70))
    stroke(copy.layer, [(50, 60)], 2)
    with copy.layer.block_history():
        copy.layer.paint((10, 10), 1)
        qtbot.waitUntil(lambda: bool(copy.reports), timeout=PATIENCE)


def test_a_stroke_in_a_large_stack_copies_next_to_nothing(copy_of, qtbot):
    copy = copy_of((60, 1000, 1000), np.uint8)
    stroke(copy.layer, [(30, 500, 500)], 3)
    reported(copy, qtbot)
    tracemalloc.start()
    stroke(copy.layer, [(30, 520, 500)], 3)
    qtbot.waitUntil(lambda: copy.labels[30, 520, 500] == 3, timeout=PATIENCE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000  # of 60 MB


def test_nothing_is_reported_of_a_layer_that_is_left(copy_of, qtbot):
    copy = copy_of((60, 70))
    copy.watch.close()
    stroke(copy.layer, [(10, 10)], 1)
    qtbot.wait(400)
    assert copy.reports == []


def test_what_could_not_be_dealt_with_is_reported_again(copy_of, qtbot):
    copy = copy_of((60, 70))
    copy.watch.again([Box((3, 4), (5, 6))])
    qtbot.waitUntil(lambda: bool(copy.reports))
    assert copy.reports == [[Box((3, 4), (5, 6))]]


EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("paint"), st.integers(0, 39), st.integers(0, 49), st.integers(0, 5)),
        st.tuples(st.just("fill"), st.integers(0, 39), st.integers(0, 49), st.integers(0, 5)),
        st.just(("undo",)),
        st.just(("redo",)),
        st.just(("look",)),
    ),
    max_size=25,
)


@given(EDITS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_sequence_of_edits_arrives(qapp, edits):
    viewer = ViewerModel()  # a hundred windows would take minutes
    layer = viewer.add_labels(np.zeros((40, 50), np.uint16))
    copy = Copy(qapp, viewer, layer)
    for name, *rest in edits:
        if name == "look":
            copy.watch._report()
        elif name in ("undo", "redo"):
            getattr(layer, name)()
        else:
            *point, label = rest
            getattr(layer, name)(tuple(point), label)
    copy.watch._refreshed = False  # the histories alone must tell
    copy.watch._report()
    copy.watch.close()
    assert copy.is_same()
