"""Doubtful objects of the last segmentation, ranked by the engine."""

import numpy as np
import pytest

from unet_napari.engine import CheckJob, DoubtJob, ImageRef, SegmentJob
from unet_napari.engine.protocol import decode, encode
from unet_napari.engine.worker.rank_doubts import draw_checked, rank_doubts
from unet_napari.engine.worker.segment_layers import segment_into_layers
from unet_napari.engine.worker.shelf import SHELF
from unet_napari.errors import EngineError
from unet_napari.inference import InferenceConfig

CONFIG = InferenceConfig(backend="torch", device="cpu", diameter="model").to_dict()


@pytest.fixture
def segmented(context, monkeypatch, trained_model, painted_nuclei):
    """The number of the kept maps of an image, and its labels."""
    monkeypatch.setattr(
        "unet_napari.engine.worker.segment_layers.load_model", lambda _: trained_model
    )
    reference = ImageRef(context.folder.share(painted_nuclei[0]), "YX")
    result = segment_into_layers(SegmentJob(reference, "nuclei", CONFIG), context)
    kept, model = SHELF.find(result["kept"])
    labels = np.zeros(kept.result_shape, np.uint32)
    for _ in kept.decode(model.task, labels, 2**28):
        pass
    return result["kept"], labels


def test_every_object_is_ranked_and_the_answer_can_travel(segmented, context):
    number, labels = segmented
    result = rank_doubts(DoubtJob(number), context)
    found = result["doubtful"]
    assert {item.number for item in found} == set(np.unique(labels)) - {0}
    assert decode(encode(result)) == result


def test_painted_objects_are_left_out(segmented, context):
    number, labels = segmented
    painted = np.where(labels == 2, 7, 0)
    reference = context.folder.share(painted, snapshot=True)
    found = rank_doubts(DoubtJob(number, labels=reference), context)["doubtful"]
    assert 2 not in {item.number for item in found}


def test_the_thresholds_of_the_labels_count(segmented, context):
    number, _ = segmented
    none = rank_doubts(DoubtJob(number, {"min_size": 10**6}), context)["doubtful"]
    assert none == ()


def test_cells_are_drawn_from_all_or_from_a_part_with_what_they_stand_for(segmented, context):
    number, labels = segmented
    result = draw_checked(CheckJob(number, number=9, seed=3), context)
    places = result["places"]
    assert decode(encode(result)) == result
    assert len({place.item.number for place in places}) == 9
    assert all(labels[place.item.point] == place.item.number for place in places)
    assert sum({p.stratum: p.stratum_cells for p in places}.values()) == labels.max()
    longer = draw_checked(CheckJob(number, number=12, seed=3), context)["places"]
    assert longer[:9] == places
    box = ((10, 60), (20, 70))
    part = draw_checked(CheckJob(number, number=99, box=box), context)["places"]
    assert {place.item.number for place in part} == set(np.unique(labels[10:60, 20:70])) - {0}
    assert draw_checked(CheckJob(number, {"min_size": 10**6}), context)["places"] == ()


def test_maps_that_are_gone_are_named(context):
    with pytest.raises(EngineError, match="segment the image again"):
        rank_doubts(DoubtJob(99), context)
