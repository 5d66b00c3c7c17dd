"""The context around a tile that a model needs in practice, measured at the end of a training."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from unet_napari.networks.folding import fold_batch_norm
from unet_napari.networks.halo import exact_halo
from unet_napari.system.device import is_out_of_memory
from unet_napari.training.measured_halo import reach, rounded_halo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unet_napari.networks.base import Network
    from unet_napari.tasks import Task
    from unet_napari.training.data.sample import Sample

__all__ = ["measure_halo"]

# Number of places that are looked at along each axis.
_POSITIONS = 8
# Size of a patch in pixels along the other axes, by the number of axes.
_WIDTH_ACROSS = {2: 64, 3: 16}
# Number of patches that are drawn for each place; the one with the most contrast is taken.
_DRAWN_PATCHES = 8


def measure_halo(
    network: Network, task: Task, samples: Sequence[Sample], seed: int, seconds: float
) -> tuple[int, ...] | None:
    """Measure the halo of a trained network on the images that it was trained on.

    The training does not depend on it: where memory does not suffice, nothing is measured.

    Parameters
    ----------
    network : Network
        The network, on any device; it is left as it is.
    task : Task
        The task that it was trained for.
    samples : sequence of Sample
        Samples from which patches are taken.
    seed : int
        Seed for the choice of the patches.
    seconds : float
        Time after which no other patch is looked at.

    Returns
    -------
    tuple of int or None
        Pixels per axis, see `unet_napari.model.Model.halo`. None where it cannot be measured: a
        network without padding, a norm over whole tiles, no time for one patch per axis, or no
        memory.
    """
    try:
        return _measure(network, task, samples, seed, time.monotonic() + seconds)
    except Exception as error:
        if is_out_of_memory(error):
            return None
        raise


def _measure(
    network: Network, task: Task, samples: Sequence[Sample], seed: int, end: float
) -> tuple[int, ...] | None:
    exact = exact_halo(network)
    if exact is None or any(network.margin):
        return None
    device = next(network.parameters()).device
    folded = fold_batch_norm(network).to(device).eval()
    rng = np.random.default_rng(seed)
    distances = [0] * network.ndim
    for position in range(_POSITIONS):
        for axis in range(network.ndim):
            if time.monotonic() > end:
                return None if position == 0 else _rounded(distances, network, exact)
            sample = samples[int(rng.integers(len(samples)))]
            shape = _patch_shape(sample, network, exact, axis)
            if shape[axis] < 2 * network.stride[axis]:
                distance = None
            else:
                patch, other = (
                    torch.from_numpy(_draw(sample, shape, rng)).to(device) for _ in range(2)
                )
                distance = reach(folded, task.activate, patch, other, axis)
            distances[axis] = exact[axis] if distance is None else max(distances[axis], distance)
    return _rounded(distances, network, exact)


def _rounded(distances: list[int], network: Network, exact: tuple[int, ...]) -> tuple[int, ...]:
    return rounded_halo(tuple(distances), network.stride, exact)


def _patch_shape(
    sample: Sample, network: Network, exact: tuple[int, ...], axis: int
) -> tuple[int, ...]:
    """Return a shape so long that the exact halo lies on both sides of its middle."""
    wanted = [max(_WIDTH_ACROSS[network.ndim], 2 * stride) for stride in network.stride]
    wanted[axis] = 2 * (exact[axis] + network.stride[axis])
    sizes = zip(sample.labels.shape, wanted, network.stride, strict=True)
    return tuple(max(min(size, want) // s * s, min(size, s)) for size, want, s in sizes)


def _draw(sample: Sample, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    drawn = []
    for _ in range(_DRAWN_PATCHES):
        starts = [
            int(rng.integers(size - length + 1))
            for size, length in zip(sample.labels.shape, shape, strict=True)
        ]
        region = (slice(a, a + n) for a, n in zip(starts, shape, strict=True))
        drawn.append(sample.image[:, *region])
    return np.ascontiguousarray(max(drawn, key=lambda part: float(part.std())))[np.newaxis]
