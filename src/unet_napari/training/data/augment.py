"""Random variation of patches: one resampling pass for the shape, then the intensities.

Nothing here knows the number of axes: geometry is a tuple with one entry per spatial axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unet_napari.orientation import Orientation
from unet_napari.training.data.augment_config import AugmentConfig
from unet_napari.training.data.recolour import Chance, recolour

__all__ = ["Augmenter", "Patch", "Source"]

# Distance between planes, over the size of their pixels, from which on rotation stays in the plane:
# resampling across such planes would invent more than it varies (nnU-Net draws the line at 3).
_ANISOTROPIC_RATIO = 2.0
_INTERPOLATION = {2: "bilinear", 3: "trilinear"}


class Source(NamedTuple):
    """One training image as tensors on one device."""

    image: Tensor  # (C, *S) float32, normalised
    labels: Tensor  # (*S) integer
    annotated: Tensor  # (*S) bool


class Patch(NamedTuple):
    """What is cut out of a source, or a batch of it."""

    image: Tensor  # ([N,] C, *P) float32
    labels: Tensor  # ([N,] *P) int64
    annotated: Tensor  # ([N,] *P) bool


class Augmenter:
    """Cuts varied patches out of sources.

    Parameters
    ----------
    config
        Kinds of variation and their strengths.
    patch
        Size of the patches, in pixels per spatial axis.
    spacing
        Pixel size per spatial axis, relative to the smallest (so at least 1).
    rng
        Generator that draws what is varied and by how much.
    generator
        Generator that draws noise and elastic displacements, on the device of the sources.
    """

    def __init__(
        self,
        config: AugmentConfig,
        patch: Sequence[int],
        spacing: Sequence[float],
        rng: np.random.Generator,
        generator: torch.Generator,
    ) -> None:
        self.config = config
        self.patch = tuple(patch)
        self.spacing = np.asarray(spacing, float)
        self.rng = rng
        self.generator = generator
        self._alike = _interchangeable(self.patch, spacing)
        self._planes = _rotation_planes(spacing)

    def cut(self, source: Source, centre: Sequence[float]) -> Patch:
        """Cut one patch, varied in shape.

        Beyond the edge of the source the image is mirrored and nothing is annotated.

        Parameters
        ----------
        source
            Image and labels that the patch is cut out of.
        centre
            Middle of the patch, in pixels of the source.
        """
        orientation = self._orientation()
        if self.rng.random() >= self.config.resampled:
            return _cut_exactly(source, centre, self.patch, orientation)
        matrix = self._matrix() @ orientation.matrix()
        return _resample(source, self._coordinates(source.image.device, centre, matrix))

    def recolour(self, image: Tensor) -> Tensor:
        """Vary the intensities of a batch, shape (N, C, *P), each channel alone or all alike."""
        chance = Chance(self.rng, self.generator, self.config.recoloured, self.spacing)
        return recolour(image, self.config, chance)

    def _orientation(self) -> Orientation:
        ndim = len(self.patch)
        axes, signs = np.arange(ndim), np.ones(ndim, int)
        if self.config.turn:
            for group in self._alike:
                axes[group] = self.rng.permutation(group)
                signs[group] = self.rng.choice([-1, 1], len(group))
                if np.linalg.det(np.eye(ndim)[axes]) * signs.prod() < 0:  # a turn must not mirror
                    signs[group[0]] *= -1
        if self.config.flip:
            signs *= self.rng.choice([-1, 1], ndim)
        return Orientation(tuple(axes.tolist()), tuple(signs.tolist()))

    def _matrix(self) -> np.ndarray:
        """Return rotation and scale as a map of pixels to pixels, through micrometres."""
        ndim = len(self.patch)
        matrix = np.eye(ndim)
        for a, b in self._planes:
            angle = np.deg2rad(self.rng.uniform(-1, 1) * self.config.rotation)
            rotation = np.eye(ndim)
            rotation[[a, a, b, b], [a, b, a, b]] = (
                np.cos(angle),
                -np.sin(angle),
                np.sin(angle),
                np.cos(angle),
            )
            matrix = rotation @ matrix
        matrix *= (1 + self.config.scale) ** self.rng.uniform(-1, 1)
        return np.asarray(matrix * self.spacing[None, :] / self.spacing[:, None])

    def _coordinates(
        self, device: torch.device, centre: Sequence[float], matrix: np.ndarray
    ) -> Tensor:
        """Return the source coordinates of each pixel of the patch, shape (ndim, *P)."""
        ndim = len(self.patch)
        offsets = [
            (torch.arange(size, device=device, dtype=torch.float32) - (size - 1) / 2).view(
                [-1 if axis == j else 1 for axis in range(ndim)]
            )
            for j, size in enumerate(self.patch)
        ]
        coordinates = torch.empty((ndim, *self.patch), device=device)
        for a in range(ndim):
            coordinates[a] = centre[a]
            for j in range(ndim):
                coordinates[a] += float(matrix[a, j]) * offsets[j]
        if self.config.elastic:
            coordinates += self._displacement(device)
        return coordinates

    def _displacement(self, device: torch.device) -> Tensor:
        """Return a smooth random field in pixels, shape (ndim, *P)."""
        extent = np.asarray(self.patch) * self.spacing
        nodes = np.maximum(2, np.ceil(extent / self.config.elastic_spacing).astype(int) + 1)
        field = torch.empty((1, len(self.patch), *nodes.tolist()), device=device)
        field.normal_(generator=self.generator)
        amount = torch.as_tensor(self.config.elastic / self.spacing, dtype=torch.float32)
        field *= amount.to(device).view(1, -1, *[1] * len(self.patch))
        return functional.interpolate(
            field, self.patch, mode=_INTERPOLATION[len(self.patch)], align_corners=True
        )[0]


def _interchangeable(patch: Sequence[int], spacing: Sequence[float]) -> list[np.ndarray]:
    """Group the axes that have the same pixel size and patch size."""
    keys = [(size, round(float(step), 3)) for size, step in zip(patch, spacing, strict=True)]
    groups = [np.array([i for i, other in enumerate(keys) if other == key]) for key in set(keys)]
    return sorted((g for g in groups if len(g) > 1), key=lambda g: int(g[0]))


def _rotation_planes(spacing: Sequence[float]) -> list[tuple[int, int]]:
    """Return the pairs of axes in whose plane a patch may be rotated freely."""
    ndim = len(spacing)
    pairs = [(a, b) for a in range(ndim) for b in range(a + 1, ndim)]
    return [(a, b) for a, b in pairs if max(spacing[a], spacing[b]) < _ANISOTROPIC_RATIO]


def _mirror(index: Tensor, size: int) -> Tensor:
    """Fold indices beyond the edge back inside, without the edge pixel a second time."""
    period = max(1, 2 * (size - 1))
    index = index.remainder(period)
    return torch.minimum(index, period - index) if size > 1 else torch.zeros_like(index)


def _cut_exactly(
    source: Source, centre: Sequence[float], patch: tuple[int, ...], orientation: Orientation
) -> Patch:
    shape = source.labels.shape
    device = source.image.device
    index: list[Tensor] = [torch.empty(0)] * len(shape)
    inside: Tensor | bool = True
    for j, (axis, sign) in enumerate(zip(orientation.axes, orientation.signs, strict=True)):
        line = round(centre[axis] - (patch[j] - 1) / 2) + torch.arange(patch[j], device=device)
        line = (line if sign > 0 else line.flip(0)).view(
            [-1 if k == j else 1 for k in range(len(shape))]
        )
        inside = inside & (line >= 0) & (line < shape[axis])
        index[axis] = _mirror(line, shape[axis])
    place = tuple(index)
    image = torch.stack([channel[place] for channel in source.image])
    return Patch(image, source.labels[place].long(), source.annotated[place] & inside)


def _resample(source: Source, coordinates: Tensor) -> Patch:
    shape = source.labels.shape
    # grid_sample wants the last axis first, and -1 and 1 at the centres of the outermost pixels.
    grid = torch.stack(
        [c * (2 / max(1, n - 1)) - 1 for c, n in zip(coordinates, shape, strict=True)]
    )
    image = functional.grid_sample(
        source.image[None],
        grid.flip(0).movedim(0, -1)[None],
        mode="bilinear",
        padding_mode="reflection",
        align_corners=True,
    )[0]
    nearest = coordinates.round().long()
    inside = torch.ones_like(nearest[0], dtype=torch.bool)
    for line, size in zip(nearest, shape, strict=True):
        inside &= (line >= 0) & (line < size)
        line.clamp_(0, size - 1)
    place = tuple(nearest)
    return Patch(image, source.labels[place].long(), source.annotated[place] & inside)
