"""An augmentation that is added outside the package: this one file is all that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
import torch

from unet_napari.checks import Range
from unet_napari.options import Option
from unet_napari.training import AugmentConfig
from unet_napari.training.data.augment import Augmenter
from unet_napari.training.data.recolour import RECOLOURINGS, Chance, Recolouring


@dataclass(frozen=True)
class WithInversion(AugmentConfig):
    """Strengths with one more field; in the package the field is added to `AugmentConfig`."""

    inversion: Annotated[
        float,
        Option(
            help="Share of the chosen patches that become negatives.",
            group="Augmentation",
            range=Range(0, 1),
        ),
    ] = 0.0


def invert(image: torch.Tensor, config: AugmentConfig, chance: Chance) -> torch.Tensor:
    """Turn bright into dark in some patches."""
    share = getattr(config, "inversion", 0.0)
    if not share:
        return image
    turned = chance.chosen(len(image)) & (chance.rng.random(len(image)) < share)
    sign = torch.as_tensor(np.where(turned, -1.0, 1.0), dtype=image.dtype)
    return image * sign.view(-1, *[1] * (image.ndim - 1))


@pytest.fixture(autouse=True)
def inversion():
    """Add the variation for the time of a test."""
    RECOLOURINGS.add(Recolouring("inversion", invert))
    yield
    RECOLOURINGS.remove("inversion")


def augmenter(config):
    generator = torch.Generator().manual_seed(0)
    return Augmenter(config, (8, 8), (1.0, 1.0), np.random.default_rng(0), generator)


def test_patches_become_negatives():
    config = WithInversion(recoloured=1.0, blur=0, gamma=0, contrast=0, brightness=0, noise=0)
    image = torch.rand(20, 2, 8, 8)
    torch.testing.assert_close(augmenter(config).recolour(image), image)
    all_turned = WithInversion(**{**config.to_dict(), "inversion": 1.0})
    torch.testing.assert_close(augmenter(all_turned).recolour(image), -image)
    half = augmenter(WithInversion(**{**config.to_dict(), "inversion": 0.5})).recolour(image)
    assert 4 < sum(int(torch.equal(a, -b)) for a, b in zip(half, image, strict=True)) < 16


def test_others_draw_the_numbers_that_they_drew_without_it():
    image = torch.rand(4, 1, 8, 8)
    varied = augmenter(AugmentConfig()).recolour(image)
    RECOLOURINGS.remove("inversion")
    alone = augmenter(AugmentConfig()).recolour(image)
    RECOLOURINGS.add(Recolouring("inversion", invert))
    torch.testing.assert_close(varied, alone, rtol=0, atol=0)
