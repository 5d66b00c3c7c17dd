"""When the live prediction is made, and of what."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from unet_napari.engine.arrays import take
from unet_napari.engine.protocol import Cancel, JobWarning
from unet_napari.engine.requests import ImageRef, PreviewRequest
from unet_napari.engine.shared import SharedFolder
from unet_napari.engine.worker.job_context import JobContext
from unet_napari.engine.worker.live_preview import LivePreview
from unet_napari.errors import warn_user
from unet_napari.images import Image, Normalisation, nuclei
from unet_napari.model.model import Model
from unet_napari.networks import UNet
from unet_napari.tasks import SemanticTask
from unet_napari.training import TrainConfig
from unet_napari.training.data.pairs import AsPainted


class Trainer:
    """As much of a trainer as a preview needs, with a clock that predicting moves."""

    def __init__(self):
        torch.manual_seed(0)
        network = UNet(in_channels=1, out_channels=2, features=(4, 8), ndim=2).eval()
        self._model = Model(network, SemanticTask(classes=(1, 2)), Normalisation())
        self.config = TrainConfig(device="cpu")
        self.now = 100.0
        self.duration = 0.1

    @property
    def model(self):
        self.now += self.duration
        return self._model


@pytest.fixture
def trainer():
    return Trainer()


@pytest.fixture
def events():
    return []


@pytest.fixture
def context(events):
    folder = SharedFolder()
    yield JobContext(1, lambda message: events.append(message.event), folder)
    folder.close()


@pytest.fixture
def whole():
    return Image(nuclei((48, 64), count=8, seed=0)[0], "YX")


@pytest.fixture
def preview(trainer, context, whole):
    return LivePreview(trainer, whole, context, clock=lambda: trainer.now)


@pytest.fixture
def look_at(preview, whole):
    """Request a preview, as the client does."""

    def look_at(key, data=None, axes="YX", frame=None):
        data = whole.data if data is None else data
        preview.ask(PreviewRequest(ImageRef(data, axes), key, frame))

    return look_at


def steps_with_preview(preview, trainer, events, seconds):
    """Train for some seconds, 10 steps each, and return how many previews there were."""
    before = len(events)
    end = trainer.now + seconds
    while trainer.now < end:
        trainer.now += 0.1
        preview.update(7)
    return len(events) - before


def test_without_a_request_there_is_none(preview, trainer, events):
    assert steps_with_preview(preview, trainer, events, 10) == 0


def test_one_view_is_shown_every_other_second(preview, trainer, events, look_at):
    look_at("a")
    assert steps_with_preview(preview, trainer, events, 20) in (9, 10)


def test_slow_previews_leave_three_quarters_of_the_time(preview, trainer, events, look_at):
    trainer.duration = 4.0
    look_at("a")
    count = steps_with_preview(preview, trainer, events, 160)
    assert count in (9, 10)


def test_a_new_view_is_shown_at_once_unless_the_last_one_was_slow(
    preview, trainer, events, look_at
):
    look_at("a")
    preview.update(1)
    trainer.now += 0.31
    look_at("b")
    preview.update(2)
    look_at("c")
    trainer.now += 0.29
    preview.update(3)
    assert [event.key for event in events] == ["a", "b"]


def test_only_the_latest_view_is_shown(preview, events, look_at):
    look_at("a")
    look_at("b")
    preview.update(1)
    assert [event.key for event in events] == ["b"]


def test_an_empty_request_ends_it(preview, trainer, events, look_at, context):
    look_at("a")
    preview.update(1)
    preview.ask(PreviewRequest(None))
    assert steps_with_preview(preview, trainer, events, 10) == 0


def test_a_part_is_as_bright_as_in_the_whole(preview, trainer, events, look_at, whole):
    """A dim part predicted by itself would be stretched to full brightness."""
    model = trainer.model
    look_at("part", whole.data[:16, :16])
    preview.update(5)
    [event] = events
    labels = take(event.labels)
    statistics = model.normalisation.measure(whole)
    pixels = model.normalisation.apply(whole.data[np.newaxis, :16, :16], statistics)
    with torch.no_grad():
        logits = model.network(torch.from_numpy(pixels)[None])
    assert event.step == 5
    assert np.array_equal(labels, 1 + logits[0].argmax(0).numpy())


def test_a_cancelled_job_sends_no_more(preview, events, look_at, context):
    look_at("a")
    context.receive(Cancel(1))
    preview.update(1)
    assert events == []


def test_what_cannot_be_predicted_is_said_once(preview, trainer, events, look_at):
    look_at("a", np.zeros((3, 8, 8), np.uint8), "CYX")
    assert steps_with_preview(preview, trainer, events, 10) == 1
    [warning] = events
    assert isinstance(warning, JobWarning)
    assert "3 channels" in warning.message


def test_a_preview_without_memory_leaves_the_training_alone(
    preview, trainer, events, look_at, monkeypatch
):
    def full(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("unet_napari.engine.worker.live_preview.segment_steps", full)
    look_at("a")
    preview.update(1)
    assert events == [JobWarning("There is no live prediction: there is not enough memory.")]
    assert steps_with_preview(preview, trainer, events, 10) == 0


def test_a_time_point_of_a_bleaching_film_is_as_bright_as_any_other(
    trainer, context, whole, events
):
    film = Image(np.stack([whole.data * 1.0, whole.data * 0.1]), "TYX")
    preview = LivePreview(trainer, film, context, clock=lambda: trainer.now)
    for frame in (0, 1):
        preview.ask(PreviewRequest(ImageRef(film.data[frame], "YX"), str(frame), frame))
        preview.update(frame)
        trainer.now += 100
    first, second = (take(event.labels) for event in events)
    assert len(np.unique(first)) == 2
    assert np.array_equal(first, second)


def test_a_network_that_learns_may_be_unsure(preview, events, look_at, monkeypatch):
    def unsure(*_, **__):
        warn_user("Check the result: the model is unsure.")
        return iter(())

    monkeypatch.setattr("unet_napari.engine.worker.live_preview.segment_steps", unsure)
    look_at("a")
    preview.update(1)
    assert [event.key for event in events] == ["a"]


@pytest.mark.parametrize(
    ("axes", "place", "key"),
    [
        ("YX", {"Y": (4, 20), "X": (8, 40)}, np.s_[4:20, 8:40]),
        ("TYX", {"T": (1, 2), "Y": (4, 20), "X": (8, 40)}, np.s_[1, 4:20, 8:40]),
        ("ZYX", {"Z": (0, 2), "Y": (4, 5), "X": (8, 40)}, np.s_[0:2, 4:5, 8:40]),
    ],
)
def test_a_part_is_compared_with_what_is_painted_in_its_place(
    trainer, context, monkeypatch, axes, place, key
):
    shape = {"T": 3, "Z": 2, "Y": 24, "X": 48}
    size = tuple(shape[letter] for letter in axes)
    labels = np.arange(np.prod(size), dtype=np.int32).reshape(size)
    labels[labels % 7 == 0] = 65535
    trainer.prepared = SimpleNamespace(
        painted=SimpleNamespace(
            paint=lambda _: SimpleNamespace(raw=AsPainted(labels, None, (65535, 9)))
        )
    )
    preview = LivePreview(trainer, Image(labels * 1.0, axes), context)
    spatial = axes.replace("T", "")
    part = preview._painted(PreviewRequest(None, "", None, place), spatial)
    expected = np.where(labels[key] == 9, 65535, labels[key])
    np.testing.assert_array_equal(part.labels, expected)
    assert part.background == 65535
    assert preview._painted(PreviewRequest(None), spatial) is None
