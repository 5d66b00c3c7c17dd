"""Trainings that are over in a moment."""

import torch

from unet_napari.training import TrainConfig, Trainer

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
