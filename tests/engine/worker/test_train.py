"""A training job is told of new paint and of views, one after the other, and none is lost."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from unet_napari.engine import (
    ImageRef,
    JobWarning,
    PaintTaken,
    PaintUpdate,
    PairAdded,
    PairRef,
    PairRemoved,
    Preview,
    PreviewRequest,
    Resting,
    Started,
    Step,
    TrainJob,
)
from unet_napari.engine.protocol import Cancel, Command
from unet_napari.engine.shared import SharedFolder
from unet_napari.engine.worker.job_context import JobContext
from unet_napari.engine.worker.train import run_training
from unet_napari.errors import ModelFileError
from unet_napari.images import nuclei
from unet_napari.model.info import read_info
from unet_napari.model.versions import versions_of
from unet_napari.training import TrainConfig
from unet_napari.training.state.state_file import painted_in_state, read_state_head

SMALL = {
    "device": "cpu",
    "patch": (32, 32),
    "batch": 2,
    "network_options": {"features": [4, 8]},
}


class Told(JobContext):
    """A context that reacts to events as a client does, in the same thread."""

    def __init__(self, folder, react):
        super().__init__(1, lambda _: None, folder)
        self.events = []
        self._react = react

    def send(self, event):
        self.events.append(event)
        for command in self._react(event) or ():
            self.receive(Cancel(1) if command is None else Command(1, command))

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def folder():
    folder = SharedFolder()
    yield folder
    folder.close()


@pytest.fixture(scope="module")
def picture():
    return nuclei((96, 128), count=40, seed=1)


@pytest.fixture
def train(folder, picture, tmp_path):
    """Train live on a picture, reacting to events; return the context with all events."""

    def train(react, labels=None, axes="YX", image=None, start=None, **settings):
        image = picture[0] if image is None else image
        labels = picture[1] if labels is None else labels
        pair = PairRef(
            ImageRef(folder.share(image), axes, name="nuclei"), folder.share(labels, snapshot=True)
        )
        config = TrainConfig(**{**SMALL, "live": True, **settings})
        job = TrainJob((pair,), config.to_dict(), str(tmp_path / "my.unet"), "my", start)
        context = Told(folder, react)
        context.result = run_training(job, context)
        return context

    return train


def at_step(step, *commands):
    """Send commands after a step, and end the job some steps later."""

    def react(event):
        if isinstance(event, Step) and event.step == step:
            return commands
        return (None,) if isinstance(event, Step) and event.step == step + 3 else ()

    return react


def test_waiting_commands_do_not_displace_each_other(train, picture):
    paint = np.full((4, 4), 700)
    view = PreviewRequest(ImageRef(picture[0][:32, :32], "YX"), "here")
    told = train(
        at_step(
            2,
            PaintUpdate(0, (0, 0), paint, number=1),
            view,
            PaintUpdate(0, (20, 20), paint, number=2),
        )
    )
    (taken,) = told.of(PaintTaken)
    assert taken.number == 2
    assert min(taken.training, taken.validation) > 100
    assert [preview.key for preview in told.of(Preview)] == ["here"]
    assert told.result["steps"] == 5


@pytest.mark.parametrize("place", [{}, {"Y": (0, 48), "X": (20, 84)}])
def test_paint_that_is_predicted_otherwise_is_told_with_the_prediction(train, picture, place):
    view = PreviewRequest(ImageRef(picture[0][:48, 20:84], "YX"), "here", place=place)
    told = train(at_step(2, view))
    (preview,) = told.of(Preview)
    mistakes = [item for item in preview.doubtful if item.painted]
    assert bool(mistakes) == bool(place)
    labels = picture[1][:48, 20:84]
    assert all(labels[item.point] == item.number for item in mistakes)


def test_a_start_that_can_see_is_shown_before_the_first_step(train, picture, tmp_path):
    view = PreviewRequest(ImageRef(picture[0][:32, :32], "YX"), "here")

    def react(event):
        if isinstance(event, Started):
            return (view,)
        return (None,) if isinstance(event, Step) and event.step == 2 else ()

    fresh = train(react)
    assert all(preview.step > 0 for preview in fresh.of(Preview))
    told = train(react, start=str(tmp_path / "my.unet"))
    assert told.of(Preview)[0].step == 0
    kinds = [type(event) for event in told.events]
    assert kinds.index(Preview) < kinds.index(Step)


def test_a_stop_between_two_strokes_keeps_the_model(train, tmp_path):
    told = train(at_step(1, PaintUpdate(0, (0, 0), np.zeros((9, 9), int), number=1), None))
    assert told.result["stopped"]
    assert read_info(tmp_path / "my.unet").provenance["painted"].endswith(" cells in 1 image")


def test_axes_of_length_one_of_the_layer_are_no_trouble(train, picture):
    image, labels = picture
    told = train(
        at_step(1, PaintUpdate(0, (0, 5, 5), np.full((1, 3, 3), 7), number=1)),
        labels=labels[None],
        image=image,
    )
    assert told.of(PaintTaken)
    assert told.of(JobWarning) == []


def test_paint_that_fits_nowhere_is_a_warning_and_the_training_goes_on(train):
    told = train(
        at_step(
            1,
            PaintUpdate(3, (0, 0), np.ones((2, 2), int), number=1),
            PaintUpdate(0, (95, 0), np.ones((2, 2), int), number=2),
        )
    )
    first, second = (warning.message for warning in told.of(JobWarning))
    assert first == "There is no image 3 in this training."
    assert "does not lie within the labels of nuclei" in second
    assert told.result["steps"] == 4


def test_an_added_image_is_painted_by_its_number(train, folder, picture):
    image, labels = nuclei((96, 128), count=40, seed=9)
    more = PairRef(ImageRef(folder.share(image), "YX"), folder.share(np.zeros_like(labels)))
    told = train(at_step(1, PairAdded(more, 1), PaintUpdate(1, (0, 0), labels, number=2)))
    (taken,) = told.of(PaintTaken)
    assert taken.number == 2
    assert taken.training > 0.7 * np.count_nonzero(labels) + 0.5 * np.count_nonzero(picture[1])


def test_a_pair_that_is_removed_leaves_with_its_paint(train, folder, picture):
    image, labels = nuclei((96, 128), count=40, seed=9)
    more = PairRef(ImageRef(folder.share(image), "YX"), folder.share(labels))

    def react(event):
        if isinstance(event, Step) and event.step == 1:
            return [PairAdded(more, 1)]
        if isinstance(event, PaintTaken) and event.number == 1:
            return [PairRemoved(1, 2), PairRemoved(5, 3)]
        return [None] if isinstance(event, Step) and event.step == 4 else ()

    told = train(react)
    before, after = told.of(PaintTaken)
    assert (before.number, after.number) == (1, 3)
    assert before.training - after.training > 0.7 * np.count_nonzero(labels)
    (warning,) = told.of(JobWarning)
    assert warning.message == "There is no pair 5 in this training, which has 2."


def test_while_it_rests_views_are_shown_and_paint_wakes_it(train, picture, monkeypatch):
    still = [True]
    monkeypatch.setattr(
        "unet_napari.training.run.stillness.Stillness.is_still", lambda *_: still[0]
    )
    monkeypatch.setattr("unet_napari.engine.worker.live_preview._REST_FACTOR", 0.0)
    context = []

    def react(event):
        if isinstance(event, Resting):
            later = threading.Timer(0.05, look)
            later.start()
        elif isinstance(event, Preview):
            still[0] = False
            return [PaintUpdate(0, (0, 0), np.full((3, 3), 800), number=1)]
        return [None] if isinstance(event, Step) else []

    def look():
        view = PreviewRequest(ImageRef(picture[0][:32, :32], "YX"), "there")
        context[0].receive(Command(1, view))

    original = Told.__init__

    def remember(self, *arguments):
        original(self, *arguments)
        context.append(self)

    monkeypatch.setattr(Told, "__init__", remember)
    told = train(react)
    kinds = [type(event) for event in told.events if not isinstance(event, JobWarning)]
    order = [kinds.index(kind) for kind in (Resting, Preview, PaintTaken, Step)]
    assert order == sorted(order)


def test_a_stop_ends_the_rest(train, monkeypatch):
    monkeypatch.setattr(
        "unet_napari.training.run.stillness.Stillness.is_still",
        lambda _self, _now, _waited: bool(steps),
    )
    steps = []

    def react(event):
        if isinstance(event, Step):
            steps.append(event.step)
        return [None] if isinstance(event, Resting) else []

    told = train(react)
    assert told.result["steps"] == 1


def test_a_stopped_job_goes_on_and_its_model_becomes_a_version(folder, picture, tmp_path):
    path, state = tmp_path / "my.unet", tmp_path / "my.state"
    labels = picture[1].copy()

    def job(**more):
        pair = PairRef(
            ImageRef(folder.share(picture[0]), "YX", name="nuclei"),
            folder.share(labels, snapshot=True),
        )
        config = TrainConfig(**{**SMALL, "live": True}).to_dict()
        return TrainJob((pair,), config, str(path), "my", state=str(state), **more)

    first = Told(
        folder,
        at_step(3, PaintUpdate(0, (0, 0), np.full((9, 9), 99), number=1, background=99)),
    )
    assert run_training(job(), first)["steps"] == 6
    head = read_state_head(state)
    assert (head.step, head.model_path, head.images[0].background) == (6, str(path), (99,))
    labels[:9, :9] = 99
    labels[20:25, 20:25] = 700
    second = Told(folder, lambda e: [None] if isinstance(e, Step) and e.step == 9 else [])
    result = run_training(job(resume=True), second)
    assert [event.step for event in second.of(Step)] == [7, 8, 9]
    assert result["steps"] == 9
    assert second.of(JobWarning) == []
    kept, _ = painted_in_state(state, 0)
    np.testing.assert_array_equal(kept[...], labels)
    assert [version.number for version in versions_of(path)] == [1]


def test_without_a_state_there_is_nothing_to_continue(folder, picture, tmp_path):
    pair = PairRef(ImageRef(folder.share(picture[0]), "YX"), folder.share(picture[1]))
    config, path = TrainConfig(**SMALL).to_dict(), str(tmp_path / "my.unet")
    with pytest.raises(ModelFileError, match="There is no training to continue"):
        run_training(TrainJob((pair,), config, path, "my", resume=True), Told(folder, lambda _: ()))
    state = str(tmp_path / "gone.state")
    job = TrainJob((pair,), config, path, "my", state=state, resume=True)
    with pytest.raises(ModelFileError, match=r"There is no training to continue: .*gone\.state"):
        run_training(job, Told(folder, lambda _: ()))
