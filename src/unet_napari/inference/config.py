"""The settings of an inference. Free of torch, for the napari side."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

from unet_napari.errors import SettingsError

__all__ = ["BACKENDS", "DEFAULT_MODEL", "DEVICES", "HALOS", "PRECISIONS", "InferenceConfig"]

DEFAULT_MODEL = "nuclei"  # comes with the package, see docs/guide/nuclei.md

BackendName = Literal["auto", "torch", "openvino"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Halo = Literal["exact", "measured"]
Precision = Literal["auto", "fp32", "fp16", "bf16", "int8"]

BACKENDS: tuple[str, ...] = get_args(BackendName)
DEVICES: tuple[str, ...] = get_args(Device)
HALOS: tuple[str, ...] = get_args(Halo)
PRECISIONS: tuple[str, ...] = get_args(Precision)
_INT8 = ("auto", "cpu")  # the devices that compute int8


@dataclass(frozen=True)
class InferenceConfig:
    """How a model is run over an image; the defaults are right for nearly everybody.

    Attributes
    ----------
    tile : tuple of int, optional
        Largest part of the image shown to the network at once, in pixels per spatial axis of the
        model. By default as large as `memory` and a responsive Stop allow.
    halo : {"exact", "measured"} or int
        Pixels around each tile that the network sees besides. ``"exact"`` follows from the
        architecture and makes the result that of the whole image at once (to 1e-5);
        ``"measured"`` is the smaller distance that was found to matter when the model was
        trained; a number is taken as it is.
    memory : int, optional
        Bytes that the prediction may use beyond the model. By default half of what is free.
    device : {"auto", "cpu", "cuda", "mps"}
        ``"auto"`` takes the first there is of cuda, mps, cpu. A device that is not there, or
        computes something else than the CPU, is replaced by the CPU with a warning.
    backend : {"auto", "torch", "openvino"}
        ``"auto"`` takes OpenVINO on the CPU where it is installed and the image is large enough
        to repay its start, else torch.
    precision : {"auto", "fp32", "fp16", "bf16", "int8"}
        Of the network's arithmetic. ``"auto"`` is fp16 on CUDA, fp32 elsewhere, where the short
        formats are slower or wrong. ``"int8"``, on the CPU by OpenVINO, is several times
        faster and changes a few pixels; how many is measured and said, see
        ``docs/guide/compression.md``.
    slicewise : bool
        Let a 2D model segment a stack slice by slice.
    rescale : bool
        Bring the image to the pixel size the model was trained at, and the labels back.
    diameter : float or "auto", optional
        Typical diameter of the objects in the image, in its smallest pixels: the image is
        brought to the scale at which they are as large as those the model was trained on, and
        the labels back. ``"auto"`` estimates it, see `estimate_diameter`. It takes the place
        of `rescale`.
    tta : bool
        Test-time augmentation: average the maps over flips and quarter turns of the image, 8 in 2D
        and 16 in 3D, without exchanging axes of different resolution. Often a little more
        accurate, and as many times slower.
    batch : int, optional
        Tiles that the network takes at a time. By default as many as fit the memory of a GPU, and
        one on a CPU, where several are hardly faster in 2D and Stop would act later.
    """

    tile: tuple[int, ...] | None = None
    halo: Halo | int = "exact"
    memory: int | None = None
    device: Device = "auto"
    backend: BackendName = "auto"
    precision: Precision = "auto"
    slicewise: bool = False
    rescale: bool = False
    diameter: float | Literal["auto"] | None = None
    tta: bool = False
    batch: int | None = None

    def __post_init__(self) -> None:
        for name, choices in (
            ("device", DEVICES),
            ("backend", BACKENDS),
            ("precision", PRECISIONS),
        ):
            value = getattr(self, name)
            if value not in choices:
                raise SettingsError(
                    f"{name} is {value!r}, but must be one of {', '.join(choices)}."
                )
        if self.precision == "int8" and (self.backend == "torch" or self.device not in _INT8):
            raise SettingsError(
                "int8 is computed by OpenVINO on the CPU: leave backend and device on auto, or "
                "choose another precision."
            )
        if self.tile is not None and (not self.tile or any(not _above_zero(n) for n in self.tile)):
            raise SettingsError(
                f"tile is {self.tile!r}, but must be one number of pixels above 0 per axis."
            )
        if self.halo not in HALOS and self.halo != 0 and not _above_zero(self.halo):
            raise SettingsError(
                f"halo is {self.halo!r}, but must be {', '.join(HALOS)} or a number of pixels."
            )
        for name, unit in (("memory", "bytes"), ("batch", "tiles")):
            value = getattr(self, name)
            if value is not None and not _above_zero(value):
                raise SettingsError(f"{name} is {value!r}, but must be a number of {unit} above 0.")
        if self.diameter is not None:
            self._check_diameter()

    def _check_diameter(self) -> None:
        if self.diameter != "auto" and not _is_size(self.diameter):
            raise SettingsError(
                f"diameter is {self.diameter!r}, but must be auto or a number of pixels above 0."
            )
        if self.rescale:
            raise SettingsError(
                "rescale and diameter both say how the image is scaled: give only one of them."
            )

    def check_unscaled(self) -> None:
        """Raise `SettingsError` if the image shall be scaled: of maps, that is not possible."""
        if self.rescale or self.diameter is not None:
            raise SettingsError(
                "Probability maps are not rescaled, only labels: leave rescale and diameter out."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-able values."""
        values = asdict(self)
        if self.tile is not None:
            values["tile"] = list(self.tile)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make the settings again from `to_dict`; raises SettingsError for unknown names."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise SettingsError(f"There is no setting called {', '.join(unknown)}.")
        tile = values.get("tile")
        return cls(**{**values, "tile": None if tile is None else tuple(tile)})


def _is_size(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value > 0


def _above_zero(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
