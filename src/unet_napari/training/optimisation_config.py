"""What one training step is, and how the steps follow each other. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from unet_napari.checks import Range
from unet_napari.options import Config, Door, Option
from unet_napari.training.schedule import OPTIMISERS, SCHEDULES

__all__ = ["OptimisationConfig"]

_AT_LEAST_ONE = Range(1)
_ABOVE_ZERO = Range(0, low_included=False)
_BELOW_ONE = Range(0, 1, high_included=False)
_COMMAND_LINE = (Door.COMMAND_LINE,)


@dataclass(frozen=True)
class OptimisationConfig(Config):
    """The part of a `TrainConfig` that says how the weights are optimised.

    Raises
    ------
    SettingsError
        If a value is outside its range.
    """

    patch: Annotated[
        tuple[int, ...] | None,
        Option(
            help="Size of the image parts that are trained on, along each axis of the network.",
            group="Optimisation",
            tooltip="Size in pixels of the image parts that are trained on: 256, or one number "
            "for each\n"
            "axis such as 32, 96, 96. Larger ones see more context and need more memory.",
            unit="pixels",
            range=Range(8),
        ),
    ] = None
    batch: Annotated[
        int | None,
        Option(
            help="Patches in one training step.",
            group="Optimisation",
            tooltip="Number of patches in one training step.",
            unit="patches",
            range=_AT_LEAST_ONE,
        ),
    ] = None
    optimiser: Annotated[
        str,
        Option(
            help="Optimiser of the weights.",
            group="Optimisation",
            doors=_COMMAND_LINE,
            flags=("--optimiser", "--optimizer"),
            choices=OPTIMISERS.names,
        ),
    ] = "adamw"
    learning_rate: Annotated[
        float | None,
        Option(
            help="Largest learning rate of the schedule. By default 3e-3 from scratch, as few "
            "steps must go far, and 1e-2 for sgd; a quarter of that when a trained model is "
            "refined that knows the sizes of what is painted.",
            group="Optimisation",
            tooltip="How far one step changes the network, such as 0.001.\n"
            "Lower it if the loss jumps up and down.",
            range=Range(0, 10, low_included=False, high_included=False),
            metavar="RATE",
        ),
    ] = None
    weight_decay: Annotated[
        float,
        Option(
            help="Weight decay, of convolutions and never of norms and biases.",
            group="Optimisation",
            doors=_COMMAND_LINE,
            range=_BELOW_ONE,
            metavar="DECAY",
        ),
    ] = 1e-2
    # Cosine ends at zero with the budget, whatever its length, and so wins in short runs.
    schedule: Annotated[
        str,
        Option(
            help="How the learning rate goes over the budget. See docs/guide/training.md.",
            group="Optimisation",
            doors=_COMMAND_LINE,
            choices=SCHEDULES.names,
        ),
    ] = "cosine"
    warmup: Annotated[
        float,
        Option(
            help="Share of the budget in which the learning rate rises from zero.",
            group="Optimisation",
            doors=_COMMAND_LINE,
            unit="share",
            range=_BELOW_ONE,
        ),
    ] = 0.05
    clip: Annotated[
        float | None,
        Option(
            help="Largest norm of the gradient. Scribbles make single steps violent; None, in "
            "Python, clips nothing.",
            group="Optimisation",
            doors=_COMMAND_LINE,
            range=_ABOVE_ZERO,
            metavar="NORM",
        ),
    ] = 1.0
    ema: Annotated[
        float | None,
        Option(
            help="Average the weights over steps with this decay. It is off by default, because a "
            "learning rate that ends at zero averages by itself.",
            group="Optimisation",
            doors=_COMMAND_LINE,
            range=Range(0, 1, low_included=False, high_included=False),
            metavar="0.99",
        ),
    ] = None
    mixed_precision: Annotated[
        bool,
        Option(
            help="Compute in bf16 where the device has instructions for it; --full-precision "
            "computes in float32 everywhere.",
            group="Optimisation",
            doors=_COMMAND_LINE,
            flags=("--full-precision",),
        ),
    ] = True
    patience: Annotated[
        int | None,
        Option(
            help="Validations without a better score until the training ends. By default the "
            "whole budget is used, because the last third of a falling rate usually improves the "
            "most.",
            group="Optimisation",
            doors=_COMMAND_LINE,
            range=_AT_LEAST_ONE,
        ),
    ] = None
