"""Every choice that fixes the layers of a U-Net, checked and complete.

Options may come out of a model file that somebody sent, so nothing is taken on trust here and
nothing is allocated. No torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from unet_napari.checks import (
    Range,
    check_choice,
    check_flag,
    check_integer,
    check_number,
    shorten,
)
from unet_napari.errors import SettingsError
from unet_napari.networks.catalogue import PRESETS
from unet_napari.records import Record

__all__ = [
    "ACTIVATIONS",
    "NORMS",
    "PADDINGS",
    "UPSAMPLINGS",
    "UNetSpec",
    "feature_counts",
    "kernel_table",
    "stride_table",
]

NORMS = ("batch", "instance", "group", "none")
PADDINGS = ("same", "valid")
UPSAMPLINGS = ("transposed", "interpolate")
ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu")

LEVELS = Range(2, 9)
MAX_CHANNELS = 1024
MAX_FEATURES = 4096
MAX_STRIDE = 8
MAX_TOTAL_STRIDE = 256  # an image is padded to a multiple of it
KERNELS = (1, 3, 5, 7)

PerAxis = tuple[int, ...]


@dataclass(frozen=True)
class UNetSpec(Record):
    """Every choice that fixes the layers of a U-Net.

    The attributes are the options of `unet_napari.networks.UNet`, in their complete form: one
    number of features per level, one stride per axis between two levels, one kernel size per
    axis and level.

    Raises
    ------
    SettingsError
        If an option is out of range or contradicts another.
    """

    record_name: ClassVar[str] = "The U-Net"

    in_channels: int
    out_channels: int
    features: tuple[int, ...]
    ndim: int
    strides: tuple[PerAxis, ...]
    kernels: tuple[PerAxis, ...]
    padding: str
    norm: str
    activation: str
    upsampling: str
    residual: bool
    deep_supervision: bool
    dropout: float
    checkpointing: bool

    def __post_init__(self) -> None:
        check_integer("in_channels", self.in_channels, Range(1, MAX_CHANNELS))
        check_integer("out_channels", self.out_channels, Range(1, MAX_CHANNELS))
        check_choice("padding", self.padding, PADDINGS)
        check_choice("norm", self.norm, NORMS)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("upsampling", self.upsampling, UPSAMPLINGS)
        for name in ("residual", "deep_supervision", "checkpointing"):
            check_flag(name, getattr(self, name))
        check_number("dropout", self.dropout, Range(0, 1, high_included=False))
        for axis, total in enumerate(self.total_stride):
            if total > MAX_TOTAL_STRIDE:
                raise SettingsError(
                    f"strides: axis {axis} is made {total} times smaller in all; "
                    f"at most {MAX_TOTAL_STRIDE} is possible."
                )

    @property
    def levels(self) -> int:
        """Number of resolutions, the full one and the bottom included."""
        return len(self.features)

    @property
    def total_stride(self) -> PerAxis:
        """Down-sampling from the image to the bottom, per axis."""
        return self.stride_to(self.levels - 1)

    def stride_to(self, level: int) -> PerAxis:
        """Down-sampling from the image to `level`, per axis."""
        return tuple(math.prod(s[axis] for s in self.strides[:level]) for axis in range(self.ndim))


def feature_counts(features: object) -> tuple[int, ...]:
    """Return the features per level, finest first.

    Parameters
    ----------
    features : int, str or sequence of int
        A base count, doubled at each of four further levels as in the paper; the name of a
        preset; or the count of every level.
    """
    if isinstance(features, str):
        return PRESETS[check_choice("features", features, tuple(PRESETS))]
    if not isinstance(features, list | tuple):
        base = check_integer("features", features, Range(1, MAX_FEATURES // 16))
        return tuple(base * 2**level for level in range(5))
    check_integer("the number of levels (entries of features)", len(features), LEVELS)
    return tuple(
        check_integer("each entry of features", n, Range(1, MAX_FEATURES)) for n in features
    )


def stride_table(strides: object, *, ndim: int, levels: int) -> tuple[PerAxis, ...]:
    """Return one stride per axis for each of the ``levels - 1`` steps down."""
    if not isinstance(strides, list | tuple):
        strides = [strides] * (levels - 1)
    if len(strides) != levels - 1:
        raise SettingsError(
            f"strides has {len(strides)} entries, but {levels} levels (entries of features) "
            f"have {levels - 1} steps between them."
        )
    return tuple(_per_axis("strides", s, ndim, tuple(range(1, MAX_STRIDE + 1))) for s in strides)


def kernel_table(kernels: object, *, ndim: int, levels: int) -> tuple[PerAxis, ...]:
    """Return one kernel size per axis for each level."""
    if not isinstance(kernels, list | tuple):
        kernels = [kernels] * levels
    if len(kernels) != levels:
        raise SettingsError(
            f"kernels has {len(kernels)} entries, but features has {levels}: "
            "give one kernel size per level."
        )
    return tuple(_per_axis("kernels", k, ndim, KERNELS) for k in kernels)


def _per_axis(name: str, value: object, ndim: int, choices: tuple[int, ...]) -> PerAxis:
    values = value if isinstance(value, list | tuple) else [value] * ndim
    if len(values) != ndim:
        raise SettingsError(f"{name}: {shorten(value)} must have one number per axis ({ndim}).")
    return tuple(check_choice(f"each of {name}", number, choices) for number in values)
