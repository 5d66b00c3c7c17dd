"""Random variation of the intensities of patches.

To add a variation, write its function and add an entry to `RECOLOURINGS`; how strong it is stands
in a field of `AugmentConfig`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unet_napari.registry import Registry
from unet_napari.training.data.augment_config import AugmentConfig

__all__ = ["RECOLOURINGS", "Chance", "Recolouring", "recolour"]


@dataclass(frozen=True)
class Chance:
    """The sources of the random numbers of a variation.

    Attributes
    ----------
    rng : numpy Generator
        Generator that draws which patches are varied and by how much.
    generator : torch Generator
        Generator that draws noise, on the device of the patches.
    share : float
        Share of the patches that each variation is applied to, 0 to 1.
    spacing : ndarray of float, shape (ndim,)
        Pixel size per spatial axis, relative to the smallest.
    """

    rng: np.random.Generator
    generator: torch.Generator
    share: float
    spacing: np.ndarray

    def chosen(self, count: int) -> np.ndarray:
        """Draw which of so many patches are varied, bool ``(count,)``."""
        return self.rng.random(count) < self.share

    def amounts(self, image: Tensor, *, normal: bool = False) -> Tensor:
        """Draw one number per patch and channel, zero where the patch is not chosen.

        In half of the patches, all channels get the number of the first channel.

        Parameters
        ----------
        image : Tensor
            The patches, ``(N, C, *P)``.
        normal : bool
            Draw from a normal distribution; by default evenly from -1 to 1.

        Returns
        -------
        Tensor
            Shape ``(N, C, 1, ...)``.
        """
        shape = tuple(image.shape[:2])
        draw = self.rng.normal(size=shape) if normal else self.rng.uniform(-1, 1, shape)
        together = self.rng.random(len(image)) < 0.5
        draw[together] = draw[together, :1]
        draw *= self.chosen(len(image))[:, None]
        tensor = torch.as_tensor(draw, dtype=image.dtype, device=image.device)
        return tensor.view(*shape, *[1] * (image.ndim - 2))


@dataclass(frozen=True)
class Recolouring:
    """One variation of the intensities.

    Attributes
    ----------
    name : str
        Name of the variation.
    apply : callable
        Takes patches ``(N, C, *P)``, the strengths and `Chance`, and returns varied patches. At
        a strength of zero it returns the patches as they are and draws no number.
    """

    name: str
    apply: Callable[[Tensor, AugmentConfig, Chance], Tensor]


def recolour(image: Tensor, config: AugmentConfig, chance: Chance) -> Tensor:
    """Vary the intensities of a batch in all ways, in the order of `RECOLOURINGS`.

    Parameters
    ----------
    image : Tensor
        Patches ``(N, C, *P)``.
    config : AugmentConfig
        The strengths.
    chance : Chance
        Sources of the random numbers.
    """
    for recolouring in RECOLOURINGS.values():
        image = recolouring.apply(image, config, chance)
    return image


def blur(image: Tensor, config: AugmentConfig, chance: Chance) -> Tensor:
    """Blur each chosen patch by a Gaussian of its own."""
    if not config.blur:
        return image
    chosen = chance.chosen(len(image))
    if not chosen.any():
        return image
    sigma = config.blur * chance.rng.uniform(0.3, 1, len(image)) * chosen
    return _blurred(image, sigma, chance.spacing)


def bend(image: Tensor, config: AugmentConfig, chance: Chance) -> Tensor:
    """Raise the intensities, from the darkest to the brightest pixel, to a power (gamma)."""
    if not config.gamma:
        return image
    exponent = (1 + config.gamma) ** chance.amounts(image)
    low, high = _darkest_and_brightest(image)
    return ((image - low) / (high - low)).clamp(0, 1) ** exponent * (high - low) + low


def stretch(image: Tensor, config: AugmentConfig, chance: Chance) -> Tensor:
    """Scale the intensities about their mean, and shift them."""
    if not (config.contrast or config.brightness):
        return image
    factor = (1 + config.contrast) ** chance.amounts(image)
    mean = image.mean(dim=tuple(range(2, image.ndim)), keepdim=True)
    offset = config.brightness * chance.amounts(image, normal=True)
    return (image - mean) * factor + mean + offset


def add_noise(image: Tensor, config: AugmentConfig, chance: Chance) -> Tensor:
    """Add Gaussian noise."""
    if not config.noise:
        return image
    deviation = config.noise * chance.amounts(image).abs()
    noise = torch.empty_like(image).normal_(generator=chance.generator)
    return image + deviation * noise


# The noise comes last, as in a camera: neither a blur nor a power changes it afterwards.
RECOLOURINGS: Registry[Recolouring] = Registry(
    "recolouring",
    (
        Recolouring("blur", blur),
        Recolouring("gamma", bend),
        Recolouring("contrast", stretch),
        Recolouring("noise", add_noise),
    ),
)


def _darkest_and_brightest(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the ends of the range of each patch and channel; they are never equal."""
    axes = tuple(range(2, image.ndim))
    low = image.amin(axes, keepdim=True)
    return low, image.amax(axes, keepdim=True).clamp_min(low + 1e-6)


def _blurred(image: Tensor, sigma: np.ndarray, spacing: np.ndarray) -> Tensor:
    """Blur each image of a batch by its own Gaussian, separably, five taps per axis."""
    size = [len(image), *[1] * (image.ndim - 1)]
    for axis, step in enumerate(spacing, start=2):
        width = torch.as_tensor(np.maximum(sigma / step, 1e-3), device=image.device).view(size)
        weights = [torch.exp(-0.5 * (k / width) ** 2).to(image.dtype) for k in range(3)]
        total = weights[0] + 2 * (weights[1] + weights[2])
        length = image.shape[axis]
        line = torch.arange(length, device=image.device)
        blurred = image * (weights[0] / total)
        for k in (1, 2):
            pair = image.index_select(axis, (line - k).clamp_min(0)) + image.index_select(
                axis, (line + k).clamp_max(length - 1)
            )
            blurred = blurred + pair * (weights[k] / total)
        image = blurred
    return image
