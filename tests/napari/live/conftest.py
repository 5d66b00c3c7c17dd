"""Stands for the engine of a live training: applies what it is told to the labels it was given."""

from dataclasses import asdict

import numpy as np
import pytest

from train_events import STARTED
from unet_napari.engine import PaintUpdate
from unet_napari.engine.arrays import open_ref
from unet_napari.images import Image as ImageOfArray
from unet_napari.labels.sparse import SparseArray
from unet_napari.training.config import TrainConfig
from unet_napari.training.data.identity import fingerprint
from unet_napari.training.state.state_file import write_state
from unet_napari.training.state.state_head import PairHead, StateHead, TrainingCurve
from unet_napari.training.state.stored_paint import PackedPaint


class Engine:
    """The labels of the first pair as the engine has them, by its latest job and all commands."""

    def __init__(self, client):
        self._client = client
        self._first = np.array(open_ref(client.jobs[-1].pairs[0].labels)[...])

    def commands(self):
        """Return all that the engine was told, in order."""
        return list(self._client.commands)

    def updates(self):
        """Return the updates of all pairs."""
        return [one for one in self.commands() if isinstance(one, PaintUpdate)]

    def labels(self):
        """Return the labels of the first pair as they are by now."""
        return self._applied(self._first.copy(), "labels")

    def annotated(self):
        """Return where the first pair is annotated as a whole."""
        return self._applied(np.zeros(self._first.shape, bool), "annotated")

    def _applied(self, array, what):
        for update in self.updates():
            reference = getattr(update, what)
            if update.pair == 0 and reference is not None:
                content = open_ref(reference)
                box = zip(update.start, content.shape, strict=True)
                array[tuple(slice(a, a + n) for a, n in box)] = content
        return array


@pytest.fixture
def dock(ready):
    """A Train dock with an image and paint, for a training without an end."""
    ready.effort.value = "live"
    return ready


@pytest.fixture
def start(dock, client, qtbot):
    """Start a training in the dock, and return what stands for its engine."""

    def run():
        before = len(client.jobs)
        dock.run.native.click()
        qtbot.waitUntil(lambda: len(client.jobs) > before)
        client.say(STARTED)
        return Engine(client)

    return run


@pytest.fixture
def engine(start):
    return start()


@pytest.fixture
def paint(viewer, engine):
    return viewer.layers["paint"]


def head_of(image, labels, name="nuclei cells", *, score=0.71, task="cells", background=()):
    """Return what a stopped training of an image says of itself."""
    painted = int(np.count_nonzero(labels))
    pair = PairHead("nuclei", None, fingerprint(image), labels.shape, painted, background)
    curve = TrainingCurve(((1, 0.9), (40, 0.4)), ((40, 0.71),))
    config = TrainConfig(task=task, live=True).to_dict()
    told = (name, f"{name}.unet", task, 2, 40, 12.0, score, "AP50")
    return StateHead(*told, curve, config, (pair,))


@pytest.fixture
def keep_state(models_folder):
    """Write the state of a training, as the engine does."""

    def keep(pixels, labels, name="nuclei cells", *, annotated=None, **options):
        models_folder.mkdir(exist_ok=True)
        head = head_of(ImageOfArray(pixels, "YX"), labels, name, **options)
        facts = {"head": asdict(head), "dtypes": [str(labels.dtype)]}
        path = models_folder / f"{name}.state"
        arrays = PackedPaint().pack("labels.0", SparseArray.of(labels))
        if annotated is not None:
            arrays |= PackedPaint().pack("annotated.0", SparseArray.of(annotated))
        write_state(path, facts, arrays)
        return path

    return keep
