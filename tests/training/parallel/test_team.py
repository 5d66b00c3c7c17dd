"""Two processes that share each batch: the same training, and one clear end where one fails."""

import contextlib
import itertools
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from small_training import SMALL, of, weights
from unet_napari.errors import SettingsError, UnetNapariWarning
from unet_napari.training import Started, Step, TrainConfig, Trainer, Validated
from unet_napari.training.parallel import team
from unet_napari.training.parallel.devices import device_of_leader
from unet_napari.training.parallel.group import PartnerLostError
from unet_napari.training.parallel.joint_norm import joint_batch_norm

DEEP = {"features": [4, 8], "deep_supervision": True, "checkpointing": True}
HERE = str(Path(__file__).parent)


def trained(pair, devices, **settings):
    """Train with a stroke that joins after the second step; return weights and events."""
    wanted = {**SMALL, "batch": 3, "network_options": DEEP, "mixed_precision": False, **settings}
    trainer = Trainer([pair], TrainConfig(**wanted, devices=devices))
    events = []
    for event in trainer.run():
        events.append(event)
        if isinstance(event, Step) and event.step == 2:
            trainer.update(0, (0, 0), np.full((6, 6), 500, np.int32))
    return weights(trainer.model), events, trainer


def test_two_processes_learn_what_one_learns(cells_pair):
    """With batch norm, unequal shares, deep supervision, checkpointing and paint that joins.

    An adaptive optimiser, or clipping, would hide a gradient that is wrong by a factor.
    """
    settings, hook = {"steps": 6, "optimiser": "sgd", "clip": None}, sys.excepthook
    alone, told, _ = trained(cells_pair, 1, **settings)
    together, also, trainer = trained(cells_pair, 2, **settings)
    assert (alone - together).abs().max() < 1e-5
    assert (alone - weights(Trainer([cells_pair], trainer.config).model)).abs().max() > 1e-3
    for kind, values in ((Step, ("loss", "learning_rate")), (Validated, ("score",))):
        for one, other in zip(of(kind, told), of(kind, also), strict=True):
            for value in values:
                assert getattr(one, value) == pytest.approx(getattr(other, value), abs=1e-6)
    assert "Devices: 2 x cpu, which share each batch." in of(Started, also)[0].chosen
    assert not torch.distributed.is_initialized()
    assert sys.excepthook is hook


def test_no_memory_in_one_process_halves_the_batch_of_all_and_its_end_ends_all(
    cells_pair, monkeypatch
):
    """In bf16, in which the first two steps are those of a single process."""
    monkeypatch.setattr("unet_napari.training.learner.computes_bfloat16", lambda _: True)
    monkeypatch.setattr(team, "_PROGRAM", "failing_helper")
    path = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [HERE, path])))
    settings = {**SMALL, "batch": 4, "steps": 100, "validation": 0}
    alone = Trainer([cells_pair], TrainConfig(**settings)).run()
    losses = [event.loss for event in itertools.islice(alone, 3) if isinstance(event, Step)]
    trainer = Trainer([cells_pair], TrainConfig(**settings, devices=2))
    events = []
    with (
        pytest.warns(UnetNapariWarning, match="goes on with 2 patches per step"),
        pytest.raises(PartnerLostError, match=r"Process 2 of the 2 that train together .*Continue"),
    ):
        events.extend(trainer.run())
    assert trainer.steps == 4
    assert len(losses) == 2
    assert [event.loss for event in of(Step, events)[:2]] == pytest.approx(losses, rel=2e-3)
    assert trainer.best_model().provenance["steps"] == 4


def test_more_devices_than_there_are_is_one_clear_line(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(SettingsError, match="4 devices are asked for, but this computer has 2 GPU"):
        device_of_leader(TrainConfig(devices=4))
    with pytest.raises(SettingsError, match="but this computer has one GPU"):
        device_of_leader(TrainConfig(devices=2, device="mps"))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(SettingsError, match=r"no GPU .* with the device cpu"):
        device_of_leader(TrainConfig(devices=2))
    assert device_of_leader(TrainConfig(devices=8, device="cpu")).type == "cpu"
    with pytest.raises(SettingsError, match="batch must be 4 or more"):
        TrainConfig(devices=4, batch=2)


class Alone:
    """A group of one process."""

    def total(self, values):
        return values


@pytest.mark.parametrize("momentum", [0.1, None])
def test_the_joint_batch_norm_is_torchs_where_nobody_else_is(momentum):
    torch.manual_seed(0)
    norms = [torch.nn.BatchNorm2d(3, momentum=momentum) for _ in range(2)]
    found = []
    for norm, joint in zip(norms, (False, True), strict=True):
        x = (
            5 + 2 * torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
        ).requires_grad_()
        with joint_batch_norm(norm, Alone()) if joint else contextlib.nullcontext():
            for _ in range(2):
                y = norm(x)
        (y**3).sum().backward()
        found.append([y, x.grad, norm.weight.grad, norm.bias.grad, *norm.buffers()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
