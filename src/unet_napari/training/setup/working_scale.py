"""The scale that a network works at: images of large cells are made coarser for the network.

A network of few layers, trained for minutes, sees a few dozen pixels far. In cells of 70 pixels
it loses sight of where it is, and most of its work goes into pixels that say nothing new. At half
the scale it sees the whole cell, and a step takes a third of the time.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from unet_napari.labels.measure import diameters
from unet_napari.networks import build_network
from unet_napari.tasks.kinds.catalogue import task_kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.model.model import Model
    from unet_napari.networks.base import Network
    from unet_napari.tasks import Task
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.sample import Sample

__all__ = ["WorkingScale"]

_CELL_DIAMETER = 24.0  # pixels that a typical cell must still have across
_CELL_WIDTH = 8.0  # pixels that a thin cell must still be wide
_MOST_REDUCTION = 4  # pixels per axis that may become one
_SHORTEST_SIDE = 32  # pixels per axis that a sample must still have, where it had as many
_OPTION = "reduction"  # option of a network, see `Network.coarsen`


@dataclass(frozen=True)
class WorkingScale:
    """How much coarser than the images the network works, and what follows from it.

    Attributes
    ----------
    reduction
        Pixels per axis that become one; 1 for none.
    pixel
        The smallest side of the network's pixels, over that of the images' pixels.
    """

    reduction: tuple[int, ...]
    pixel: float

    @classmethod
    def _of(cls, reduction: tuple[int, ...], spacing: Sequence[float]) -> WorkingScale:
        sides = [step * n for step, n in zip(spacing, reduction, strict=True)]
        return cls(reduction, min(sides) / min(spacing))

    @classmethod
    def choose(
        cls,
        config: TrainConfig,
        samples: Sequence[Sample],
        spacing: Sequence[float],
        start: Network | None,
    ) -> WorkingScale:
        """Choose the scale at which typical cells are 24 to 48 pixels across.

        Where some cells are thin, the scale is so fine that these stay 8 pixels wide, if they are
        that wide in the images.

        Parameters
        ----------
        config
            The settings, whose network option ``reduction`` counts more than anything else.
        samples
            Samples of what was painted, at the scale of the images.
        spacing
            Relative pixel size per axis.
        start
            A trained network that training starts from, and whose scale is kept.
        """
        if start is not None:
            return cls._of(start.reduction, spacing)
        if _OPTION in config.network_options:
            options = {"ndim": config.ndim, _OPTION: config.network_options[_OPTION]}
            return cls._of(
                build_network("unet", {"features": [1, 1], **options}).reduction, spacing
            )
        if (
            not task_kind(config.task).separates_objects
            or config.network_options.get("padding") == "valid"
        ):
            return cls._of((1,) * config.ndim, spacing)
        most = _affordable([np.where(s.annotated, s.labels, 0) for s in samples], spacing)
        shape = np.median([sample.labels.shape for sample in samples], axis=0)
        reduction = (
            max(1, min(_MOST_REDUCTION, int(most / step), int(size) // _SHORTEST_SIDE))
            for step, size in zip(spacing, shape, strict=True)
        )
        return cls._of(tuple(reduction), spacing)

    @property
    def factor(self) -> int:
        """The number of pixels that become one."""
        return math.prod(self.reduction)

    def describe(self) -> str:
        """Return a line that says it; "" where the network works at the scale of the images."""
        if self.factor == 1:
            return ""
        size = " x ".join(map(str, self.reduction))
        return f"Scale: {size} pixels are one to the network, as the cells are large."

    def config(self, config: TrainConfig) -> TrainConfig:
        """Return the settings in the pixels of the network."""
        options = {k: v for k, v in config.network_options.items() if k != _OPTION}
        patch = config.patch and tuple(
            max(8, size // n) for size, n in zip(config.patch, self.reduction, strict=True)
        )
        return replace(config, network_options=options, patch=patch)

    def samples(self, samples: Sequence[Sample]) -> list[Sample]:
        """Return the samples at the scale of the network."""
        return list(samples) if self.factor == 1 else [self._sample(s) for s in samples]

    def _sample(self, sample: Sample) -> Sample:
        """Average the image over blocks; take the labels of the pixels in their middles."""
        kept = [size // n for size, n in zip(sample.labels.shape, self.reduction, strict=True)]
        blocks = [axis for pair in zip(kept, self.reduction, strict=True) for axis in pair]
        whole = tuple(slice(0, k * n) for k, n in zip(kept, self.reduction, strict=True))
        middle = tuple(slice(n // 2, k * n, n) for k, n in zip(kept, self.reduction, strict=True))
        image = sample.image[(slice(None), *whole)].reshape(len(sample.image), *blocks)
        return replace(
            sample,
            image=image.mean(axis=tuple(range(2, 2 + 2 * len(kept), 2)), dtype=np.float32),
            labels=np.ascontiguousarray(sample.labels[middle]),
            annotated=np.ascontiguousarray(sample.annotated[middle]),
            origin=tuple(o // n for o, n in zip(sample.origin, self.reduction, strict=True)),
        )

    def spacing(self, spacing: Sequence[float]) -> tuple[float, ...]:
        """Return the relative size of the network's pixels, 1 for the smallest."""
        sizes = [step * n for step, n in zip(spacing, self.reduction, strict=True)]
        return tuple(size / min(sizes) for size in sizes)

    def task(self, task: Task | None) -> Task | None:
        """Return the task of a model that training starts from, in the pixels of the network."""
        return task and task.rescaled(Fraction(1, self.factor))

    def plain(self, network: Network | None) -> Network | None:
        """Return a copy of a network, with its weights, that does not make images coarser."""
        if network is None or self.factor == 1:
            return network
        options = {k: v for k, v in network.options.items() if k != _OPTION}
        copied = build_network(network.name, options)
        copied.load_state_dict(network.state_dict())
        return copied

    def model(self, model: Model) -> Model:
        """Make a model for the images of a model for coarser images; both share the weights."""
        if self.factor == 1:
            return model
        network = copy.copy(model.network)  # the layers are the same objects
        network.coarsen(self.reduction)
        changes: dict[str, Any] = {"network": network, "task": model.task.rescaled(self.factor)}
        if model.diameter is not None:
            changes["diameter"] = model.diameter * self.pixel
        if model.halo is not None:
            # One coarse pixel more for the interpolation, rounded up to the grid of the stride.
            steps = (
                (math.ceil((halo + 1) * n / stride) * stride)
                for halo, n, stride in zip(model.halo, self.reduction, network.stride, strict=True)
            )
            changes["halo"] = tuple(steps)
        return replace(model, **changes)


def _affordable(painted: Sequence[NDArray[np.integer]], spacing: Sequence[float]) -> float:
    """Return how many of the smallest pixels may become one, by the size and width of the cells."""
    sizes = np.concatenate([diameters(labels, spacing) for labels in painted])
    if not len(sizes) or np.median(sizes) < 2 * _CELL_DIAMETER:  # the widths take longer to find
        return 1.0
    widths = np.concatenate([_widths(labels, spacing) for labels in painted])
    return float(min(np.median(sizes) / _CELL_DIAMETER, np.quantile(widths, 0.1) / _CELL_WIDTH))


def _widths(labels: NDArray[np.integer], spacing: Sequence[float]) -> NDArray[np.float64]:
    """Return the diameter of the largest ball within each cell, in the smallest pixels."""
    inside = labels > 0
    for axis in range(labels.ndim):
        along, ids = np.moveaxis(inside, axis, 0), np.moveaxis(labels, axis, 0)
        edge = ids[1:] != ids[:-1]
        along[1:] &= ~edge
        along[:-1] &= ~edge
    depth = ndimage.distance_transform_edt(inside, sampling=spacing)
    ids = np.unique(labels[labels > 0])
    return 2 * np.asarray(ndimage.maximum(depth, labels, ids), float) + 1
