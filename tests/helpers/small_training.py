"""Trainings that are over in a moment."""

import numpy as np
import torch

from unet_napari.geometry import Box
from unet_napari.images import Image
from unet_napari.training import Pair, TrainConfig, Trainer
from unet_napari.training.setup.prepare import prepare

SMALL = {
    "device": "cpu",
    "patch": (32, 32),
    "batch": 2,
    "network_options": {"features": [4, 8]},
}


def run(pairs, start_from=None, **settings):
    trainer = Trainer(pairs, TrainConfig(**{**SMALL, **settings}), start_from)
    return trainer, list(trainer.run())


def weights(model):
    return torch.cat([p.flatten().double() for p in model.network.state_dict().values()])


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def squares(shape, size=8, step=14):
    """Square cells on a grid, numbered from 1."""
    labels = np.zeros(shape, np.int32)
    rows, columns = (range(3, n - size, step) for n in shape[-2:])
    for number, (y, x) in enumerate(((y, x) for y in rows for x in columns), start=1):
        labels[..., y : y + size, x : x + size] = number
    return labels


def picture(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def painted_data(*labels, names="YX", **config):
    """Return the painted data of a training on one image for each labels array."""
    pairs = [
        Pair(Image(picture(each.shape, seed), names, name=f"image {seed}"), each)
        for seed, each in enumerate(labels)
    ]
    return prepare(pairs, TrainConfig(**{**SMALL, "steps": 4, **config}), None).painted


def places(samples):
    """Return which pixels of the frame samples hold, and which of them are annotated."""
    held = np.zeros((200, 300), bool)
    annotated = np.zeros_like(held)
    for sample in samples:
        box = Box.whole(sample.labels.shape).shift(sample.origin).to_slices()
        held[box] = True
        annotated[box] |= sample.annotated
    return held, annotated
