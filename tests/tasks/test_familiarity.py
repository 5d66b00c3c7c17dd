"""Telling images that a model knows from others."""

import numpy as np
import pytest

from unet_napari.tasks import CellsTask
from unet_napari.tasks.decoding.decode import CellRule
from unet_napari.tasks.familiarity import Familiarity, usual

RULE = CellRule(foreground_threshold=0.5, seed_threshold=0.5, min_size=0)


def maps_of(share, probability):
    """Return 100 x 100 packed pixels of which a share is foreground of that probability."""
    maps = np.zeros((3, 100, 100), np.uint8)
    maps[0, : round(100 * share)] = round(255 * probability)
    return maps


def seen(*parts, least=0.0, most=1.0):
    familiarity = Familiarity(RULE, least, most)
    for part in parts:
        familiarity.see(part)
    return familiarity


def test_parts_count_by_their_pixels():
    familiarity = seen(maps_of(0.4, 1.0), maps_of(0.1, 0.6))
    assert familiarity.coverage == pytest.approx(0.25)
    assert familiarity.confidence == pytest.approx((0.4 * 1.0 + 0.1 * 0.6) / 0.5)


def test_what_is_below_the_threshold_is_no_foreground():
    familiarity = seen(maps_of(0.4, 0.4))
    assert (familiarity.coverage, familiarity.confidence) == (0, 1)


@pytest.mark.parametrize(
    ("share", "probability", "reason"),
    [(0.3, 0.8, "doubt is 2.0 times"), (0.9, 1.0, "takes 90% of the image")],
)
def test_what_is_unusual_is_said(share, probability, reason):
    assert reason in seen(maps_of(share, probability), least=0.9, most=0.7).describe()


def test_doubt_is_not_told_as_certainty():
    """ "88.9 % sure" reads as good news."""
    said = seen(maps_of(0.3, 0.89), least=0.94).describe()
    assert "unsure" in said
    assert "89" not in said


@pytest.mark.parametrize(
    ("maps", "limits"),
    [(maps_of(0.3, 0.95), (0.9, 0.7)), (maps_of(0, 0), (0.9, 0.7)), (maps_of(1, 0.51), (0, 1))],
)
def test_the_usual_the_empty_and_the_unknown_are_not(maps, limits):
    assert seen(maps, least=limits[0], most=limits[1]).describe() is None


def test_somewhat_more_doubt_and_coverage_than_in_any_of_them_is_usual():
    images = [maps_of(0.2 + i / 100, 0.8 + 0.01 * i) for i in range(11)]
    least, most = usual(RULE, images)
    assert least == pytest.approx(1 - 1.25 * 0.2)
    assert most == pytest.approx((1 + 0.3) / 2)


def test_few_images_say_nothing_about_what_is_usual():
    assert usual(RULE, [maps_of(0.2, 0.9)] * 9) == (0, 1)


def test_a_task_learns_what_is_usual_and_keeps_it():
    maps = np.zeros((3, 40, 40), np.float32)
    maps[:, 10:20, 10:20] = 0.9
    labels = (maps[0] > 0).astype(int)
    where = np.ones(labels.shape, bool)
    task = CellsTask().tuned([maps] * 20, [labels] * 20, [where] * 20)
    assert task.most_coverage == pytest.approx((1 + 100 / 1600) / 2)
    assert task.least_confidence == pytest.approx(1 - 1.25 * 25 / 255)
    assert CellsTask.from_dict({k: v for k, v in task.to_dict().items() if k != "name"}) == task
