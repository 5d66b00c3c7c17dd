from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari.training import AugmentConfig
from unet_napari.training.data.augment import Augmenter
from unet_napari.training.data.patches import PatchSampler
from unet_napari.training.data.sample import Sample
from unet_napari.training.data.split import TOO_FEW, split_samples


def grid_of_cells(shape, size=6, step=10):
    """Square (cubic) cells on a grid, numbered from 1."""
    labels = np.zeros(shape, np.int32)
    starts = [range(2, n - size, step) for n in shape]
    corners = np.stack(np.meshgrid(*starts, indexing="ij"), -1).reshape(-1, len(shape))
    for number, corner in enumerate(corners, start=1):
        labels[tuple(slice(c, c + size) for c in corner)] = number
    return labels


def split(samples, task="cells", fraction=0.2, seed=0):
    spacing = (1.0,) * samples[0].labels.ndim
    return split_samples(
        samples, task=task, fraction=fraction, spacing=spacing, context=16, seed=seed
    )


def share_held_out(result, whole):
    return sum(s.annotated.sum() for s in result.validation) / sum(s.annotated.sum() for s in whole)


@pytest.mark.parametrize("shape", [(100, 160), (30, 64, 60)])
def test_about_a_fifth_of_the_cells_is_held_out(make_sample, shape):
    samples = [make_sample(grid_of_cells(shape))]
    result = split(samples)
    held = np.unique(np.concatenate([s.labels[s.annotated] for s in result.validation]))
    assert len(held[held > 0]) / samples[0].labels.max() == pytest.approx(0.2, abs=0.08)


def test_cells_in_a_few_layers_are_held_out_by_the_layer(make_sample):
    labels = grid_of_cells((64, 64, 64), size=14, step=16)
    samples = [make_sample(labels[:62, :62, :62])]
    result = split(samples)
    held = np.unique(np.concatenate([s.labels[s.annotated] for s in result.validation]))
    assert (held > 0).sum() == labels.max() / 3
    assert len(result.training) == 1


def test_no_cell_is_validated_in_part(make_sample):
    labels = grid_of_cells((100, 160))
    labels[labels == 0] = labels.max() + 1  # one huge body around everything
    (held,) = split([make_sample(labels)]).validation
    for cell in np.unique(held.labels[held.annotated]):
        assert (held.annotated & (held.labels == cell)).sum() == (labels == cell).sum()


def test_high_numbers_of_cells_are_as_good_as_low_ones(make_sample):
    labels = grid_of_cells((100, 160))
    low, high = split([make_sample(labels)]), split([make_sample(labels * 2**21)])
    for few, many in zip(
        low.training + low.validation, high.training + high.validation, strict=True
    ):
        np.testing.assert_array_equal(few.annotated, many.annotated)
        np.testing.assert_array_equal(few.labels * 2**21, many.labels)


def test_the_gap_is_not_annotated_in_training(make_sample):
    samples = [make_sample(np.kron([[1, 2]] * 4, np.ones((64, 128), int)))]
    result = split(samples, task="semantic")
    (held,) = result.validation
    rows_and_columns = np.argwhere(held.annotated) + held.origin
    for side in result.training:
        kept = np.argwhere(side.annotated) + side.origin
        low, high = rows_and_columns.min(0), rows_and_columns.max(0)
        apart = np.maximum(kept - high, low - kept).max(1)
        assert apart.min() >= 16


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    ndim=st.sampled_from([2, 3]),
    count=st.integers(1, 6),
    task=st.sampled_from(["cells", "semantic"]),
)
def test_no_validation_pixel_is_ever_in_a_training_patch(seed, ndim, count, task):
    rng = np.random.default_rng(seed)
    samples = []
    for group in range(count):
        shape = tuple(int(n) for n in rng.integers(24, 64, ndim))
        cells = grid_of_cells(shape, size=4, step=6)
        labels = cells if task == "cells" else 1 + (cells > 0)
        annotated = rng.random(shape) < rng.uniform(0.3, 1)
        # Every pixel of every image has a label of its own in the image channel.
        image = np.zeros((1, *shape), np.float32)
        samples.append(Sample(image, labels, annotated, group // 2, (0,) * ndim))
    result = split(samples, task=task, seed=seed)
    for held in result.validation:
        held.image[0][held.annotated] = 1  # views of the samples' own memory
    augmenter = Augmenter(
        AugmentConfig(resampled=0.7, recoloured=0),
        (16,) * ndim,
        (1.0,) * ndim,
        rng,
        torch.Generator().manual_seed(seed),
    )
    sampler = PatchSampler(result.training, task, augmenter, rng, torch.device("cpu"))
    assert sampler.draw(20).image.abs().max() == 0


def test_slices_of_a_stack_share_the_slab(make_sample):
    labels = grid_of_cells((100, 160))
    result = split([make_sample(labels, origin=(0, 0)) for _ in range(8)])
    assert len({(s.origin, s.labels.shape) for s in result.validation}) == 1
    assert len(result.validation) == 8


@pytest.mark.parametrize(("count", "expected"), [(4, 1), (10, 2)])
def test_of_several_images_whole_ones_are_held_out(make_sample, count, expected):
    samples = [make_sample(grid_of_cells((60, 60)), group=n) for n in range(count)]
    result = split(samples)
    trained = {s.group for s in result.training}
    held = {s.group for s in result.validation}
    assert (len(trained), len(held)) == (count - expected, expected)
    assert not trained & held


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_holds_out_the_same_images(make_sample, seed):
    samples = [make_sample(grid_of_cells((60, 60)), group=n) for n in range(10)]
    first, second = (split(samples, seed=seed) for _ in range(2))
    assert [s.group for s in first.validation] == [s.group for s in second.validation]


def test_every_class_is_on_both_sides(make_sample):
    labels = np.ones((128, 128), np.int32)
    labels[40:60] = 2  # a band along X: only a cut across X has both classes
    result = split([make_sample(labels)], task="semantic")
    for side in (result.training, result.validation):
        assert {int(i) for s in side for i in np.unique(s.labels[s.annotated])} == {1, 2}


def test_too_few_cells_are_all_trained_on(make_sample):
    samples = [make_sample(grid_of_cells((30, 30)))]
    result = split(samples)
    assert result.message == TOO_FEW
    assert result.validation == []
    assert result.training == samples


def test_a_class_of_one_scribble_is_too_few(make_sample):
    annotated = np.zeros((128, 128), bool)
    annotated[10, 10:40] = annotated[100, 10:120] = True
    labels = np.ones((128, 128), np.int32)
    labels[10] = 2
    assert split([make_sample(labels, annotated)], task="semantic").message == TOO_FEW


def test_nothing_is_held_out_on_request(make_sample):
    samples = [make_sample(grid_of_cells((100, 160)))]
    assert split(samples, fraction=0).training == samples
