"""The fields of the configs as keywords of the public functions, for editors and type checkers.

Type checkers cannot derive them from the configs; a test compares the two. It may import
`inference`, `training`, `labels` and `defaults`, and does so for type checkers only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from unet_napari.defaults import Device
    from unet_napari.inference.config import BackendName, HaloName, LinkName, Precision
    from unet_napari.training.config import UnpaintedName
    from unet_napari.training.data.augment_config import AugmentConfig

__all__ = ["InferenceKeywords", "TrainKeywords"]


class InferenceKeywords(TypedDict, total=False):
    """The fields of `unet_napari.inference.config.InferenceConfig`."""

    rescale: bool
    diameter: float | Literal["auto", "model"] | None
    slicewise: bool
    link: LinkName
    tta: bool
    tile: tuple[int, ...] | None
    halo: HaloName | int
    batch: int | None
    memory: int | None
    device: Device
    backend: BackendName
    precision: Precision


class TrainKeywords(TypedDict, total=False):
    """The fields of `unet_napari.training.config.TrainConfig`."""

    patch: tuple[int, ...] | None
    batch: int | None
    optimiser: str
    learning_rate: float | None
    weight_decay: float
    schedule: str
    warmup: float
    clip: float | None
    ema: float | None
    mixed_precision: bool
    patience: int | None
    task: str
    unpainted: UnpaintedName
    background_id: int | None
    ndim: int
    validation: float
    network: str
    network_options: Mapping[str, Any]
    pretrained: bool | str
    task_options: Mapping[str, Any]
    loss: str | None
    loss_options: Mapping[str, Any]
    seconds: float | None
    epochs: int | None
    steps: int | None
    live: bool
    augment: AugmentConfig
    device: Device
    devices: int
    memory: int | None
    seed: int
