from __future__ import annotations

import numpy as np
import pytest
import torch

from unet_napari.images import Image, nuclei
from unet_napari.training import Pair
from unet_napari.training.data.augment import Augmenter, Source
from unet_napari.training.data.sample import Sample


@pytest.fixture
def make_augmenter():
    """An augmenter of its own seed, for isotropic pixels unless told."""

    def make(config, patch, spacing=None, seed=0):
        generator = torch.Generator().manual_seed(seed)
        rng = np.random.default_rng(seed)
        return Augmenter(config, patch, spacing or (1.0,) * len(patch), rng, generator)

    return make


@pytest.fixture
def coordinates_source():
    """A source whose image holds each pixel's coordinates, and whose labels its flat index."""

    def make(shape):
        image = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).astype(np.float32)
        labels = np.arange(np.prod(shape)).reshape(shape)
        return Source(
            torch.from_numpy(image),
            torch.from_numpy(labels),
            torch.ones(shape, dtype=torch.bool),
        )

    return make


@pytest.fixture
def make_sample():
    """A sample of given labels, everything annotated, its image blank."""

    def make(labels, annotated=None, group=0, origin=None):
        labels = np.asarray(labels, np.int32)
        return Sample(
            np.zeros((1, *labels.shape), np.float32),
            labels,
            np.ones(labels.shape, bool) if annotated is None else annotated,
            group,
            origin or (0,) * labels.ndim,
        )

    return make


@pytest.fixture(scope="module")
def cells_pair():
    """Return an image of nuclei, half a micrometre a pixel, with the labels of all."""
    image, labels = nuclei((128, 160), count=60, seed=1)
    return Pair(Image(image, "YX", {"Y": 0.5, "X": 0.5}, name="nuclei"), labels)


@pytest.fixture(scope="module")
def classes_pair(cells_pair):
    """Return the image of `cells_pair` with two classes: background and nuclei."""
    return Pair(cells_pair.image, 1 + (np.asarray(cells_pair.labels) > 0))
