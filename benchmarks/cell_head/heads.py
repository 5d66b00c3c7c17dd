"""The heads that are compared: which maps each gives, and what it learns them from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import edt
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from unet_napari.tasks import CellsTask, Criterion, Target
from unet_napari.tasks.losses import multi_class_loss, multi_label_loss

Maps = NDArray[np.floating]
Labels = NDArray[Any]


@dataclass(frozen=True)
class WithBoundary(CellsTask):
    """Foreground and boundary; seeds are where the foreground is high and the boundary low."""

    map_names: ClassVar[tuple[str, ...]] = ("foreground", "boundary")
    seed_threshold: float = 0.4

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        values, weight = super().encode(labels, annotated)
        return Target(values[:, :2], weight[:, :2])

    def decode(self, maps: Maps) -> Labels:
        return super().decode(np.stack([maps[0], maps[1], 1 - maps[1]]))


@dataclass(frozen=True)
class WithDepth(CellsTask):
    """Foreground and depth; the watershed floods the depth."""

    map_names: ClassVar[tuple[str, ...]] = ("foreground", "depth")

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        values, weight = super().encode(labels, annotated)
        return Target(values[:, ::2], weight[:, ::2])

    def decode(self, maps: Maps) -> Labels:
        return super().decode(np.stack([maps[0], 1 - maps[1], maps[1]]))


@dataclass(frozen=True)
class ThreeClasses(WithBoundary):
    """Background, inside and boundary exclude each other (softmax)."""

    map_names: ClassVar[tuple[str, ...]] = ("background", "inside", "boundary")

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        values, weight = super().encode(labels, annotated)
        index = torch.where(values[:, 1] > 0, 2, values[:, 0].long())
        return Target(index[:, None], weight[:, :1])

    def loss(self, logits: Tensor, target: Target) -> Tensor:
        return multi_class_loss(Criterion("ce+dice"), logits, target)

    def activate(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=1)

    def decode(self, maps: Maps) -> Labels:
        return super().decode(np.stack([1 - maps[0], maps[2]]))


@dataclass(frozen=True)
class WithDistance(WithBoundary):
    """Foreground, boundary, and the distance to the cell's edge as a share of its largest."""

    map_names: ClassVar[tuple[str, ...]] = ("foreground", "boundary", "distance")

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        values, weight = super().encode(labels, annotated)
        distance = _distances(labels.numpy(), self._spacing(labels.ndim - 1))
        for each, image in zip(distance, labels.numpy(), strict=True):
            each /= _largest(each, image)
        values = torch.cat([values, torch.from_numpy(distance)[:, None]], dim=1)
        return Target(values, torch.cat([weight, weight[:, 1:]], dim=1))


@dataclass(frozen=True)
class DistanceOnly(WithDistance):
    """Foreground, and the distance to the cell's edge as a share of its largest."""

    map_names: ClassVar[tuple[str, ...]] = ("foreground", "distance")

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        values, weight = super().encode(labels, annotated)
        return Target(values[:, ::2], weight[:, ::2])


@dataclass(frozen=True)
class WithOffset(CellsTask):
    """Foreground, and the vector from each pixel to the middle of its cell (in 16 pixels)."""

    map_names: ClassVar[tuple[str, ...]] = ("foreground", "dy", "dx")

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        offset = torch.from_numpy(np.stack([_offset(each) for each in labels.numpy()])) / 16
        inside = (labels > 0)[:, None].float()
        weight = annotated[:, None].float()
        vectors = (weight * inside).expand_as(offset)
        return Target(torch.cat([inside, offset], 1), torch.cat([weight, vectors], 1))

    def loss(self, logits: Tensor, target: Target) -> Tensor:
        first = Target(target.values[:, :1], target.weight[:, :1])
        weight = target.weight[:, 1:]
        error = F.smooth_l1_loss(logits[:, 1:], target.values[:, 1:], reduction="none", beta=0.1)
        vectors = (error * weight).sum() / weight.sum().clamp_min(1)
        return multi_label_loss(self.criterion, logits[:, :1], first) + vectors

    def activate(self, logits: Tensor) -> Tensor:
        return torch.cat([logits[:, :1].sigmoid(), logits[:, 1:]], dim=1)


def _distances(labels: Labels, spacing: Sequence[float]) -> NDArray[np.float32]:
    """Distance of each pixel of a batch to the nearest of another id."""
    return np.stack([edt.edt(image, anisotropy=spacing, parallel=1) for image in labels])


def _largest(values: NDArray[np.float32], labels: Labels) -> NDArray[np.float32]:
    """Largest value of the cell that each pixel belongs to."""
    ids, index = np.unique(labels, return_inverse=True)
    index = index.reshape(labels.shape)
    largest = np.asarray(ndimage.maximum(values, index, np.arange(len(ids))), np.float32)
    return np.maximum(largest[index], 1)


def _offset(labels: Labels) -> NDArray[np.float32]:
    ids, index = np.unique(labels, return_inverse=True)
    index = index.reshape(labels.shape)
    middle = np.array(ndimage.center_of_mass(np.ones_like(labels), index, np.arange(len(ids))))
    grid = np.indices(labels.shape, np.float32)
    return np.asarray(np.moveaxis(middle[index], -1, 0) - grid, np.float32)
