"""Make the model `start`: a U-Net that has seen many kinds of cells, for trainings to start from.

``python scripts/start.py train DATA STATE --steps 6000`` trains on everything whose licence allows
it (`start_data.py`) and on pictures made by program (`start_images.py`). STATE is a file: where it
exists, the training goes on from it, so that it may be stopped at any time and loses a minute at
most. ``--minutes 35`` is a budget in minutes of work instead, ``--without phase`` leaves a domain
out, to be judged by it, and ``--begin OTHER`` takes the first weights from another state. A GPU is
used where there is one.

``python scripts/start.py finish STATE OUTPUT`` makes the model file, in half precision.

STATE and OUTPUT lie outside the repository. No such model comes with the package: see
``docs/guide/training.md`` for why.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from nuclei import outside
from start_data import DOMAINS, load_domain
from start_images import KINDS

from unet_napari import Model
from unet_napari.images import Normalisation
from unet_napari.networks import build_network
from unet_napari.system.device import computes_bfloat16, memory_format
from unet_napari.tasks import CellsTask
from unet_napari.training import AugmentConfig
from unet_napari.training.data.augment import Augmenter, Patch
from unet_napari.training.data.patches import PatchSampler
from unet_napari.training.schedule import Schedule, make_optimiser

if TYPE_CHECKING:
    from torch import Tensor

    from unet_napari.networks.base import Network
    from unet_napari.training.data.sample import Sample

OPTIONS: dict[str, Any] = {
    "in_channels": 1,
    "out_channels": 3,
    "ndim": 2,
    "features": [16, 32, 64, 128, 256],
    "strides": [[2, 2]] * 4,
}
"""Of the network: the one that a training on a CPU has where cells are large."""
PATCH, BATCH = (128, 128), 8
RATE, CLIP, DECAY = 3e-3, 1.0, 1e-2
INVERTED = 0.25  # share of the patches that are turned dark on bright
AUGMENT = AugmentConfig(scale=0.4)
SAVED_EVERY = 60.0  # seconds
SEED = 0


def main() -> None:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    steps = parser.add_subparsers(required=True)
    step = steps.add_parser("train")
    step.add_argument("data", type=Path)
    step.add_argument("state", type=outside)
    budget = step.add_mutually_exclusive_group(required=True)
    budget.add_argument("--steps", type=int)
    budget.add_argument("--minutes", type=float)
    step.add_argument("--without", nargs="*", default=[], choices=list(DOMAINS))
    step.add_argument("--begin", type=Path)
    step.add_argument("--rate", type=float, default=RATE)
    step.set_defaults(run=train)
    step = steps.add_parser("finish")
    step.add_argument("state", type=Path)
    step.add_argument("output", type=outside)
    step.set_defaults(run=finish)
    arguments = parser.parse_args()
    arguments.run(arguments)


class Mixture:
    """Batches of patches of all domains, the same ones for the same step.

    Parameters
    ----------
    domains
        The samples of each domain, by its name.
    """

    def __init__(self, domains: dict[str, list[Sample]]) -> None:
        self._rng, self._generator = np.random.default_rng(SEED), torch.Generator()
        augmenter = Augmenter(AUGMENT, PATCH, (1.0, 1.0), self._rng, self._generator)
        cpu = torch.device("cpu")
        self._samplers = [
            PatchSampler(samples, "cells", augmenter, self._rng, cpu)
            for samples in domains.values()
        ]
        shares = np.array([DOMAINS[name].share for name in domains])
        self._shares = shares / shares.sum()

    def draw(self, step: int) -> Patch:
        """Return the batch of a step."""
        chance = np.random.default_rng([SEED, step])
        self._rng.bit_generator.state = chance.bit_generator.state
        self._generator.manual_seed(int(chance.integers(2**31)))
        chosen = chance.choice(len(self._samplers), BATCH, p=self._shares)
        drawn = [self._samplers[number].draw(1) for number in chosen]
        image, labels, annotated = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        turned = torch.from_numpy(chance.random(BATCH) < INVERTED).view(-1, 1, 1, 1)
        return Patch(torch.where(turned, 1 - image, image), labels, annotated)


class Run:
    """A training whose whole state is in one file.

    Parameters
    ----------
    state
        The file; a training that it holds goes on.
    begin
        A state whose weights a new training starts with.
    rate
        Largest learning rate.
    device
        Where the network learns.
    """

    def __init__(self, state: Path, begin: Path | None, rate: float, device: torch.device) -> None:
        self._path, self._rate, self._device = state, rate, device
        torch.manual_seed(SEED)
        self.network: Network = build_network("unet", OPTIONS).to(
            device, memory_format=memory_format(2, device)
        )
        self._optimiser = make_optimiser(self.network, "adamw", rate, DECAY)
        self._task, self._schedule = CellsTask(), Schedule("cosine", 0.03)
        self._mixed = computes_bfloat16(device)
        self.step, self.seconds, self.loss = 0, 0.0, math.nan
        self.domains: list[str] = []
        if state.exists():
            self._load(torch.load(state, map_location=device, weights_only=True))
        elif begin is not None:
            kept = torch.load(begin, map_location=device, weights_only=True)
            self.network.load_state_dict(kept["network"])
            self.domains = list(kept["domains"])

    def learn(self, batch: Patch, fraction: float) -> None:
        """Make a step, at a share of the budget."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * self._schedule.factor(fraction)
        self._optimiser.zero_grad(set_to_none=True)
        self.network.train()
        target = self._task.encode(batch.labels.to(self._device), batch.annotated.to(self._device))
        image = batch.image.to(self._device, memory_format=memory_format(2, self._device))
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._mixed):
            logits: Tensor = self.network(image)
        loss = self._task.loss(logits.float(), target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self._optimiser.step()
        self.step += 1
        value = loss.item()
        self.loss = value if math.isnan(self.loss) else 0.99 * self.loss + 0.01 * value

    def save(self) -> None:
        """Write the state, whole or not at all."""
        part = self._path.with_suffix(".part")
        state = {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "loss": self.loss,
            "domains": self.domains,
        }
        torch.save(state, part)
        part.replace(self._path)

    def _load(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds, self.loss = state["step"], state["seconds"], state["loss"]
        self.domains = list(state["domains"])


def train(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up, from wherever the state is."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run = Run(arguments.state, arguments.begin, arguments.rate, device)
    names = [name for name in DOMAINS if name not in arguments.without]
    domains = {name: load_domain(name, arguments.data) for name in names}
    domains = {name: samples for name, samples in domains.items() if samples}
    print(", ".join(f"{name}: {len(samples)}" for name, samples in domains.items()), flush=True)
    mixture = Mixture(domains)
    run.domains = sorted({*run.domains, *domains})
    began = saved = time.monotonic()
    before = run.seconds
    while True:
        run.seconds = before + time.monotonic() - began
        total = 60 * arguments.minutes if arguments.minutes else arguments.steps
        used = (run.seconds if arguments.minutes else run.step) / total
        if used >= 1:
            break
        run.learn(mixture.draw(run.step), used)
        if time.monotonic() - saved > SAVED_EVERY:
            run.save()
            saved = time.monotonic()
            print(f"step {run.step}, {run.seconds:.0f} s, loss {run.loss:.4f}", flush=True)
    run.save()


def finish(arguments: argparse.Namespace) -> None:
    """Make the model file out of a state."""
    run = Run(arguments.state, None, RATE, torch.device("cpu"))
    sources = [DOMAINS[name] for name in run.domains if name not in KINDS]
    model = Model(
        network=run.network.eval(),
        task=CellsTask(),
        normalisation=Normalisation(),
        name="start",
        diameter=24.0,
        provenance={
            "score": None,
            "score_name": "AP50",
            "step": run.step,
            "steps": run.step,
            "seconds": round(run.seconds, 1),
            "notes": {
                "licence": ", ".join(sorted({source.licence for source in sources})),
                "credit": "; ".join(dict.fromkeys(source.credit for source in sources)),
                "for": "trainings to start from",
                "domains": ", ".join(run.domains),
            },
        },
    )
    model.save(arguments.output, half=True)


if __name__ == "__main__":
    main()
