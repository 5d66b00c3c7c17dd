"""The fields of the Train dock: those that are always shown, and those that are folded."""

from collections.abc import Callable

from magicgui.widgets import ComboBox, LineEdit, PushButton
from napari.viewer import Viewer

from napari.layers import Image, Labels
from unet_napari._napari.collection.images_section import ImagesSection
from unet_napari._napari.docks.correcting import Correcting
from unet_napari._napari.docks.engine_dock import EngineDock
from unet_napari._napari.docks.train_settings import EFFORTS, TrainSettings
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.background_paint import hold_new_cell
from unet_napari._napari.live.model_versions import ModelVersions
from unet_napari._napari.outcomes.copy_buttons import CopyButtons
from unet_napari._napari.sections.chosen import Chosen
from unet_napari._napari.sections.detection import Detection
from unet_napari._napari.sections.pixel_size import PixelSizeOffer
from unet_napari._napari.widgets.fields import Message, button, choice, optional
from unet_napari._napari.widgets.form import FormRows
from unet_napari._napari.widgets.host_fields import HostFields
from unet_napari._napari.widgets.layer_combo import LayerCombo, layer_choice
from unet_napari._napari.widgets.option_fields import choices_shown
from unet_napari._napari.widgets.plot import TrainingPlot
from unet_napari._napari.widgets.start_combo import StartCombo
from unet_napari.options import options_of
from unet_napari.recipes.training import RepeatedTraining
from unet_napari.system.text import human_time
from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.training.config import TrainConfig

__all__ = ["TrainFields"]


class TrainFields(EngineDock):
    """The Train dock without what its buttons do.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    job : Job
    """

    task: ComboBox
    effort: ComboBox
    duration: Message
    new: PushButton
    paint_background: PushButton
    segment: PushButton
    model_name: LineEdit
    start_from: StartCombo
    start_over: PushButton
    paint_back: PushButton

    def __init__(self, viewer: Viewer, job: Job) -> None:
        super().__init__(viewer, job)
        self._add_shown_fields()
        self._add_folded_fields()
        self.finish()
        self.segment.visible = False

    @property  # type: ignore[misc]
    def labels(self) -> LayerCombo:  # type: ignore[override]
        """The choice of a labels layer; it hides the container's own, unused `labels`."""
        return self.get_widget("labels")  # type: ignore[return-value]

    def _add_shown_fields(self) -> None:
        rows = self.add_rows()
        rows.add(_image_choice())
        rows.add(_labels_choice())
        rows.add_beside(*_paint_buttons())
        rows.add(_task_choice())
        self.detection = Detection(rows, self.background, lambda: self.labels.value)
        self.correcting = Correcting(self.viewer, rows, lambda: self.chosen.pair())
        self.file_offer = PixelSizeOffer(rows, self.viewer, self.background, self._learn_of_file)
        rows.add(_effort_choice())
        rows.add_wide(Message("duration", "How long a training takes that takes long."))
        self.add_run(rows, "Train", "Train on the labels as they are.", page="docks.md#training")
        self.plot = TrainingPlot()
        self.plot.hide()
        rows.add_native(self.plot)
        rows.add_wide(
            PushButton(
                name="segment",
                text="Segment with this model…",
                tooltip="Open the Segment dock with this image and the new model.",
            )
        )

    def _add_folded_fields(self) -> None:
        images = self.add_folded("Images", "Image after image of a folder, and layers.")
        data = self.add_folded("Data", "What unpainted pixels mean, axes, validation.")
        network = self.add_folded("Network", "Network, minutes, patches and the like.")
        computing = self.add_folded("Computing", "Memory, device, another computer.")
        self.settings = TrainSettings(data, network, computing)
        self.computing = HostFields(computing)
        settings, layers = self.settings, lambda: self.viewer.layers
        fields = (self.image, self.labels, settings.annotated, settings.axes)
        self.chosen = Chosen(*fields, settings.channel.field, layers)
        self.images = ImagesSection(images, self.viewer, self._choose_pair, self.chosen.pair)
        self._add_model_fields(
            self.add_folded("Model", "Its name, what it starts from, its versions.")
        )
        rows = self.add_folded("Repeat", "The last training, as Python or as a command.")
        made = self.nothing_to_copy, self.training_to_copy
        self.copying = CopyButtons(rows, self.status, *made, self.background)

    def _choose_pair(self, image: Image, labels: Labels) -> None:
        """Train on an image of the list, in the channel that was chosen before."""
        channel = self.settings.channel.field.value
        self.image.value, self.labels.value = image, labels
        self.settings.channel.field.value = channel
        if task_kind(self.task.value).separates_objects:
            hold_new_cell(labels)

    def _add_model_fields(self, rows: FormRows) -> None:
        rows.add(optional("model_name", "The name of the model; it appears in the Segment dock."))
        rows.add(StartCombo())
        rows.add_beside(*_training_buttons())
        self.versions = ModelVersions(rows, lambda: self.busy, self._on_gone_back)

    def nothing_to_copy(self) -> str:
        """Return why there is no training to copy, "" if there is one; defined by the dock."""
        raise NotImplementedError

    def training_to_copy(self) -> Callable[[], RepeatedTraining]:
        """Return what makes the recipe of the last training; defined by the dock."""
        raise NotImplementedError

    def _learn_of_file(self) -> None:
        """Go by what is known of the image's file; defined by the dock."""
        raise NotImplementedError

    def _on_gone_back(self) -> None:
        """Go on from an earlier version of the model; defined by the dock."""
        raise NotImplementedError


def _image_choice() -> LayerCombo:
    """Return the choice of what to train on."""
    return layer_choice(
        "image", Image, "choose an image", "The image that you have painted labels for."
    )


def _labels_choice() -> LayerCombo:
    return layer_choice(
        "labels",
        Labels,
        "choose",
        "The labels layer that you paint in. What you paint while a training runs joins it.",
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


def _training_buttons() -> tuple[PushButton, PushButton]:
    return (
        button(
            "start_over",
            "Start over",
            "Train from the beginning instead of going on with the last training of this image.\n"
            "The model keeps its name; what it is now becomes a version.",
        ),
        button(
            "paint_back",
            "Bring back its paint",
            "Add what the last training of this image was painted with as a labels layer.",
        ),
    )


def _task_choice() -> ComboBox:
    """Return the choice between cells and classes."""
    task = options_of(TrainConfig)["task"]
    return choice(task.name, choices_shown(task), task.tooltip, label=task.label)


def _effort_choice() -> ComboBox:
    """Return the choice of how long to train."""
    return choice(
        "effort",
        [(_effort_text(name, seconds), name) for name, seconds in EFFORTS.items()],
        "How long to train. Live learns until you press Stop: what you paint joins it at once,\n"
        "and it rests while nothing changes. Quick shows whether your labels go the right way,\n"
        "standard is good enough for most images, long is for the final model.\n"
        "Stop at any time: the best model so far is kept.",
    )


def _effort_text(name: str, seconds: float | None) -> str:
    return f"{name} ({'no end' if seconds is None else human_time(seconds)})"
