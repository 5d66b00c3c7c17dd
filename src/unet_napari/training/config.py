"""What a training run can be told: ``TrainConfig`` and ``AugmentConfig``, without torch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from unet_napari.defaults import TRAINING_SECONDS
from unet_napari.errors import SettingsError

__all__ = [
    "AugmentConfig",
    "DeviceName",
    "OptimiserName",
    "ScheduleName",
    "TaskName",
    "TrainConfig",
    "UnpaintedRule",
]

TaskName = Literal["cells", "semantic"]
UnpaintedRule = Literal["auto", "ignore", "background"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
OptimiserName = Literal["adamw", "adam", "sgd"]
ScheduleName = Literal["cosine", "poly", "step", "plateau"]


@dataclass(frozen=True)
class AugmentConfig:
    """How strongly patches are varied; intensities are those of a normalised image (about 0 to 1).

    Zero (or ``False``) turns a kind off.

    Raises
    ------
    SettingsError
        For a value outside its range.
    """

    # Mirror along each axis, and turn by 90 degrees in planes of equal pixel size. Exact and nearly
    # free, and most microscopy has no preferred direction.
    flip: bool = True
    turn: bool = True

    # Share of the patches that are resampled (rotation, scale, elastic in one pass). The others
    # keep the camera's own noise, which interpolation smooths away.
    resampled: float = 0.5
    rotation: float = 180.0  # degrees, largest angle either way
    scale: float = 0.25  # sizes between 1 / (1 + scale) and 1 + scale
    elastic: float = 2.0  # pixels, standard deviation of the displacement
    elastic_spacing: float = 32.0  # pixels between the nodes of the displacement field

    # Share of the patches that each of the intensity changes is applied to.
    recoloured: float = 0.5
    brightness: float = 0.1  # standard deviation of the offset
    contrast: float = 0.25  # factors between 1 / (1 + contrast) and 1 + contrast
    gamma: float = 0.3  # exponents between 1 / (1 + gamma) and 1 + gamma
    noise: float = 0.05  # largest standard deviation of the Gaussian noise
    blur: float = 1.0  # pixels, largest standard deviation of the Gaussian blur

    def __post_init__(self) -> None:
        for name, value in self.to_dict().items():
            if name in ("flip", "turn"):
                _check(isinstance(value, bool), f"augment.{name} is true or false, not {value!r}.")
            else:
                _check(_is_number(value), f"augment.{name} must be a number, not {value!r}.")
        for name in ("resampled", "recoloured"):
            _check(0 <= getattr(self, name) <= 1, f"augment.{name} is a share between 0 and 1")
        for name in ("scale", "elastic", "brightness", "contrast", "gamma", "noise", "blur"):
            value = getattr(self, name)
            _check(math.isfinite(value) and value >= 0, f"augment.{name} must be 0 or more")
        _check(0 <= self.rotation <= 180, "augment.rotation is an angle between 0 and 180 degrees")
        _check(self.elastic_spacing >= 2, "augment.elastic_spacing must be at least 2 pixels")

    @classmethod
    def none(cls) -> Self:
        """Patches exactly as they are in the image."""
        return cls(flip=False, turn=False, resampled=0.0, recoloured=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-able values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Self:
        """Make the settings from `to_dict`; unknown names raise `SettingsError`."""
        _check_names(cls, settings, "augment.")
        return cls(**settings)


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run; ``None`` means chosen from the data and the device.

    At most one of `seconds`, `epochs` and `steps` is given; with none, `seconds` becomes 120.

    Raises
    ------
    SettingsError
        For a value outside its range, or two that contradict each other.
    """

    task: TaskName = "cells"
    ndim: int = 2  # spatial axes of the network: 2 also trains on the painted slices of a stack

    # The budget. Only epochs and steps are repeatable bit by bit, and only on a CPU.
    seconds: float | None = None
    epochs: int | None = None  # an epoch draws about as many pixels as are annotated
    steps: int | None = None

    network: str = "unet"
    network_options: Mapping[str, Any] = field(default_factory=dict)  # override what is chosen
    # ImageNet weights to start from, for "resnet_unet": True downloads them, a path reads a file.
    pretrained: bool | str = False
    task_options: Mapping[str, Any] = field(default_factory=dict)  # such as the loss of "semantic"
    patch: tuple[int, ...] | None = None  # pixels per spatial axis, in array order
    batch: int | None = None  # patches per step

    optimiser: OptimiserName = "adamw"
    # None: 3e-3 from scratch (few steps must go far), a quarter when a trained model is refined,
    # and 1e-2 for sgd.
    learning_rate: float | None = None
    weight_decay: float = 1e-2  # on the weights of convolutions, never on norms and biases
    # Cosine ends at zero with the budget, whatever its length, and so wins in short runs.
    schedule: ScheduleName = "cosine"
    warmup: float = 0.05  # share of the budget in which the rate rises from zero
    clip: float | None = 1.0  # largest norm of the gradient; scribbles make single steps violent
    # Running average of the weights: w = ema * w + (1 - ema) * new. None: off, as a rate that
    # ends at zero averages by itself.
    ema: float | None = None
    mixed_precision: bool = True  # bf16 where the device has instructions for it
    # Validations without a better score until the end. None: the whole budget is used, because
    # the last third of a falling rate usually improves the most.
    patience: int | None = None

    unpainted: UnpaintedRule = "auto"  # what label 0 means, see docs/guide/training.md
    # Of cells: label number of painted pixels that are known background, not a cell; None: none.
    background_id: int | None = None
    validation: float = 0.2  # share of the annotated pixels held out; 0: none
    seed: int = 0
    device: DeviceName = "auto"
    memory: int | None = None  # bytes for data and network; None: half of what is free
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        self._check_budget()
        self._check_choices()
        self._check_numbers()
        if self.patch is not None:
            object.__setattr__(self, "patch", tuple(self.patch))
            _check(
                len(self.patch) == self.ndim and all(_is_int(n) and n >= 8 for n in self.patch),
                f"The patch needs {self.ndim} sizes of at least 8 pixels, not {self.patch}.",
            )

    def _check_budget(self) -> None:
        given = [n for n in ("seconds", "epochs", "steps") if getattr(self, n) is not None]
        _check(len(given) <= 1, f"Give only one of {' and '.join(given)}.")
        if not given:
            object.__setattr__(self, "seconds", TRAINING_SECONDS)
        if self.seconds is not None:
            _check(
                _is_number(self.seconds) and math.isfinite(self.seconds) and self.seconds > 0,
                f"The training time must be more than 0 seconds, not {self.seconds}.",
            )
        for name in ("epochs", "steps"):
            value = getattr(self, name)
            _check(
                value is None or (_is_int(value) and value >= 1),
                f"The number of {name} must be a whole number of at least 1, not {value}.",
            )

    def _check_choices(self) -> None:
        for name, choices in (
            ("task", get_args(TaskName)),
            ("ndim", (2, 3)),
            ("optimiser", get_args(OptimiserName)),
            ("schedule", get_args(ScheduleName)),
            ("unpainted", get_args(UnpaintedRule)),
            ("device", get_args(DeviceName)),
        ):
            value = getattr(self, name)
            listed = ", ".join(map(str, choices))
            _check(value in choices, f"{name} must be one of {listed}, not {value!r}.")
        _check(
            self.background_id is None or self.task == "cells",
            "background_id is for cells: of classes, the background is a class like any other.",
        )

    def _check_numbers(self) -> None:
        for name in ("learning_rate", "weight_decay", "warmup", "validation", "clip", "ema"):
            value = getattr(self, name)
            _check(value is None or _is_number(value), f"{name} must be a number, not {value!r}.")
        rate = self.learning_rate
        _check(
            rate is None or (math.isfinite(rate) and 0 < rate < 10),
            f"The learning rate must be between 0 and 10, not {rate}.",
        )
        _check(0 <= self.weight_decay < 1, "weight_decay must be 0 or more and below 1.")
        _check(0 <= self.warmup < 1, "warmup is a share of the budget: 0 or more and below 1.")
        _check(0 <= self.validation <= 0.5, "validation is a share between 0 and 0.5.")
        _check(self.clip is None or self.clip > 0, "clip must be more than 0, or none.")
        _check(self.ema is None or 0 < self.ema < 1, "ema must be between 0 and 1, or none.")
        _check(_is_int(self.seed) and self.seed >= 0, "seed must be a whole number of at least 0.")
        kind = type(self.pretrained)
        _check(kind in (bool, str), "pretrained is true, false or the path of a file.")
        for name in ("batch", "patience", "memory", "background_id"):
            value = getattr(self, name)
            _check(
                value is None or (_is_int(value) and value >= 1),
                f"{name} must be a whole number of at least 1, not {value}.",
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-able values."""
        settings = dataclasses.asdict(self)
        settings["patch"] = None if self.patch is None else list(self.patch)
        return settings

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Self:
        """Make the settings from `to_dict`; unknown names raise `SettingsError`."""
        _check_names(cls, settings, "")
        values = dict(settings)
        if isinstance(values.get("augment"), Mapping):
            values["augment"] = AugmentConfig.from_dict(values["augment"])
        if values.get("patch") is not None:
            values["patch"] = tuple(values["patch"])
        return cls(**values)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise SettingsError(message)


def _check_names(cls: type[Any], settings: Mapping[str, Any], prefix: str) -> None:
    unknown = sorted(set(settings) - {f.name for f in dataclasses.fields(cls)})
    if unknown:
        names = ", ".join(prefix + name for name in unknown)
        raise SettingsError(f"There is no training setting named {names}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
