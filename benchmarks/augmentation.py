"""What augmentation costs beside a training step, on the CPU.

    python benchmarks/augmentation.py

prints a table with a line for each patch size, in less than a minute; the aim is at most 15 %. All
patches are resampled and recoloured, twice as many as in a training with default settings.
"""

from __future__ import annotations

import os
import time

import numpy as np
import torch
from machine import conditions

from unet_napari.networks import UNet
from unet_napari.tasks import CellsTask
from unet_napari.training import AugmentConfig, TrainConfig
from unet_napari.training.data.augment import Augmenter
from unet_napari.training.data.patches import PatchSampler
from unet_napari.training.data.sample import Sample
from unet_napari.training.learner import Learner, Randomness

CASES = (
    ((256, 256), 4, (16, 32, 64, 128)),
    ((32, 96, 96), 1, (16, 32, 64)),
)
ROUNDS = 5
LIMIT = 0.15
CPU = torch.device("cpu")


def main() -> None:
    threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
    torch.set_num_threads(threads)
    print("| patch | batch | features | augmentation, ms | step, ms | share | aim |")
    print("|---|--:|---|--:|--:|--:|--:|")
    for patch, batch, features in CASES:
        sampler = make_sampler(patch)
        learner = make_learner(len(patch), features)
        augmenting, learning = taking_turns(sampler, learner, batch)
        share = augmenting / (augmenting + learning)
        print(
            f"| {' x '.join(map(str, patch))} | {batch} | {', '.join(map(str, features))} | "
            f"{1e3 * augmenting:.0f} | {1e3 * learning:.0f} | {share:.1%} | {LIMIT:.0%} |"
        )
    print(f"\n{conditions(threads)}")


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


def taking_turns(sampler: PatchSampler, learner: Learner, batch: int) -> tuple[float, float]:
    """Return the median seconds of drawing a batch and of learning from it."""
    learner.step(sampler.draw(batch), 0.5)  # the first call chooses the kernels
    drawing, learning = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        drawn = sampler.draw(batch)
        between = time.perf_counter()
        learner.step(drawn, 0.5)
        drawing.append(between - started)
        learning.append(time.perf_counter() - between)
    return float(np.median(drawing)), float(np.median(learning))


if __name__ == "__main__":
    main()
