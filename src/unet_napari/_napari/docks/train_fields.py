"""The fields of the Train dock that are always shown."""

from magicgui.widgets import ComboBox, PushButton

from napari.layers import Image, Labels
from unet_napari._napari.docks.train_settings import EFFORTS
from unet_napari._napari.widgets.fields import button, choice
from unet_napari._napari.widgets.form import FormRows
from unet_napari._napari.widgets.layer_combo import LayerCombo, layer_choice
from unet_napari._napari.widgets.option_fields import choices_shown
from unet_napari.options import options_of
from unet_napari.system.text import human_time
from unet_napari.training.config import TrainConfig

__all__ = ["add_labels_rows", "effort_choice", "image_choice", "task_choice"]


def image_choice() -> LayerCombo:
    """Return the choice of what to train on."""
    return layer_choice(
        "image", Image, "choose an image", "The image that you have painted labels for."
    )


def add_labels_rows(rows: FormRows) -> None:
    """Add the choice of what is painted, and below it what there is to paint with."""
    rows.add(_labels_choice())
    rows.add_beside(*_paint_buttons())


def _labels_choice() -> LayerCombo:
    return layer_choice(
        "labels",
        Labels,
        "choose",
        "The labels layer that you paint in. A training uses the labels as they are when you\n"
        "press Train; go on painting for the next one.",
    )


def _paint_buttons() -> tuple[PushButton, PushButton]:
    return (
        button("new", "New", "Add an empty labels layer to paint on, right over the image."),
        button(
            "paint_background",
            "Background",
            "Paint background with the brush: strokes where there is no cell, shown in grey.\n"
            "They help more than anything else where a training finds cells that are none.\n"
            "Click again to paint a new cell.",
        ),
    )


def task_choice() -> ComboBox:
    """Return the choice between cells and classes."""
    task = options_of(TrainConfig)["task"]
    return choice(task.name, choices_shown(task), task.tooltip, label=task.label)


def effort_choice() -> ComboBox:
    """Return the choice of how long to train."""
    return choice(
        "effort",
        [(f"{name} ({human_time(seconds)})", name) for name, seconds in EFFORTS.items()],
        "How long to train. Quick shows whether your labels go the right way, standard is\n"
        "good enough for most images, long is for the final model.\n"
        "Stop at any time: the best model so far is kept.",
    )
