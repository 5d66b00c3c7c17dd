"""What augmentation costs beside a training step, on the CPU.

    python benchmarks/augmentation.py

prints one line for each patch size; the aim is at most 15 %.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from unet_napari.networks import UNet
from unet_napari.tasks import CellsTask
from unet_napari.training import AugmentConfig, TrainConfig
from unet_napari.training.augment import Augmenter
from unet_napari.training.learner import Learner, Randomness
from unet_napari.training.patches import PatchSampler
from unet_napari.training.sample import Sample

CASES = (
    ((256, 256), 4, (16, 32, 64, 128)),
    ((32, 96, 96), 1, (16, 32, 64)),
)
ROUNDS = 5
LIMIT = 0.15
CPU = torch.device("cpu")


def main() -> None:
    for patch, batch, features in CASES:
        sampler = make_sampler(patch)
        learner = make_learner(len(patch), features)
        drawn = sampler.draw(batch)
        learner.step(drawn, 0.5)
        augmentation = seconds(lambda: sampler.draw(batch))  # noqa: B023  called at once
        step = seconds(lambda: learner.step(drawn, 0.5))  # noqa: B023
        share = augmentation / (augmentation + step)
        size = "x".join(map(str, patch))
        print(
            f"{size}, batch {batch}, features {features}: augmentation {1e3 * augmentation:.0f} ms,"
            f" step {1e3 * step:.0f} ms, share {100 * share:.1f} % (aim: {100 * LIMIT:.0f} %)"
        )


def make_sampler(patch: tuple[int, ...]) -> PatchSampler:
    """Patches out of a random image twice as large, all of them resampled and recoloured."""
    rng = np.random.default_rng(0)
    shape = tuple(2 * size for size in patch)
    sample = Sample(
        rng.random((1, *shape), np.float32),
        rng.integers(0, 50, shape, np.int32),
        np.ones(shape, bool),
        0,
        (0,) * len(shape),
    )
    config = AugmentConfig(resampled=1.0, recoloured=1.0)
    spacing = (1.0,) * len(patch)
    augmenter = Augmenter(config, patch, spacing, rng, torch.Generator().manual_seed(0))
    return PatchSampler([sample], "cells", augmenter, rng, CPU)


def make_learner(ndim: int, features: tuple[int, ...]) -> Learner:
    network = UNet(1, 2, features, ndim=ndim)
    config = TrainConfig(ndim=ndim)
    return Learner(network, CellsTask(), config, 1e-3, CPU, Randomness(0, CPU))


def seconds(work: Callable[[], object]) -> float:
    """Return the median wall-clock time of a call."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


if __name__ == "__main__":
    main()
