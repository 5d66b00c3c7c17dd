"""A task with another decode that is added outside the package, in this one file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from scipy import ndimage

from unet_napari import segment, train
from unet_napari.evaluation.objects import Evaluation, evaluate, match
from unet_napari.geometry import Box
from unet_napari.labels.painting import check_labels
from unet_napari.model.model import Model
from unet_napari.tasks import Criterion, Target, Task
from unet_napari.tasks.decoding.blocks import DEFAULT_BLOCKS
from unet_napari.tasks.kinds.catalogue import CELLS, TASK_KINDS
from unet_napari.training import TrainConfig

BLOBS = dataclasses.replace(
    CELLS, name="blobs", implementation=f"{__name__}:BlobsTask", thing="blob", things="blobs"
)

_DEFAULT_CRITERION = Criterion("bce+dice")


@dataclass(frozen=True)
class BlobsTask(Task):
    """Objects that never touch: each connected piece of foreground is one."""

    kind: ClassVar = BLOBS
    name: ClassVar = "blobs"
    maps: ClassVar = "independent"
    score_name: ClassVar = "AP50"
    map_names: ClassVar = ("foreground",)
    packed_maps: ClassVar = 1
    packed_dtype: ClassVar = np.dtype(np.uint8)

    criterion: Criterion = _DEFAULT_CRITERION

    def __post_init__(self):
        self._check_criterion()

    def encode(self, labels, annotated):
        """Mark objects."""
        return Target((labels > 0).float()[:, None], annotated.float()[:, None])

    def pack(self, maps):
        """Decide at one half."""
        return (maps > 0.5).astype(np.uint8)

    def provisional(self, packed):
        """Show all objects as one."""
        return packed[0].astype(np.uint32)

    def decode_steps(self, packed, scratch, out, blocks=DEFAULT_BLOCKS, first_id=1):
        """Number the pieces; all at once, as this is an example."""
        numbers, _ = ndimage.label(np.asarray(packed[(slice(None),) * (len(out.shape) + 1)])[0])
        box = Box.whole(out.shape)
        out[box.to_slices()] = np.where(numbers > 0, numbers + first_id - 1, 0).astype(np.uint32)
        yield 1, 1, box

    def compare(self, true, predicted):
        """Match the objects."""
        return match(true, predicted)

    def evaluation(self, compared):
        """Return average precision."""
        return Evaluation(tuple(compared))

    def score(self, predicted, true, annotated):
        """AP at IoU 0.5."""
        return evaluate(true, predicted, annotated).average_precision(0.5)

    def uncertainty(self, score, true, annotated):
        """Return a tenth."""
        return 0.1


@pytest.fixture(autouse=True)
def blobs_task():
    """Add the task for the time of a test."""
    TASK_KINDS.add(BLOBS)
    yield
    TASK_KINDS.remove("blobs")


def picture():
    """Nine bright squares, the image and their labels."""
    labels = np.zeros((72, 72), np.uint16)
    for number in range(9):
        top, left = 24 * (number // 3) + 6, 24 * (number % 3) + 6
        labels[top : top + 12, left : left + 12] = number + 1
    return (labels > 0) + np.random.default_rng(0).normal(0, 0.02, labels.shape), labels


def test_it_is_trained_saved_and_decodes_its_own_way(tmp_path):
    image, labels = picture()
    options = {"features": [8, 8], "strides": [2]}
    model = train(
        *(image, labels),
        task="blobs",
        unpainted="background",
        network_options=options,
        patch=(24, 24),
        steps=40,
        validation=0,
        learning_rate=2e-2,
        device="cpu",
    )
    loaded = Model.load(model.save(tmp_path / "blobs.unet"))
    assert loaded.task == BlobsTask()
    found = segment(image, loaded, device="cpu")
    assert evaluate(labels, found).average_precision(0.5) == 1


def test_what_knows_no_task_names_its_things():
    _, labels = picture()
    painting = check_labels(labels, labels.shape, task="blobs")
    assert painting.describe().startswith("2D, 9 blobs, ")
    assert TrainConfig(task="blobs").task == "blobs"
