"""On which devices a training computes, and whether there are so many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.distributed as dist

from unet_napari.errors import SettingsError
from unet_napari.inference.backends.device_choice import choose_device

if TYPE_CHECKING:
    from unet_napari.training.config import TrainConfig

__all__ = ["device_of_helper", "device_of_leader"]


def device_of_leader(config: TrainConfig) -> torch.device:
    """Return the device of a training, or the first of its devices.

    Raises
    ------
    SettingsError
        If there are fewer devices than are asked for. On the CPU any number of processes may train.
    """
    wanted, count = config.device, config.devices
    if count > 1 and not dist.is_available():
        raise SettingsError(
            "The installed torch was built without torch.distributed, which several devices need: "
            "leave devices out, or install torch from PyPI."
        )
    if count > 1 and wanted != "cpu":
        there = torch.cuda.device_count() if wanted != "mps" else 1
        if there < count:
            gpus = {0: "no GPU", 1: "one GPU"}.get(there, f"{there} GPUs")
            raise SettingsError(
                f"{count} devices are asked for, but this computer has {gpus} that can share a "
                "training: ask for fewer devices, or for processes on the CPU with the device cpu."
            )
    device = choose_device(wanted, config.ndim)
    if count > 1 and device.type == "cpu" != wanted:
        raise SettingsError(
            f"{count} devices are asked for, but the GPUs of this computer cannot be used: leave "
            "devices out, or ask for processes on the CPU with the device cpu."
        )
    return device


def device_of_helper(rank: int, leader: torch.device) -> str:
    """Return the device of a helper: the CPU, or the GPU that many after that of the leader.

    Parameters
    ----------
    rank
        Number of the helper, from 1 on.
    leader
        Device of the leader.
    """
    if leader.type != "cuda":
        return leader.type
    first = torch.cuda.current_device() if leader.index is None else leader.index
    return f"cuda:{(first + rank) % torch.cuda.device_count()}"
