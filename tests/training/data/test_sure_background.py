from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from unet_napari.images import nuclei
from unet_napari.labels.painting import annotated_mask
from unet_napari.training.data.sure_background import evident_background


@pytest.fixture(scope="module", params=[(256, 256), (24, 96, 96)])
def sparse(request):
    """Bright cells, a few of which are painted."""
    image, cells = nuclei(request.param, count=40, seed=2)
    image = (image / np.percentile(image, 99.8))[None].astype(np.float32)
    painted = np.where(cells % 4 == 1, cells, 0)
    return image, painted, annotated_mask(painted, task="cells"), cells


def find(image, painted, annotated):
    return evident_background(image, painted, annotated, (1.0,) * painted.ndim)


@pytest.mark.parametrize("sign", [1, -1])
def test_much_background_is_found_and_hardly_a_forgotten_cell(sparse, sign):
    image, painted, annotated, cells = sparse
    found = find(sign * image, painted, annotated)
    far = (cells == 0) & ~annotated
    inside = ndimage.binary_erosion(cells > 0)
    assert found[far].mean() > 0.4
    assert found[inside].mean() < 0.005


def test_nothing_is_found_where_brightness_tells_nothing(sparse):
    image, painted, annotated, _ = sparse
    noise = np.random.default_rng(0).random(image.shape, np.float32)
    assert not find(noise, painted, annotated).any()


def test_the_telling_channel_decides(sparse):
    image, painted, annotated, _ = sparse
    noise = np.random.default_rng(0).random(image.shape, np.float32)
    both = np.concatenate([noise, image])
    assert np.array_equal(find(both, painted, annotated), find(image, painted, annotated))


def test_painted_pixels_are_never_background(sparse):
    image, painted, annotated, _ = sparse
    assert not (find(image, painted, annotated) & (painted > 0)).any()


def test_without_any_background_nothing_is_found():
    labels = np.ones((8, 8), int)
    image = np.zeros((1, 8, 8), np.float32)
    assert not find(image, labels, np.ones((8, 8), bool)).any()
