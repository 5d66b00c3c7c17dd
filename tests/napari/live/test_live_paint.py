"""What is painted while a training runs is sent to the engine, all of it and nothing else."""

import threading

import numpy as np
import pytest

from unet_napari._napari.layers.background_paint import hold_background
from unet_napari.engine import JobFailed, JobFinished, PaintTaken, Resting
from unet_napari.errors import ResourceError
from unet_napari.training.events import Step, Validated

STEP = Step(
    step=12, epoch=3, epochs=None, loss=0.25, learning_rate=1e-3, fraction=0.0, seconds_left=0
)
VALIDATED = Validated(step=12, score=0.71, score_name="AP50", best=True, message="")


def arrived(engine, layer, qtbot):
    qtbot.waitUntil(lambda: np.array_equal(engine.labels(), layer.data))


def test_strokes_undo_and_new_data_arrive_within_three_seconds(engine, paint, qtbot):
    paint.paint((80, 100), 9)
    arrived(engine, paint, qtbot)
    paint.undo()
    arrived(engine, paint, qtbot)
    paint.data = np.roll(paint.data, 5, 0)
    arrived(engine, paint, qtbot)
    numbers = [update.number for update in engine.updates()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_only_the_changed_box_travels(engine, paint, qtbot):
    paint.brush_size = 5
    paint.paint((80, 100), 9)
    arrived(engine, paint, qtbot)
    (update,) = engine.updates()
    assert update.pair == 0
    assert update.start == (78, 98)
    assert update.labels.shape == (5, 5)
    assert update.annotated is None


def test_nothing_is_sent_where_nothing_differs(engine, paint, qtbot):
    paint.paint((80, 100), 9)
    paint.undo()
    paint.refresh()
    qtbot.wait(700)
    assert engine.updates() == []


def test_strokes_before_the_engine_has_started_are_sent_then(
    dock, client, start, viewer, monkeypatch, qtbot
):
    layer = viewer.layers["paint"]
    say, events = client.say, []
    monkeypatch.setattr(client, "say", events.append)
    engine = start()
    layer.paint((80, 100), 9)
    qtbot.wait(700)
    assert engine.updates() == []
    say(*events)
    arrived(engine, layer, qtbot)


def test_after_stop_nothing_is_sent(dock, engine, client, paint, qtbot):
    client.say(JobFinished({}))
    qtbot.waitUntil(lambda: not dock.busy)
    paint.paint((80, 100), 9)
    qtbot.wait(700)
    assert engine.updates() == []


def test_the_background_number_is_told_with_the_first_stroke_of_it(
    dock, engine, client, paint, qtbot
):
    assert client.jobs[0].pairs[0].background is None
    hold_background(paint)
    paint.paint((80, 100), paint.selected_label)
    arrived(engine, paint, qtbot)
    assert engine.labels()[80, 100] == 65535
    assert engine.updates()[-1].background == 65535


def test_regions_that_are_drawn_while_it_runs_are_sent(dock, engine, paint, viewer, qtbot):
    shapes = viewer.add_shapes([[(50, 0), (50, 40), (90, 40), (90, 0)]], name="complete")
    dock.settings.annotated.value = shapes
    qtbot.waitUntil(lambda: engine.annotated().any())
    assert engine.annotated()[60:80, 10:30].all()
    assert not engine.annotated()[:40].any()
    paint.paint((80, 100), 9)
    arrived(engine, paint, qtbot)
    assert all(update.annotated is not None for update in engine.updates())
    dock.settings.annotated.value = None
    qtbot.waitUntil(lambda: not engine.annotated().any())


def test_strokes_while_the_engine_restarts_are_all_there(
    dock, engine, paint, client, start, keep_state, painted, monkeypatch, qtbot
):
    keep_state(*painted)
    client.say(JobFailed("The engine process was killed.", user_error=True))
    paint.paint((80, 100), 9)
    qtbot.waitUntil(lambda: dock.run.text == "Continue")
    client.commands.clear()
    dock._double_click.stop()
    say, events = client.say, []
    monkeypatch.setattr(client, "say", events.append)
    again = start()
    paint.paint((60, 20), 8)
    qtbot.wait(700)
    assert again.updates() == []
    assert client.jobs[-1].resume
    say(*events)
    arrived(again, paint, qtbot)
    assert again.labels()[80, 100] == 9


def test_another_image_in_the_layer_is_told_once_and_the_strokes_go_on(
    dock, engine, paint, viewer, qtbot
):
    for _ in range(2):
        viewer.layers["nuclei"].data = np.zeros((96, 128))
    assert dock.warning.value == (
        "'nuclei' shows another image now. The training goes on with the one that it was started "
        "with; press Stop and Train to train on this one."
    )
    paint.paint((80, 100), 9)
    arrived(engine, paint, qtbot)


@pytest.mark.parametrize(
    ("layer", "rest"),
    [("paint", "The training goes on with what was painted in it."), ("nuclei", "with it.")],
)
def test_a_removed_layer_is_told_in_one_line(dock, engine, viewer, layer, rest):
    viewer.layers.remove(viewer.layers[layer])
    assert dock.busy
    assert dock.warning.value.startswith(f"'{layer}' was removed.")
    assert dock.warning.value.endswith(rest)


def test_renamed_layers_are_still_followed(engine, paint, viewer, qtbot):
    paint.name = "another name"
    viewer.layers["nuclei"].name = "another image"
    paint.paint((80, 100), 9)
    arrived(engine, paint, qtbot)


def test_data_of_another_shape_are_told_once_and_do_not_join(dock, engine, paint, qtbot):
    paint.data = np.zeros((40, 50), np.uint16)
    qtbot.waitUntil(lambda: bool(dock.warning.value))
    paint.paint((10, 10), 3)
    qtbot.wait(700)
    assert dock.warning.value.count("40 x 50") == 1
    assert "'paint'" in dock.warning.value
    assert engine.updates() == []


def test_paint_in_another_layer_of_the_image_is_told_once(dock, engine, viewer):
    other = viewer.add_labels(np.zeros((96, 128), np.uint16), name="other")
    for _ in range(3):
        other.paint((10, 10), 1)
        other.undo()
    assert dock.warning.value == (
        "You paint in 'other', but the training learns from 'paint': paint there."
    )


def test_a_full_disk_keeps_the_strokes_for_later(dock, engine, paint, job, qtbot, monkeypatch):
    share, tries = job.share_array, []

    def full(data):
        tries.append(data)
        if len(tries) == 1:
            raise ResourceError("There is no room.")
        return share(data)

    monkeypatch.setattr(job, "share_array", full)
    paint.paint((80, 100), 9)
    qtbot.waitUntil(lambda: "There is no room." in dock.warning.value)
    paint.paint((60, 20), 8)
    arrived(engine, paint, qtbot)


def test_what_else_is_looked_at_holds_up_no_stroke(dock, engine, paint, qtbot):
    go = threading.Event()
    dock.background.run(lambda: go.wait(300), lambda _: None, lambda _: None)
    paint.paint((80, 100), 9)
    arrived(engine, paint, qtbot)
    go.set()


def test_thousands_of_strokes_are_few_messages(engine, paint, qtbot):
    for count in range(1200):
        paint.paint((5 + count * 7 % 80, 5 + count * 13 % 110), 1 + count % 9)
        if count % 120 == 0:
            qtbot.wait(1)
    arrived(engine, paint, qtbot)
    assert len(engine.updates()) < 100


def test_labels_on_a_grid_of_their_own_arrive_on_that_of_the_image(
    dock, start, viewer, painted, qtbot
):
    layer = viewer.layers["paint"]
    coarse = viewer.add_labels(
        np.ascontiguousarray(layer.data[::2, ::2]),
        scale=(2, 2),
        translate=(0.5, 0.5),
        name="coarse",
    )
    dock.labels.value = coarse
    engine = start()
    coarse.brush_size = 1
    coarse.paint((40, 50), 77)
    qtbot.waitUntil(lambda: (engine.labels() == 77).any())
    assert engine.labels().shape == painted[0].shape
    assert (engine.labels()[80:82, 100:102] == 77).all()


def test_the_line_speaks_of_learning_strokes_and_rest(dock, engine, client, paint, qtbot):
    client.say(STEP)
    client.say(VALIDATED)
    client.say(STEP)
    qtbot.waitUntil(lambda: dock.status.value == "learning · AP50 0.71 · CPU")
    paint.paint((80, 100), 9)
    qtbot.waitUntil(lambda: bool(engine.updates()))
    client.say(PaintTaken(engine.updates()[-1].number, 100, 20))
    qtbot.waitUntil(
        lambda: dock.status.value == "learning · AP50 0.71 · your last stroke is in · CPU"
    )
    client.say(VALIDATED)
    client.say(Resting(12, 0.71))
    qtbot.waitUntil(lambda: dock.status.value == "resting until you paint · AP50 0.71 · CPU")
    assert dock.progress.max == 100
    client.say(STEP)
    qtbot.waitUntil(lambda: dock.status.value == "learning · AP50 0.71 · CPU")
    assert dock.progress.max == 0
