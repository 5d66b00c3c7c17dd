"""The settings of an inference, each with its option. Free of torch, for the napari side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from unet_napari.checks import Range
from unet_napari.defaults import DEVICE, Device
from unet_napari.errors import SettingsError
from unet_napari.inference.backends.table import BACKEND_ENTRIES, backend_choices, backend_texts
from unet_napari.options import Config, Option, OptionError

__all__ = ["DEFAULT_MODEL", "CellThresholds", "InferenceConfig"]

DEFAULT_MODEL = "nuclei"  # comes with the package, see docs/guide/models/nuclei.md

BackendName: TypeAlias = str  # one of `backend_choices`, which has those from outside, too
HaloName: TypeAlias = Literal["exact", "measured"]
LinkName: TypeAlias = Literal["off", "T"]
Precision: TypeAlias = Literal["auto", "fp32", "fp16", "bf16", "int8"]

_INT8_DEVICES = ("auto", "cpu")
_AT_LEAST_ONE = Range(1)
_ABOVE_ZERO = Range(0, low_included=False)
_PROBABILITY = Range(0, 1)


@dataclass(frozen=True)
class InferenceConfig(Config):
    """How a model is run over an image; the defaults are right for nearly everybody.

    The options of the fields say what each is, and ``docs/guide/command-line.md`` lists them.

    Raises
    ------
    SettingsError
        If a value is outside its range, or two of them contradict each other.
    """

    rescale: Annotated[
        bool,
        Option(
            help="Bring the image to the pixel size that the model was trained at, and the labels "
            "back.",
            group="Data",
            label="Rescale to the model's pixel size",
            tooltip="Bring the image to the pixel size that the model was trained at, and the\n"
            "labels back. Needed where cells are much larger or smaller than in training.",
            excludes=("diameter",),
        ),
    ] = False
    diameter: Annotated[
        float | Literal["auto", "model"] | None,
        Option(
            help="Bring the image to the scale at which objects of this diameter are as large as "
            "those that the model was trained on, and the labels back. The diameter is the "
            "typical one of the objects, in the smallest pixels of the image; auto estimates it, "
            "and model takes the image as it is. By default the diameter is estimated where the "
            "objects have other sizes than the model knows, and the image else taken as it is.",
            group="Data",
            tooltip="Typical diameter of the cells in pixels, where they are much larger or "
            "smaller than\n"
            "those that the model was trained on: the image is brought to the size that the\n"
            "model knows. A circle of this size is drawn on the image. Empty: it is found out\n"
            "where that helps. The word model: the image is taken as it is.",
            unit="pixels",
            range=_ABOVE_ZERO,
        ),
    ] = None
    slicewise: Annotated[
        bool,
        Option(
            help="Keep the outlines of each slice apart, where a 2D model segments a stack. By "
            "default they become 3D cells. Models of classes work slice by slice anyway.",
            group="Data",
            label="Slice by slice",
            tooltip="For a 2D model on a stack: the outlines of each slice stay objects of their\n"
            "own. Otherwise they become 3D cells.",
        ),
    ] = False
    link: Annotated[
        LinkName,
        Option(
            help="Keep the numbers of cells over time: a cell gets the number of the cell that it "
            "overlaps best in the frame before. Off, each frame is counted from 1.",
            group="Data",
            label="Over time",
            tooltip="Of a time series: each frame counts its cells from 1, or a cell gets the\n"
            "number of the cell that it overlaps best in the frame before.",
            texts=(("off", "new numbers"), ("T", "same numbers")),
        ),
    ] = "off"
    tta: Annotated[
        bool,
        Option(
            help="Average over flips and turns of the image: a little better, 8 to 16 times "
            "slower. This is test-time augmentation: 8 orientations in 2D and 16 in 3D, without "
            "exchanging axes of different resolution.",
            group="Computing",
            label="Average over flips and turns",
            tooltip="Test-time augmentation: the image is also predicted flipped and turned, and\n"
            "the mean counts. A little better, 8 (in 3D 16) times slower.",
        ),
    ] = False
    tile: Annotated[
        tuple[int, ...] | None,
        Option(
            help="Largest part of the image that is shown to the network at once, along each "
            "spatial axis of the model. By default it is as large as the memory and a responsive "
            "Stop allow.",
            group="Computing",
            tooltip="Size in pixels of the parts that are computed at once: 512, or one number "
            "for\n"
            "each axis such as 32, 256, 256. The result does not depend on it.",
            unit="pixels",
            range=_AT_LEAST_ONE,
        ),
    ] = None
    halo: Annotated[
        HaloName | int,
        Option(
            help="Context around each tile that the network sees besides. The exact halo follows "
            "from the architecture and makes the result that of the whole image at once (to "
            "1e-5); the measured one is the smaller distance that was found to matter when the "
            "model was trained; a number is taken as it is.",
            group="Computing",
            tooltip="Pixels around each tile that the network also sees: exact, measured or a\n"
            "number. Exact gives the result of the whole image at once; measured is the\n"
            "distance that was found to matter in training, and may be faster.",
            unit="pixels",
            range=Range(0),
        ),
    ] = "exact"
    batch: Annotated[
        int | None,
        Option(
            help="Tiles that the network takes at a time. By default as many as fit the memory of "
            "a GPU, and one on a CPU, where several are hardly faster in 2D and Stop would act "
            "later.",
            group="Computing",
            tooltip="Number of tiles that the network takes at a time. Automatic: as many as fit\n"
            "the memory of a GPU, one on a CPU. The result does not depend on it.",
            unit="tiles",
            range=_AT_LEAST_ONE,
        ),
    ] = None
    memory: Annotated[
        int | None,
        Option(
            help="Memory that the computation may use beyond the model itself. By default half of "
            "what is free.",
            group="Computing",
            tooltip="Gigabytes that may be used; half of what is free unless given.",
            unit="bytes",
            range=_AT_LEAST_ONE,
        ),
    ] = None
    device: Annotated[Device, DEVICE] = "auto"
    backend: Annotated[
        BackendName,
        Option(
            help="Library that computes. Automatic takes OpenVINO on the CPU where it is installed "
            "and the image is large enough to repay its start, else PyTorch.",
            group="Computing",
            tooltip="The library that computes. OpenVINO is about twice as fast on Intel and AMD "
            "CPUs.",
            choices=backend_choices,
            texts=backend_texts,
        ),
    ] = "auto"
    precision: Annotated[
        Precision,
        Option(
            help="Precision of the network's arithmetic. Automatic is fp16 on CUDA, and fp32 "
            "elsewhere, which is exact; bf16, on a CPU with instructions for it, is up to four "
            "times faster, and int8, on the CPU by OpenVINO, is computed where that is measured to "
            "be faster; both change a few pixels, whose number is measured and said "
            "(docs/guide/models/compression.md).",
            group="Computing",
            tooltip="Of the arithmetic; automatic is exact on a CPU. bfloat16 is up to four times "
            "faster\n"
            "on new processors; 8 bit, with OpenVINO, is computed where it is measured to be "
            "faster.\n"
            "Both change a few pixels; how many is measured and told.",
            texts=(
                *(("auto", "automatic"), ("fp32", "32 bit"), ("fp16", "16 bit")),
                *(("bf16", "bfloat16"), ("int8", "8 bit")),
            ),
        ),
    ] = "auto"

    def __post_init__(self) -> None:
        """Check the fields, and that what shall compute int8 can do it."""
        super().__post_init__()
        if self.precision != "int8":
            return
        asked = BACKEND_ENTRIES.get(self.backend)  # none for auto
        for name, possible in (("backend", asked is None or "int8" in asked.precisions),
                               ("device", self.device in _INT8_DEVICES)):  # fmt: skip
            if not possible:
                raise OptionError(
                    ("precision", name),
                    "do not go together: int8 is computed by OpenVINO on the CPU. Leave backend "
                    "and device on auto, or choose another precision.",
                )

    @property
    def scales(self) -> bool:
        """Whether the user wants the image scaled."""
        return self.rescale or self.diameter not in (None, "model")

    def check_unscaled(self) -> None:
        """Raise `SettingsError` if the image shall be scaled, which is not possible for maps."""
        if self.scales:
            raise SettingsError(
                "Probability maps are not rescaled, only labels: leave rescale and diameter out."
            )


@dataclass(frozen=True)
class CellThresholds(Config):
    """How the maps of a model are cut into cells; None leaves a value to the model."""

    foreground_threshold: Annotated[
        float | None,
        Option(
            help="How sure the network must be that a pixel belongs to a cell; higher makes cells "
            "smaller.",
            group="Result",
            label="foreground",
            tooltip="How sure the network must be that a pixel belongs to a cell. Higher\n"
            "makes cells smaller and drops faint ones. The model brings its own value.",
            range=_PROBABILITY,
        ),
    ] = None
    seed_threshold: Annotated[
        float | None,
        Option(
            help="How sure the network must be that a pixel is deep inside a cell; higher splits "
            "touching cells more often.",
            group="Result",
            label="core",
            tooltip="How sure the network must be that a pixel is deep inside a cell, for a\n"
            "cell to grow from there. Higher splits touching cells more often.",
            range=_PROBABILITY,
        ),
    ] = None
    boundary_threshold: Annotated[
        float | None,
        Option(
            help="How sure the network must be of the boundary between two cells; higher joins "
            "cells with no clear boundary.",
            group="Result",
            label="boundary",
            tooltip="How sure the network must be of the boundary between two cells that\n"
            "touch; otherwise they are one. Higher joins more, 0 joins none.",
            range=_PROBABILITY,
        ),
    ] = None
    min_size: Annotated[
        int | None,
        Option(
            help="Size of the smallest cell; smaller ones are dropped.",
            group="Result",
            label="smallest",
            tooltip="Cells of fewer pixels, in 3D voxels, are dropped.",
            unit="pixels",
            range=Range(0, 2**31 - 1),
        ),
    ] = None
