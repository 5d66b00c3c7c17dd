"""One step of gradient descent, with everything that can go wrong in it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from unet_napari.networks.base import Network
from unet_napari.system.device import computes_bfloat16, memory_format
from unet_napari.tasks import Task
from unet_napari.training.batch_loss import BatchLoss
from unet_napari.training.data.augment import Patch
from unet_napari.training.schedule import Schedule, make_optimiser

if TYPE_CHECKING:
    from unet_napari.training.config import TrainConfig

__all__ = ["Learner", "Randomness", "State"]

State = dict[str, Tensor]

_REFRESHED_STEPS = 60  # steps that the average remembers at most when the labels have just changed


class Randomness:
    """Torch's global generators as a training run sees them: its own, the caller's untouched.

    Fresh weights and dropout draw from the global generators, that of the CPU and that of the
    device; inside ``with randomness():`` these continue where this object's last use ended, and
    afterwards are as they were. Those of other devices are not touched at all, which
    ``torch.manual_seed`` would do.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._generators = [_CPU_GENERATOR, *_generators_of(device)]
        self._seed = seed
        self._states: list[Tensor] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Use this object's random numbers."""
        callers = [generator.get_state() for generator in self._generators]
        try:
            if self._states:
                self._set(self._states)
            else:
                for generator in self._generators:
                    generator.seed(self._seed)
            yield
            self._states = [generator.get_state() for generator in self._generators]
        finally:
            self._set(callers)

    def snapshot(self) -> list[Tensor]:
        """Return the states of the generators; none before they were used."""
        return list(self._states)

    def restore(self, snapshot: Sequence[Tensor]) -> None:
        """Go on after `snapshot`, as far as it has the generators of this device."""
        if len(snapshot) == len(self._generators):
            self._states = list(snapshot)

    def _set(self, states: list[Tensor]) -> None:
        for generator, state in zip(self._generators, states, strict=True):
            generator.set_state(state)


class _Generator(NamedTuple):
    """The three things that are asked of a global generator."""

    seed: Callable[[int], object]
    get_state: Callable[[], Tensor]
    set_state: Callable[[Tensor], None]


_CPU_GENERATOR = _Generator(
    torch.default_generator.manual_seed, torch.get_rng_state, torch.set_rng_state
)


def _generators_of(device: torch.device) -> list[_Generator]:
    if device.type == "cuda":
        cuda = torch.cuda
        return [_Generator(cuda.manual_seed, cuda.get_rng_state, cuda.set_rng_state)]
    if device.type == "mps":
        mps = torch.mps
        return [_Generator(mps.manual_seed, mps.get_rng_state, mps.set_rng_state)]
    return []


class Learner:
    """A network that learns.

    Parameters
    ----------
    network
        Is moved to the device and trained in place.
    task
        Encodes the labels and computes the loss.
    config
        Optimiser, schedule, clipping, averaging, precision.
    learning_rate
        The largest of the schedule.
    device
        Device on which the network learns.
    randomness
        Source of the random numbers of dropout.

    Attributes
    ----------
    network
        The network.
    loss
        Loss of a batch.
    gradients
        Adds the gradient of the loss of a batch to those of the weights, and returns that loss.
        Others may help with it, see `unet_napari.training.parallel`.
    schedule
        The learning rate over the budget.
    """

    def __init__(
        self,
        network: Network,
        task: Task,
        config: TrainConfig,
        learning_rate: float,
        device: torch.device,
        randomness: Randomness,
    ) -> None:
        self.network = network.to(device)
        layout = memory_format(network.ndim, device)
        self.network.to(memory_format=layout)
        self.schedule = Schedule(config.schedule, config.warmup)
        self._config = config
        self._rate = learning_rate
        self._randomness = randomness
        # On CPUs torch's bf16 gradients of 3D networks hold stray NaNs (tests/networks).
        sound = device.type != "cpu" or network.ndim == 2
        mixed = config.mixed_precision and sound and computes_bfloat16(device)
        self.loss = BatchLoss(self.network, task, device, layout, mixed)
        self.gradients = self.loss.gradients
        self._optimiser = make_optimiser(
            network, config.optimiser, learning_rate, config.weight_decay
        )
        self._average = copy.deepcopy(network) if config.ema is not None else None
        self._averaged = 0  # steps that the average remembers

    @property
    def judged(self) -> Network:
        """The network whose score counts: the average of the weights, or the weights."""
        return (self._average or self.network).eval()

    def state(self) -> State:
        """Return a copy of the weights of `judged`, on the CPU."""
        state = self.judged.state_dict()
        return {name: value.detach().to("cpu", copy=True) for name, value in state.items()}

    def step(self, batch: Patch, fraction: float) -> float:
        """Make one update.

        Parameters
        ----------
        batch
            Images, labels and what is annotated, on any device.
        fraction
            Share of the budget used, for the schedule.

        Returns
        -------
        float
            The loss. Where it, or the gradient, is not finite, NaN, and nothing was updated.
        """
        rate = self._rate * self.schedule.factor(fraction)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        self.network.train()
        with self._randomness():
            loss = self.gradients(batch)
        self.network.eval()  # previews between two steps use the running statistics
        clip = self._config.clip or math.inf
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), clip)
        value = loss.item()
        if not (math.isfinite(value) and math.isfinite(norm.item())):
            return math.nan
        self._optimiser.step()
        self._update_average()
        return value

    def refresh(self) -> None:
        """Let the average follow the weights faster for a while, as the labels have changed."""
        self._averaged = min(self._averaged, _REFRESHED_STEPS)

    def snapshot(self) -> dict[str, Any]:
        """Return weights, average, optimiser and random numbers: what decides the next steps."""
        state = self._optimiser.state_dict()["state"]
        return {
            "network": self.network.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "optimiser": [[number, dict(values)] for number, values in state.items()],
            "randomness": self._randomness.snapshot(),
            "averaged": self._averaged,
            "schedule": self.schedule.snapshot(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on after `snapshot`."""
        self.network.load_state_dict(snapshot["network"])
        if self._average is not None:
            # A training that did not average before begins with the weights.
            self._average.load_state_dict(snapshot["average"] or snapshot["network"])
        values = self._optimiser.state_dict()
        values["state"] = {int(number): dict(each) for number, each in snapshot["optimiser"]}
        self._optimiser.load_state_dict(values)
        for parameter, kept in self._optimiser.state.items():
            for name, value in kept.items():  # in the order of the weights in memory
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    kept[name] = torch.empty_like(parameter).copy_(value)
        self._randomness.restore(snapshot["randomness"])
        self._averaged = int(snapshot["averaged"])
        self.schedule.restore(snapshot["schedule"])

    def rate(self, fraction: float) -> float:
        """Return the learning rate at a share of the budget."""
        return self._rate * self.schedule.factor(fraction)

    def _update_average(self) -> None:
        self._averaged += 1
        if self._average is None or self._config.ema is None:
            return
        # The first weights are random and must not linger.
        keep = min(self._config.ema, self._averaged / (self._averaged + 10))
        state = self.network.state_dict()
        for name, value in self._average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(state[name], 1 - keep)
            else:
                value.copy_(state[name])
