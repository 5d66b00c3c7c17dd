"""The folded fields of the Train dock, and the settings they amount to."""

from dataclasses import replace
from typing import Any

from napari.layers import Shapes
from unet_napari._napari.sections.one_channel import ChannelField
from unet_napari._napari.widgets.fields import Message, button, choice, whereabouts
from unet_napari._napari.widgets.form import FormRows
from unet_napari._napari.widgets.layer_combo import layer_choice
from unet_napari._napari.widgets.option_fields import (
    OptionFields,
    choices_shown,
    line_field,
    read_line,
)
from unet_napari.defaults import TRAINING_SECONDS
from unet_napari.errors import SettingsError
from unet_napari.networks.catalogue import CATALOGUE
from unet_napari.options import ReadingConfig, options_of
from unet_napari.training.config import TrainConfig
from unet_napari.training.data.augment_config import AugmentConfig

__all__ = ["EFFORTS", "TrainSettings"]

# Seconds of training, None until it is stopped; what they are called is what the user chooses.
EFFORTS: dict[str, float | None] = {
    "live": None,
    "quick": TRAINING_SECONDS,
    "standard": 300.0,
    "long": 1200.0,
}

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
    data, network, computing : FormRows
        The folded groups that the fields are added to.
    """

    def __init__(self, data: FormRows, network: FormRows, computing: FormRows) -> None:
        options = options_of(TrainConfig)
        self.dimensions = choice(
            "dimensions",
            [("automatic", None), *choices_shown(options["ndim"])],
            options["ndim"].tooltip,
        )
        self.minutes = line_field(options["seconds"], "minutes")
        self.augmentation = choice(
            "augmentation", [(name, name) for name in _AUGMENTATIONS], options["augment"].tooltip
        )
        made = {"ndim": self.dimensions, "seconds": self.minutes, "augment": self.augmentation}
        self._options = OptionFields(TrainConfig, made, elsewhere=["task", "live"])
        self._reading = OptionFields(ReadingConfig)
        self.unpainted, self.steps = self._options["unpainted"], self._options["steps"]
        self.axes = self._reading["axes"]
        self.channel = ChannelField(self._reading["channel"])
        self.channel.field.tooltip = (
            "Train on this channel alone, counted from 0 like the slider of the channels.\n"
            "Of a colour picture, 0 is red, 1 green and 2 blue. Empty: all channels."
        )
        self._add_data_fields(data)
        self._add_network_fields(network)
        self._options.place_groups(computing, "Computing")

    def _add_data_fields(self, rows: FormRows) -> None:
        self._options.place(rows, "unpainted")
        self.annotated = layer_choice(
            "annotated",
            Shapes,
            "none",
            "A shapes layer that outlines where you have painted every cell.\n"
            "What is not painted inside the shapes is background.",
            label="complete in",
        )
        rows.add(self.annotated)
        self._reading.place_groups(rows, "Data")
        self._options.place_groups(rows, "Data")

    def _add_network_fields(self, rows: FormRows) -> None:
        self._network = self._options["network"]
        self.about_network = Message("about_network", "What this network is good for.")
        self._network.changed.connect(self._describe_network)
        self._options.place(rows, "network")
        rows.add_wide(self.about_network)
        self._describe_network()
        self.show_augmentation = button(
            "show_augmentation",
            "Show…",
            "Show some parts of the image the way the network sees them in training, with the\n"
            "labels in colour. What says nothing to the network is darkened.",
        )
        groups = ("Network", "Budget", "Optimisation", "Augmentation")
        beside = {"augment": [self.show_augmentation]}
        self._options.place_groups(rows, *groups, beside=beside)

    def _describe_network(self) -> None:
        self.about_network.say(CATALOGUE[self._network.value].description)

    def seconds(self, effort: str) -> float | None:
        """Return how long a training takes; None where its end is not a matter of time.

        Raises
        ------
        SettingsError
            If Minutes is no number above 0, or Steps is given as well.
        """
        options = options_of(TrainConfig)
        given: float | None = read_line(options["seconds"], self.minutes)
        if read_line(options["steps"], self.steps) is None:
            return EFFORTS[effort] if given is None else given
        if given is not None:
            called = f"{whereabouts(self.minutes)} and {self._options.called('steps')}"
            raise SettingsError(f"{called} exclude each other: give only one of them.")
        return None

    def values(self, *, task: str, effort: str) -> dict[str, Any]:
        """Return the fields of a `TrainConfig`, all but the number of axes.

        Raises
        ------
        SettingsError
            If a field does not hold what it should.
        """
        seconds, values = self.seconds(effort), self._options.values()
        return {
            **values,
            "task": task,
            "seconds": seconds,
            "live": seconds is None and values["steps"] is None,
            "augment": _AUGMENTATIONS[self.augmentation.value],
        }
