"""What a training run can be told, each setting with its option: ``TrainConfig``, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from unet_napari.checks import Range
from unet_napari.defaults import DEVICE, TRAINING_SECONDS, Device
from unet_napari.networks.catalogue import CATALOGUE, network_texts
from unet_napari.options import Door, Option, OptionError
from unet_napari.tasks.kinds.catalogue import TASK_KINDS, task_kind, task_texts
from unet_napari.tasks.loss_catalogue import losses_of
from unet_napari.training.data.augment_config import AugmentConfig
from unet_napari.training.optimisation_config import OptimisationConfig

__all__ = ["TrainConfig"]

UnpaintedName: TypeAlias = Literal["auto", "ignore", "background"]

_AT_LEAST_ONE = Range(1)
_ABOVE_ZERO = Range(0, low_included=False)
_COMMAND_LINE = (Door.COMMAND_LINE,)
_CELL_LOSSES, _CLASS_LOSSES = (", ".join(losses_of(maps)) for maps in ("independent", "exclusive"))
_LIVE_EMA = 0.99


@dataclass(frozen=True)
class TrainConfig(OptimisationConfig):
    """Everything that decides a training run; ``None`` means chosen from the data and the device.

    At most one of `seconds`, `epochs`, `steps` and `live` is given; with none, `seconds` becomes
    120. Only
    epochs and steps are repeatable bit by bit, and only on a CPU. The options of the fields say
    what each is, and ``docs/guide/command-line.md`` lists them.

    Raises
    ------
    SettingsError
        If a value is outside its range, or two of them contradict each other.
    """

    task: Annotated[
        str,
        Option(
            help="What is painted and found: separate cells, or classes of pixels.",
            group="Data",
            label="find",
            tooltip="\n".join(kind.help for kind in TASK_KINDS.values()),
            choices=TASK_KINDS.names,
            texts=task_texts,
        ),
    ] = "cells"
    unpainted: Annotated[
        UnpaintedName,
        Option(
            help="What a 0 in the labels means. Automatic: the surroundings of painted cells are "
            "background, and all the rest is ignored (docs/guide/training.md).",
            group="Data",
            tooltip="What pixels without paint mean.\n"
            "Automatic: for cells, the surroundings of painted cells are background and all the\n"
            "rest is ignored; for classes, all of them are ignored.\n"
            "Ignored: they say nothing. Background: there is nothing in them, all is painted.",
            texts=(("auto", "automatic"), ("ignore", "ignored"), ("background", "background")),
        ),
    ] = "auto"
    background_id: Annotated[
        int | None,
        Option(
            help="Label number of painted pixels that are known background, and no cell.",
            group="Data",
            doors=_COMMAND_LINE,
            range=_AT_LEAST_ONE,
        ),
    ] = None
    ndim: Annotated[
        int,
        Option(
            help="Spatial axes of the network; 2 also trains on the painted slices of a stack.",
            group="Data",
            label="dimensions",
            tooltip="A 2D network looks at one slice at a time: fast, and enough where single "
            "slices are\n"
            "enough for your eye. A 3D network looks at the volume: paint neighbouring slices.\n"
            "Automatic: 3D if several neighbouring slices are painted.",
            choices=(2, 3),
            texts=((2, "2D, slice by slice"), (3, "3D")),
        ),
    ] = 2
    validation: Annotated[
        float,
        Option(
            help="Share of the painted pixels that is held out to judge by; 0 holds out none.",
            group="Data",
            tooltip="Percentage of the painted pixels that is held out, to tell how well the\n"
            "network does on what it was not shown. With 0 the last network is kept.",
            unit="share",
            range=Range(0, 0.5),
        ),
    ] = 0.2
    network: Annotated[
        str,
        Option(
            help="Network that is trained; `unet-napari info` says what each is.",
            group="Network",
            tooltip="\n".join(f"{one.title}: {one.description}" for one in CATALOGUE.values()),
            choices=CATALOGUE.names,
            texts=network_texts,
        ),
    ] = "unet"
    network_options: Annotated[
        Mapping[str, Any],
        Option(
            help="Options of the network in place of those that are chosen, such as "
            "features=small, norm=group or residual=true. See docs/guide/models/networks.md.",
            group="Network",
            doors=_COMMAND_LINE,
            flags=("--network-option",),
        ),
    ] = field(default_factory=dict)
    pretrained: Annotated[
        bool | str,
        Option(
            help="Start resnet_unet from ImageNet weights, which are downloaded, or from a file.",
            group="Network",
            doors=_COMMAND_LINE,
            metavar="FILE.pth",
        ),
    ] = False
    task_options: Annotated[
        Mapping[str, Any],
        Option(
            help="Options of the task, such as reach=8 or min_size=50 of cells.",
            group="Network",
            doors=_COMMAND_LINE,
            flags=("--task-option",),
        ),
    ] = field(default_factory=dict)
    loss: Annotated[
        str | None,
        Option(
            help=f"Loss, or a sum of losses, such as bce+dice; for cells {_CELL_LOSSES} (bce+dice "
            f"unless given), for classes {_CLASS_LOSSES} (ce+dice unless given).",
            group="Loss",
            doors=_COMMAND_LINE,
            metavar="NAME",
        ),
    ] = None
    loss_options: Annotated[
        Mapping[str, Any],
        Option(
            help="Parameters of the loss, such as alpha=0.3, gamma=2, border_weight=10, "
            "class_weights=[1,5] or class_weights=frequency.",
            group="Loss",
            doors=_COMMAND_LINE,
            flags=("--loss-option",),
        ),
    ] = field(default_factory=dict)
    seconds: Annotated[
        float | None,
        Option(
            help="Time of the training; 2min unless a budget is given.",
            group="Budget",
            label="minutes",
            tooltip="Minutes of training, instead of the effort above.",
            unit="seconds",
            range=_ABOVE_ZERO,
            flags=("--time",),
            excludes=("epochs", "steps", "live"),
        ),
    ] = None
    epochs: Annotated[
        int | None,
        Option(
            help="Epochs of the training; one draws about as many pixels as are annotated.",
            group="Budget",
            doors=_COMMAND_LINE,
            range=_AT_LEAST_ONE,
            excludes=("steps", "live"),
        ),
    ] = None
    steps: Annotated[
        int | None,
        Option(
            help="Updates of the weights.",
            group="Budget",
            tooltip="Number of training steps, instead of a time. Only such a training can be\n"
            "repeated with the same result, bit for bit (see Repeat).",
            range=_AT_LEAST_ONE,
            excludes=("live",),
        ),
    ] = None
    live: Annotated[
        bool,
        Option(
            help="Train without an end, until it is stopped; the model is good at any time. See "
            "docs/guide/training.md.",
            group="Budget",
            doors=_COMMAND_LINE,
        ),
    ] = False
    augment: Annotated[
        AugmentConfig,
        Option(
            help="How strongly the patches are varied while training, such as rotation=30, "
            "elastic=0 or flip=false.",
            group="Augmentation",
            label="augmentation",
            tooltip="How strongly the image is varied (turned, scaled, bent, brightened) while "
            "training,\n"
            "so that the network also works on images a little different from this one.\n"
            "Flips: it is flipped and turned by quarters, nothing else.",
        ),
    ] = field(default_factory=AugmentConfig)
    device: Annotated[Device, DEVICE] = "auto"
    devices: Annotated[
        int,
        Option(
            help="GPUs that share the batch of each step, for the same training in less time; with "
            "the device cpu, processes. See docs/guide/training.md.",
            group="Computing",
            doors=_COMMAND_LINE,
            range=Range(1, 64),
        ),
    ] = 1
    memory: Annotated[
        int | None,
        Option(
            help="Memory for data and network. By default half of what is free.",
            group="Computing",
            doors=_COMMAND_LINE,
            unit="bytes",
            range=_AT_LEAST_ONE,
        ),
    ] = None
    seed: Annotated[
        int,
        Option(
            help="Number from which all chance in a training comes; the same seed and the same "
            "steps give the same weights.",
            group="Computing",
            label="random seed",
            tooltip="A whole number from which all chance in a training comes; 0 unless given.\n"
            "The same number, labels and settings give the same model.",
            range=Range(0),
        ),
    ] = 0

    def __post_init__(self) -> None:
        """Check the fields, and complete the budget."""
        super().__post_init__()
        if (self.seconds, self.epochs, self.steps, self.live) == (None, None, None, False):
            object.__setattr__(self, "seconds", TRAINING_SECONDS)
        if self.live:
            self._live_for_good()
        if self.background_id is not None and not task_kind(self.task).separates_objects:
            raise OptionError(
                ("background_id",),
                "is for cells: of classes, the background is a class like any other.",
            )
        if self.batch is not None and self.batch < self.devices:
            raise OptionError(
                ("batch",),
                f"must be {self.devices} or more, a patch for each of the devices, not "
                f"{self.batch}.",
            )
        if "criterion" in self.task_options:
            raise OptionError(
                ("task_options",), "cannot hold the loss: give it as loss and loss_options."
            )
        if self.patch is not None and len(self.patch) != self.ndim:
            raise OptionError(
                ("patch",), f"must have {self.ndim} sizes, one for each axis, not {self.patch}."
            )

    def _live_for_good(self) -> None:
        """Let the rate be constant and the weights be averaged, unless other things are asked for.

        Only so is the model good at any time.
        """
        if self.schedule == type(self).schedule:
            object.__setattr__(self, "schedule", "constant")
        elif self.schedule not in ("constant", "plateau"):
            raise OptionError(
                ("schedule",),
                f"{self.schedule} ends with the budget, but live has no end: choose constant or "
                "plateau.",
            )
        if self.ema is None:
            object.__setattr__(self, "ema", _LIVE_EMA)
