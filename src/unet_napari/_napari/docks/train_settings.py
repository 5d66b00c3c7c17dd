"""The folded fields of the Train dock, and the settings they amount to."""

from dataclasses import replace
from typing import Any

from magicgui.widgets import ComboBox, FloatSpinBox, LineEdit

from napari.layers import Shapes
from unet_napari._napari.docks.shared_fields import axes_field, device_choice
from unet_napari._napari.widgets.fields import Message, button, choice, optional, sizes_of, value_of
from unet_napari._napari.widgets.form import FormRows
from unet_napari._napari.widgets.layer_combo import layer_choice
from unet_napari.defaults import TRAINING_SECONDS
from unet_napari.networks.catalogue import CATALOGUE
from unet_napari.training.config import AugmentConfig

__all__ = ["EFFORTS", "TrainSettings"]

# Seconds of training; what they are called is what the user chooses.
EFFORTS = {"quick": TRAINING_SECONDS, "standard": 300.0, "long": 1200.0}

_AUGMENTATIONS = {
    "normal": AugmentConfig(),
    "gentle": replace(AugmentConfig(), scale=0.1, elastic=0.0, contrast=0.1, gamma=0.1, blur=0.0),
    "flips": replace(AugmentConfig.none(), flip=True, turn=True),
    "none": AugmentConfig.none(),
}


class TrainSettings:
    """Everything about a training that has a sensible default.

    Parameters
    ----------
    data, network : Rows
        The folded groups that the fields are added to.
    """

    def __init__(self, data: FormRows, network: FormRows) -> None:
        self._add_data_fields(data)
        self._add_network(network)
        self._add_amounts(network)
        self._add_augmentation(network)
        self._add_device(network)

    def _add_data_fields(self, rows: FormRows) -> None:
        self.unpainted = choice(
            "unpainted",
            [
                ("automatic", "auto"),
                ("ignored", "ignore"),
                ("background", "background"),
            ],
            "What pixels without paint mean.\n"
            "Automatic: for cells, the surroundings of painted cells are background and all the\n"
            "rest is ignored; for classes, all of them are ignored.\n"
            "Ignored: they say nothing. Background: there is nothing in them, all is painted.",
        )
        self.annotated = layer_choice(
            "annotated",
            Shapes,
            "none",
            "A shapes layer that outlines where you have painted every cell.\n"
            "What is not painted inside the shapes is background.",
            label="complete in",
        )
        self.axes = axes_field()
        self.dimensions = choice(
            "dimensions",
            [("automatic", None), ("2D, slice by slice", 2), ("3D", 3)],
            "A 2D network looks at one slice at a time: fast, and enough where single slices are\n"
            "enough for your eye. A 3D network looks at the volume: paint neighbouring slices.\n"
            "Automatic: 3D if several neighbouring slices are painted.",
        )
        self.validation = FloatSpinBox(
            name="validation",
            value=20,
            min=0,
            max=50,
            step=5,
            tooltip="Percentage of the painted pixels that is held out, to tell how well the\n"
            "network does on what it was not shown. With 0 the last network is kept.",
        )
        self.validation.native.setDecimals(0)
        self.validation.native.setSuffix(" %")
        for field in (self.unpainted, self.annotated, self.axes, self.dimensions, self.validation):
            rows.add(field)

    def _add_network(self, rows: FormRows) -> None:
        self.network: ComboBox = choice(
            "network",
            [(entry.title, entry.name) for entry in CATALOGUE.values()],
            "\n".join(f"{entry.title}: {entry.description}" for entry in CATALOGUE.values()),
        )
        self.about_network = Message("about_network", "What this network is good for.")
        self.network.changed.connect(self._describe_network)
        rows.add(self.network)
        rows.add_wide(self.about_network)
        self._describe_network()

    def _describe_network(self) -> None:
        self.about_network.say(CATALOGUE[self.network.value].description)

    def _add_amounts(self, rows: FormRows) -> None:
        self.minutes = optional("minutes", "Minutes of training, instead of the effort above.")
        self.patch = optional(
            "patch",
            "Size in pixels of the image parts that are trained on: 256, or one number for each\n"
            "axis such as 32, 96, 96. Larger ones see more context and need more memory.",
        )
        self.batch = optional("batch", "Number of patches in one training step.")
        self.learning_rate = optional(
            "learning_rate",
            "How far one step changes the network, such as 0.001.\n"
            "Lower it if the loss jumps up and down.",
        )
        for field in (self.minutes, self.patch, self.batch, self.learning_rate):
            rows.add(field)

    def _add_augmentation(self, rows: FormRows) -> None:
        self.augmentation = choice(
            "augmentation",
            [
                ("normal", "normal"),
                ("gentle", "gentle"),
                ("flips", "flips"),
                ("none", "none"),
            ],
            "How strongly the image is varied (turned, scaled, bent, brightened) while training,\n"
            "so that the network also works on images a little different from this one.\n"
            "Flips: it is flipped and turned by quarters, nothing else.",
        )
        self.show_augmentation = button(
            "show_augmentation",
            "Show…",
            "Show some parts of the image the way the network sees them in training, with the\n"
            "labels in colour. What says nothing to the network is darkened.",
        )
        rows.add(self.augmentation, self.show_augmentation)

    def _add_device(self, rows: FormRows) -> None:
        self.device = device_choice()
        self.seed: LineEdit = optional(
            "seed",
            "A whole number from which all chance in a training comes; 0 unless given.\n"
            "The same number, labels and settings give the same model.",
            label="random seed",
        )
        rows.add(self.device)
        rows.add(self.seed)

    def seconds(self, effort: str) -> float:
        """Return how long a training takes.

        Raises
        ------
        SettingsError
            If Minutes is no number.
        """
        minutes = value_of(self.minutes, float)
        return EFFORTS[effort] if minutes is None else 60 * minutes

    def values(self, *, task: str, effort: str) -> dict[str, Any]:
        """Return the fields of a `TrainConfig`, all but the number of axes.

        Raises
        ------
        SettingsError
            If a field does not hold what it should.
        """
        return {
            "task": task,
            "seconds": self.seconds(effort),
            "network": self.network.value,
            "patch": sizes_of(self.patch),
            "batch": value_of(self.batch, int),
            "learning_rate": value_of(self.learning_rate, float),
            "unpainted": self.unpainted.value,
            "validation": self.validation.value / 100,
            "seed": value_of(self.seed, int) or 0,
            "device": self.device.value,
            "augment": _AUGMENTATIONS[self.augmentation.value],
        }
