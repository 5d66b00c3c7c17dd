from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari.training import AugmentConfig
from unet_napari.training.data.augment import Augmenter, Source

SHAPES = [(23, 40), (7, 12, 15)]
EXACT = AugmentConfig(resampled=0.0, recoloured=0.0)
FREE = AugmentConfig(resampled=1.0, recoloured=0.0)


def middle(shape):
    return [(size - 1) / 2 for size in shape]


@pytest.mark.parametrize("shape", SHAPES)
def test_without_augmentation_a_patch_is_a_crop(make_augmenter, coordinates_source, shape):
    source = coordinates_source(shape)
    augmenter = make_augmenter(AugmentConfig.none(), (5,) * len(shape))
    patch = augmenter.cut(source, [3.0] * len(shape))
    region = (slice(1, 6),) * len(shape)
    assert torch.equal(patch.image, source.image[(slice(None), *region)])
    assert torch.equal(patch.labels, source.labels[region])
    assert patch.annotated.all()


@pytest.mark.parametrize("config", [EXACT, FREE])
@pytest.mark.parametrize("shape", SHAPES)
def test_image_and_labels_move_together(make_augmenter, coordinates_source, shape, config):
    source = coordinates_source(shape)
    augmenter = make_augmenter(config, tuple(size - 2 for size in shape))
    for _ in range(10):
        image, labels, annotated = augmenter.cut(source, middle(shape))
        nearest = np.stack(np.unravel_index(labels.numpy(), shape))
        off = (image - torch.from_numpy(nearest)).abs().amax(0)
        assert annotated.any()
        assert off[annotated].max() <= 0.501


def test_exact_turns_and_flips_reach_all_eight_orientations(make_augmenter, coordinates_source):
    source = coordinates_source((9, 9))
    augmenter = make_augmenter(EXACT, (9, 9))
    seen = {augmenter.cut(source, [4.0, 4.0]).labels.numpy().tobytes() for _ in range(200)}
    assert len(seen) == 8


def test_turns_without_flips_are_rotations_only(make_augmenter, coordinates_source):
    source = coordinates_source((9, 9))
    config = AugmentConfig(flip=False, resampled=0.0, recoloured=0.0)
    augmenter = make_augmenter(config, (9, 9))
    seen = {augmenter.cut(source, [4.0, 4.0]).labels.numpy().tobytes() for _ in range(200)}
    whole = source.labels.numpy()
    assert seen == {np.rot90(whole, k).tobytes() for k in range(4)}


def test_axes_of_different_pixel_size_are_never_exchanged(make_augmenter, coordinates_source):
    source = coordinates_source((9, 9, 9))
    augmenter = make_augmenter(EXACT, (9, 9, 9), (3.0, 1.0, 1.0))
    for _ in range(50):
        image = augmenter.cut(source, [4.0] * 3).image
        z = image[0]
        assert torch.equal(z, z[:, :1, :1].expand(9, 9, 9))


def test_strongly_anisotropic_stacks_turn_in_the_plane_only(make_augmenter, coordinates_source):
    source = coordinates_source((9, 20, 20))
    config = AugmentConfig(resampled=1.0, elastic=0.0, scale=0.0)
    augmenter = make_augmenter(config, (5, 9, 9), (4.0, 1.0, 1.0))
    z = augmenter.cut(source, [4.0, 9.0, 9.0]).image[0]
    assert torch.allclose(z, z[:, :1, :1].expand(5, 9, 9), atol=1e-4)


def test_rotation_keeps_distances_in_micrometres(make_augmenter):
    config = AugmentConfig(flip=False, turn=False, resampled=1.0, elastic=0.0, scale=0.0)
    spacing = np.array([1.5, 1.0])
    augmenter = make_augmenter(config, (8, 8), tuple(spacing))
    matrix = augmenter._matrix()
    physical = matrix * spacing[:, None] / spacing[None, :]
    assert np.allclose(physical @ physical.T, np.eye(2))
    assert not np.allclose(matrix, np.eye(2))


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    patch=st.tuples(st.integers(8, 14), st.integers(8, 14)),
    seed=st.integers(0, 99),
    resampled=st.sampled_from([0.0, 1.0]),
)
def test_beyond_the_edge_nothing_is_annotated(shape, patch, seed, resampled):
    config = AugmentConfig(resampled=resampled, recoloured=0.0, elastic=0.0, scale=0.0)
    labels = torch.arange(shape[0] * shape[1]).view(shape)
    source = Source(torch.ones((1, *shape)), labels, torch.ones(shape, dtype=torch.bool))
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    augmenter = Augmenter(config, patch, (1.0, 1.0), rng, generator)
    image, _, annotated = augmenter.cut(source, middle(shape))
    assert torch.allclose(image, torch.ones_like(image), atol=1e-5)
    # A rotation by nearest neighbour can count a pixel twice, but never invents an area.
    slack = 1.0 if resampled == 0 else 1.6
    assert annotated.sum() <= slack * shape[0] * shape[1] + 2


@pytest.mark.parametrize("config", [EXACT, FREE])
def test_the_largest_ids_survive(make_augmenter, config):
    ids = torch.tensor([2**31 - 1, 2**31 - 2, 2**24 + 1, 7], dtype=torch.int32)
    labels = ids.repeat_interleave(8)[:, None].expand(32, 32).contiguous()
    source = Source(torch.zeros(1, 32, 32), labels, torch.ones(32, 32, dtype=torch.bool))
    augmenter = make_augmenter(config, (32, 32))
    found = {int(i) for _ in range(5) for i in augmenter.cut(source, [15.5, 15.5]).labels.unique()}
    assert found == set(ids.tolist())


def test_intensities_change_within_their_limits(make_augmenter):
    image = torch.rand(16, 2, 24, 24, generator=torch.Generator().manual_seed(0))
    config = AugmentConfig(recoloured=1.0)
    varied = make_augmenter(config, (24, 24)).recolour(image)
    assert varied.shape == image.shape
    assert torch.isfinite(varied).all()
    assert (varied.mean((1, 2, 3)) - image.mean((1, 2, 3))).abs().max() < 0.6
    assert not torch.equal(varied, image)


def test_no_recolouring_leaves_intensities_alone(make_augmenter):
    image = torch.rand(3, 1, 10, 10, generator=torch.Generator().manual_seed(0))
    varied = make_augmenter(AugmentConfig(recoloured=0.0), (10, 10)).recolour(image)
    assert torch.allclose(varied, image, atol=1e-6)


def test_blur_keeps_the_mean_and_lowers_the_contrast(make_augmenter):
    image = torch.rand(1, 1, 8, 32, 32, generator=torch.Generator().manual_seed(0))
    only_blur = AugmentConfig(recoloured=1.0, brightness=0, contrast=0, gamma=0, noise=0, blur=1.5)
    varied = make_augmenter(only_blur, (8, 32, 32)).recolour(image)
    assert varied.mean() == pytest.approx(image.mean().item(), abs=0.01)
    assert varied.std() < 0.9 * image.std()


def test_global_random_state_is_not_touched(make_augmenter, coordinates_source):
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    augmenter = make_augmenter(AugmentConfig(resampled=1.0, recoloured=1.0), (8, 8))
    augmenter.recolour(augmenter.cut(coordinates_source((16, 16)), [8.0, 8.0]).image[None])
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_the_same_seed_makes_the_same_patch(make_augmenter, coordinates_source):
    config = AugmentConfig(resampled=1.0, recoloured=1.0)
    images = [
        make_augmenter(config, (8, 8), seed=3).cut(coordinates_source((16, 16)), [8.0, 8.0]).image
        for _ in range(2)
    ]
    assert torch.equal(*images)
