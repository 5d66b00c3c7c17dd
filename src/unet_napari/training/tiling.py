"""The prediction of a whole sample by a network in training, in parts where memory is short."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from unet_napari.geometry import Box
from unet_napari.training.setup.configure import step_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.networks.base import Network
    from unet_napari.tasks import Task
    from unet_napari.training.data.sample import Sample

__all__ = ["largest_tile", "predict_sample", "tile_with_halo"]

_FORWARD = 0.5  # share of what a training step needs that prediction does; 0.1 to 0.45 measured


def largest_tile(network: Network, patch: Sequence[int], memory: int) -> int:
    """Return how many pixels may be predicted at once while the network is being trained.

    Parameters
    ----------
    network
        The network, whose weights stay in memory meanwhile with their gradients and moments.
    patch
        A shape of patches that suits the network.
    memory
        Bytes that a training step may use.
    """
    fixed = 16 * network.parameter_count
    each = _FORWARD * (step_memory(network, patch, 1) - fixed) / math.prod(patch)
    return max(1, int((memory - fixed) / each))


def predict_sample(
    network: Network,
    task: Task,
    sample: Sample,
    device: torch.device,
    *,
    halo: Sequence[int],
    most: int,
) -> NDArray[np.float32]:
    """Return the probability maps of a sample, shape (K, *S).

    Parameters
    ----------
    network
        A network in eval mode.
    task
        The task that it is trained for.
    sample
        The sample, of which the image is predicted.
    device
        The device that the network is on.
    halo
        Pixels of its neighbours that are predicted with each part, along each axis.
    most
        Largest number of pixels that go through the network at once. It is exceeded where even the
        smallest part with its halo has more.
    """
    image, shape = sample.image, sample.labels.shape
    if any(network.margin):
        rim = [(0, 0), *((margin, margin) for margin in network.margin)]
        image = np.pad(image, rim, mode="reflect" if min(shape) > 1 else "edge")
    maps: NDArray[np.float32] = np.empty((task.out_channels, *shape), np.float32)
    for core, outer in tile_with_halo(shape, halo, network.stride, most):
        # The padded image begins one margin earlier, and the network loses one on either side.
        seen = outer.grow(network.margin).shift(network.margin)
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(image[:, *seen.to_slices()]))[None]
            said = task.activate(network(batch.to(device)))[0].float().cpu().numpy()
        maps[:, *core.to_slices()] = said[:, *core.to_slices(outer)]
    return maps


def tile_with_halo(
    shape: Sequence[int], halo: Sequence[int], stride: Sequence[int], most: int
) -> Iterator[tuple[Box, Box]]:
    """Cut an image into parts that have at most so many pixels with their halo, if that can be.

    Yields
    ------
    core, outer : Box
        The cores cover each pixel once, and start on the stride grid of the network, as do the
        parts of the image around them.
    """
    axes = [_finer(*axis) for axis in zip(shape, halo, stride, strict=True)]
    chosen = [next(axis) for axis in axes]
    offered = [next(axis, None) for axis in axes]

    def size(axis: int | None = None) -> int:
        """Return the pixels of a part, with what is offered for an axis."""
        cuts = [offered[i] or c if i == axis else c for i, c in enumerate(chosen)]
        return math.prod(max(stop - start for _, (start, stop) in blocks) for blocks in cuts)

    while size() > most and any(offered):
        best = min((axis for axis, cuts in enumerate(offered) if cuts), key=size)
        chosen[best], offered[best] = offered[best] or chosen[best], next(axes[best], None)
    for block in itertools.product(*chosen):
        yield Box.from_spans(c for c, _ in block), Box.from_spans(o for _, o in block)


_Block = tuple[tuple[int, int], tuple[int, int]]


def _finer(size: int, halo: int, stride: int) -> Iterator[list[_Block]]:
    """Yield ways to cut an axis into blocks, each way with more and shorter blocks."""
    shortest = size + 1
    for count in range(1, math.ceil(size / stride) + 1):
        blocks = _blocks(size, halo, stride, count)
        longest = max(stop - start for _, (start, stop) in blocks)
        if longest < shortest:
            shortest = longest
            yield blocks


def _blocks(size: int, halo: int, stride: int, count: int) -> list[_Block]:
    """Return start and stop of the core and of the outer part of each block along an axis."""
    steps = math.ceil(size / stride)
    edges = [i * steps // count * stride for i in range(count)] + [size]
    reach = math.ceil(halo / stride) * stride
    return [
        ((start, stop), (max(0, start - reach), min(size, stop + reach)))
        for start, stop in itertools.pairwise(edges)
    ]
