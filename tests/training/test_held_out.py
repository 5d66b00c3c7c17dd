"""Every whole cell that is held out is judged, once; or a fair choice of them."""

import numpy as np
import pytest

from unet_napari.tasks.kinds.objects import ObjectKind
from unet_napari.training.data.split import split_samples
from unet_napari.training.held_out import count_objects, describe_judged, judged_parts


def grid_of_cells(shape, size, pitch):
    """Return labels of equal boxes on a grid."""
    labels = np.zeros(shape, np.int32)
    places = np.stack(
        np.meshgrid(*(np.arange(0, n - size + 1, pitch) for n in shape), indexing="ij"), -1
    )
    for number, place in enumerate(places.reshape(-1, len(shape)), start=1):
        labels[tuple(slice(start, start + size) for start in place)] = number
    return labels


def judged_ids(parts):
    """Return the id of each judged cell, once for each time that it is judged."""
    return np.concatenate([np.unique(p.labels[p.annotated & (p.labels > 0)]) for p in parts])


@pytest.mark.parametrize(("size", "pitch"), [(20, 22), (25, 25), (40, 50)])
def test_every_cell_of_a_held_out_volume_is_judged_once(make_sample, size, pitch):
    sample = make_sample(grid_of_cells((200, 200, 200), size, pitch))
    parts = judged_parts([sample], (1, 1, 1), 24, 0, "cells")
    assert np.array_equal(np.sort(judged_ids(parts)), np.arange(1, sample.labels.max() + 1))
    assert sum(part.labels.size for part in parts) == 200**3  # each pixel is predicted once


def test_every_whole_cell_of_a_held_out_slab_is_judged_once(make_sample):
    labels = grid_of_cells((120, 96, 96), 20, 24)
    split = split_samples(
        [make_sample(labels)],
        task="cells",
        fraction=0.2,
        spacing=(1, 1, 1),
        context=24,
        seed=0,
    )
    [part] = judged_parts(split.validation, (1, 1, 1), 24, 0, "cells")
    assert count_objects([part], "cells") == count_objects(split.validation, "cells") == 16
    assert describe_judged(split.validation, [part], "cells") == "all 16 cells are judged"


def test_large_cells_of_a_2d_image_are_judged_as_well(make_sample):
    sample = make_sample(grid_of_cells((1300, 1300), 250, 260))
    [part] = judged_parts([sample], (1, 1), 64, 0, "cells")
    assert len(judged_ids([part])) == 25


@pytest.fixture
def much(make_sample, monkeypatch):
    """Return far more than can be judged: cells of 8 and of 40 pixels, as many of each."""
    monkeypatch.setattr("unet_napari.training.held_out._MOST_PIXELS", {2: 500_000})
    monkeypatch.setattr("unet_napari.training.held_out._PART_SIDE", {2: 64})
    labels = np.zeros((1000, 1600), np.int32)
    labels[:, :800] = grid_of_cells((1000, 800), 40, 50)
    small = grid_of_cells((1000, 800), 8, 50)
    labels[:, 800:] = np.where(small > 0, small + 320, 0)
    return make_sample(labels)


def test_of_too_many_large_cells_are_judged_as_often_as_small_ones(much):
    shares = []
    for seed in range(10):
        parts = judged_parts([much], (1, 1), 16, seed, "cells")
        ids = judged_ids(parts)
        assert len(ids) == len(set(ids))
        for part in parts:
            for number in np.unique(part.labels[part.annotated & (part.labels > 0)]):
                # Whole, and each with its whole size.
                assert (part.annotated & (part.labels == number)).sum() in (64, 1600)
        assert sum(part.labels.size for part in parts) <= 500_000
        shares.append((ids <= 320).mean())
    assert 0.4 < np.mean(shares) < 0.6
    assert (
        describe_judged([much], parts, "cells")
        == f"{len(ids)} of 640 cells are judged, drawn at random"
    )


def test_what_the_parts_hold_together_is_all_there_is(much, monkeypatch):
    monkeypatch.setattr("unet_napari.training.held_out._MOST_PIXELS", {2: much.labels.size - 1})
    monkeypatch.setattr(ObjectKind, "fewest_units", 10_000)
    parts = judged_parts([much], (1, 1), 16, 0, "cells")
    assert np.array_equal(np.sort(judged_ids(parts)), np.arange(1, 641))


def test_parts_of_classes_are_drawn(make_sample):
    shape = (512, 512)  # eight of them are judged each time
    samples = [make_sample(np.full(shape, number)) for number in range(1, 11)]
    drawn = [judged_parts(samples, (1, 1), 0, seed, "semantic") for seed in range(4)]
    assert all(sum(part.annotated.sum() for part in parts) == 8 * 512**2 for parts in drawn)
    of_each = [sorted({int(part.labels.max()) for part in parts}) for parts in drawn]
    assert all(len(numbers) > 4 for numbers in of_each)
    corners = [{(int(p.labels.max()), p.origin) for p in parts} for parts in drawn]
    assert any(each != corners[0] for each in corners)
