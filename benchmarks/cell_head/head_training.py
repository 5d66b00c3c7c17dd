"""Images read and held out, a network trained for each variant, and its maps."""

from __future__ import annotations

import hashlib
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
import torch
from head_variants import Dataset, Variant
from heads import Maps
from scipy import ndimage

from unet_napari.images import Normalisation, as_image
from unet_napari.networks import build_network
from unet_napari.networks.base import Network
from unet_napari.tasks import CellsTask
from unet_napari.training.config import TrainConfig
from unet_napari.training.data.augment import Augmenter
from unet_napari.training.data.augment_config import AugmentConfig
from unet_napari.training.data.load import load_samples
from unet_napari.training.data.pairs import Pair
from unet_napari.training.data.patches import PatchSampler
from unet_napari.training.data.sample import Sample
from unet_napari.training.learner import Learner, Randomness
from unet_napari.training.tiling import predict_sample

CPU = torch.device("cpu")


def load(data: Path, chosen: Dataset, diameter: float | None) -> tuple[list[Sample], list[Sample]]:
    """Read all images, and hold out an equal share of each shape by the hash of the name."""
    names = defaultdict(list)
    for path in (data / chosen.folder / "images").glob("*.tif"):
        with tifffile.TiffFile(path) as file:
            shape = file.series[0].shape
        common = shape if len(shape) == 2 else ()
        names[common].append((hashlib.sha256(path.name.encode()).hexdigest(), path))
    total = sum(map(len, names.values()))
    held_out = {
        path
        for group in names.values()
        for _, path in sorted(group)[: round(chosen.held_out * len(group) / total)]
    }
    training, validation = [], []
    for _, path in sorted(pair for group in names.values() for pair in group):
        sample = _read(path, diameter)
        (validation if path in held_out else training).append(sample)
    return training, validation


def _read(path: Path, diameter: float | None) -> Sample:
    image, labels = tifffile.imread(path), tifffile.imread(path.parents[1] / "labels" / path.name)
    pair = Pair(as_image(image, axes="ZYX"[-image.ndim :]), labels.astype(np.int32))
    config = TrainConfig(ndim=image.ndim, unpainted="background")
    (sample,) = load_samples([pair], config, Normalisation(), 2**34)
    if diameter is None:
        return sample
    sizes = np.unique(labels[labels > 0], return_counts=True)[1]
    zoom = min(3.0, diameter / np.median(sizes) ** (1 / labels.ndim))
    return replace(
        sample,
        image=np.stack([ndimage.zoom(c, zoom, order=1) for c in sample.image]),
        labels=ndimage.zoom(sample.labels, zoom, order=0),
        annotated=ndimage.zoom(sample.annotated, zoom, order=0),
    )


def train(variant: Variant, samples: Sequence[Sample], chosen: Dataset, file: Path) -> Network:
    """Train a variant's network, or load it."""
    ndim = len(chosen.patch)
    size = {"in_channels": 1, "out_channels": variant.task.out_channels, "ndim": ndim}
    randomness = Randomness(variant.seed, CPU)
    with randomness():
        network = build_network("unet", {**chosen.network, **size})
    if file.exists():
        network.load_state_dict(torch.load(file, weights_only=True))
        return network.eval()
    rng = np.random.default_rng(variant.seed)
    generator = torch.Generator().manual_seed(variant.seed)
    augment = AugmentConfig(scale=variant.scale)
    augmenter = Augmenter(augment, chosen.patch, chosen.spacing, rng, generator)
    sampler = PatchSampler(samples, "cells", augmenter, rng, CPU)
    config = TrainConfig(
        ndim=ndim, steps=chosen.steps, ema=variant.ema, mixed_precision=False
    )  # as on every CPU
    task = replace(variant.task, anisotropy=chosen.spacing)
    learner = Learner(network, task, config, variant.rate, CPU, randomness)
    started, loss = time.process_time(), 0.0
    for step in range(chosen.steps):
        loss += learner.step(sampler.draw(chosen.batch), step / chosen.steps)
        if step % 50 == 49:
            seconds = time.process_time() - started
            text = f"{file.stem}: step {step + 1}, loss {loss / 50:.3f}, {seconds:.0f} s"
            print(text, file=sys.stderr, flush=True)
            loss = 0.0
    torch.save(learner.state(), file)
    network.load_state_dict(learner.state())
    return network.eval()


def predict(network: Network, task: CellsTask, sample: Sample, *, turns: bool = False) -> Maps:
    """Return the maps of a sample; with `turns` the mean over the eight symmetries of a square."""
    if not turns:
        return _predict(network, task, sample)
    total = np.zeros((task.out_channels, *sample.labels.shape), np.float32)
    for k in range(8):
        image = np.rot90(sample.image[..., ::-1] if k >= 4 else sample.image, k % 4, (-2, -1))
        maps = _predict(network, task, replace(sample, image=image))
        maps = np.rot90(maps, -(k % 4), (-2, -1))
        total += maps[..., ::-1] if k >= 4 else maps
    return total / 8


def _predict(network: Network, task: CellsTask, sample: Sample) -> Maps:
    halo, most = (0,) * network.ndim, sample.labels.size
    return predict_sample(network, task, sample, CPU, halo=halo, most=most)
