"""New paint is drawn more often for a while."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unet_napari.geometry import Box
from unet_napari.training import AugmentConfig
from unet_napari.training.data.patches import NewPaint, PatchSampler

KEY = (0,)


@pytest.fixture
def sampler(make_augmenter, make_sample):
    labels = np.zeros((200, 200), int)
    labels[10:14, 10:14] = 1
    labels[150:154, 100:104] = 2
    labels[150:154, 180:184] = 3
    sample = make_sample(labels, annotated=labels > 0, origin=(12, 24))
    object.__setattr__(sample, "key", KEY)
    rng = np.random.default_rng(0)
    augmenter = make_augmenter(AugmentConfig.none(), (16, 16))
    return PatchSampler([sample], "cells", augmenter, rng, torch.device("cpu"))


def shown(sampler, count=200):
    """Return how often each cell is in a patch."""
    labels = sampler.draw(count).labels
    return {number: int((labels == number).flatten(1).any(1).sum()) for number in (1, 2, 3)}


def test_most_of_the_patches_show_new_paint_as_long_as_it_lasts(sampler):
    box = Box((150 + 12, 100 + 24), (154 + 12, 104 + 24))
    sampler.prefer([NewPaint(KEY, box, 200)])
    first = shown(sampler, 100)
    assert first[2] > 1.5 * (first[1] + first[3])
    while sampler.new:
        sampler.draw(1)
    after = shown(sampler)
    assert after[2] == pytest.approx(200 / 3, abs=30)


def test_paint_of_another_slice_is_not_preferred(sampler):
    sampler.prefer([NewPaint((1,), Box((162, 124), (166, 128)), 60)])
    assert shown(sampler)[2] == pytest.approx(200 / 3, abs=30)


def test_the_latest_of_many_strokes_are_preferred(sampler):
    boxes = [Box((n, n), (n + 1, n + 1)) for n in range(1000)]
    sampler.prefer(NewPaint(KEY, box, 5) for box in boxes)
    assert [paint.box for paint in sampler.new] == boxes[-8:]


def test_a_sample_that_is_known_is_not_prepared_again(sampler):
    entry = sampler._entries[0]
    sampler.show([entry.sample])
    assert sampler._entries[0] is entry
