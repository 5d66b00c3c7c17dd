"""The Train dock: from painted labels to a model, with the viewer in use all the time."""

from typing import Any

from magicgui.widgets import ComboBox, LineEdit
from napari.layers import Image, Labels
from napari.viewer import Viewer

from unet_napari._napari.engine_dock import EngineDock
from unet_napari._napari.form import LayerCombo, Message, button, choice, layer_choice, optional
from unet_napari._napari.job import Job
from unet_napari._napari.layers import array_of, axes_of, new_labels, output_shape
from unet_napari._napari.model_combo import ModelCombo
from unet_napari._napari.pairs import LayerPair, PairList
from unet_napari._napari.plot import TrainingPlot
from unet_napari._napari.train_settings import TrainSettings
from unet_napari._napari.watch import EditWatch
from unet_napari.errors import ImageError, UnetNapariError
from unet_napari.labels import Painting, check_labels

__all__ = ["TrainDock"]


class TrainDock(EngineDock):
    """Train a U-Net on what is painted in a labels layer.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The name tells napari to pass the viewer.
    job : Job, optional
        What runs the training; an engine process by default.
    """

    task: ComboBox
    effort: ComboBox
    detected: Message
    model_name: LineEdit
    start_from: ModelCombo

    def __init__(self, napari_viewer: Viewer, job: Job | None = None) -> None:
        super().__init__(napari_viewer, job or Job())
        self._add_shown_fields()
        self._add_folded_fields()
        self.finish()
        self.watch = EditWatch(self._inspect)
        self.labels.changed.connect(self.watch.follow)
        for field in (self.image, self.task, self.settings.unpainted, self.settings.axes):
            field.changed.connect(self.watch.touch)
        for field in (self.image, self.labels, self.settings.axes, self.model_name):
            field.changed.connect(self.refresh_run)
        self["new"].changed.connect(self._add_labels)
        self.refresh_run()

    @property
    def labels(self) -> LayerCombo:  # type: ignore[override]
        """The choice of a labels layer; it hides the container's own, unused `labels`."""
        return self.get_widget("labels")  # type: ignore[return-value]

    def _add_shown_fields(self) -> None:
        rows = self.add_rows()
        image = layer_choice(
            "image", Image, "choose an image", "The image that you have painted labels for."
        )
        labels = layer_choice(
            "labels",
            Labels,
            "choose labels",
            "The labels layer that you paint in. A training uses the labels as they are when you\n"
            "press Train; go on painting for the next one.",
        )
        rows.add(image)
        rows.add(
            labels,
            button("new", "New", "Add an empty labels layer to paint on, right over the image."),
        )
        rows.add(
            choice(
                "task",
                [("cells, each its own number", "cells"), ("classes, one number each", "semantic")],
                "Cells: every cell (or nucleus, or anything countable) is painted with a number\n"
                "of its own, and the result tells them apart.\n"
                "Classes: every number is a kind of thing, such as 1 for background and 2 for\n"
                "membrane; paint the background like any other class.",
                label="painted",
            )
        )
        rows.add_wide(Message("detected", "What was found in the labels."))
        rows.add(
            choice(
                "effort",
                [
                    ("quick, 1–2 minutes", "quick"),
                    ("standard, 5 minutes", "standard"),
                    ("long, 20 minutes", "long"),
                ],
                "How long to train. Quick shows whether your labels go the right way, standard is\n"
                "good enough for most images, long is for the final model.\n"
                "Stop at any time: the best model so far is kept.",
            )
        )
        self.add_run(rows, "Train", "Train on the labels as they are now.")
        self.plot = TrainingPlot()
        self.plot.hide()
        rows.add_native(self.plot)

    def _add_folded_fields(self) -> None:
        more = self.add_folded("More images", "Train on several images at once.")
        self.pair_list = PairList(more, self._chosen, lambda: self.viewer.layers)
        self.settings = TrainSettings(
            self.add_folded("Data", "What unpainted pixels mean, axes, validation."),
            self.add_folded("Network", "Network, patches, device and the like."),
        )
        model = self.add_folded("Model", "What the model is called and what it starts from.")
        model.add(optional("model_name", "The name of the model; it appears in the Segment dock."))
        model.add(
            ModelCombo(
                "nothing",
                name="start_from",
                tooltip="Refine a model that was trained on similar images, instead of starting\n"
                "from nothing: it takes fewer labels and less time.",
            )
        )

    # -- what is chosen -----------------------------------------------------------------------

    def _chosen(self) -> LayerPair | None:
        image, labels = self.image.value, self.labels.value
        return None if image is None or labels is None else (image, labels)

    def suggest_layers(self) -> None:
        """Choose the active or only image, and the only labels layer that fits it."""
        super().suggest_layers()
        image = self.image.value
        if image is not None:
            labels = [layer for layer in self.viewer.layers if isinstance(layer, Labels)]
            fitting = [layer for layer in labels if not self._misfit(image, layer)]
            if len(fitting) == 1:
                self.labels.suggest(fitting[0])

    def missing(self) -> str:
        """Return what is missing for a training, all of it."""
        wanted = []
        if self.image.value is None:
            wanted.append("an image")
        if self.labels.value is None:
            wanted.append("a labels layer (New adds an empty one)")
        if wanted:
            return f"To train, choose {' and '.join(wanted)}."
        return self._misfit(self.image.value, self.labels.value)

    def _misfit(self, image: Image, labels: Labels) -> str:
        """Return why labels do not fit an image, naming both; "" if they do."""
        try:
            wanted = output_shape(array_of(image).shape, axes_of(image, self.settings.axes.value))
        except ImageError as error:
            return str(error)
        shape = array_of(labels).shape
        if shape == wanted:
            return ""
        return (
            f"'{labels.name}' has the shape {_times(shape)}, but '{image.name}' needs labels of "
            f"{_times(wanted)}. New adds a layer that fits."
        )

    def _add_labels(self) -> None:
        image = self.image.value
        if image is None:
            self.status.say("To add labels, choose an image first.")
            return
        try:
            self.labels.value = new_labels(self.viewer, image, self.settings.axes.value)
        except UnetNapariError as error:
            self.status.say(str(error), error=True)

    def _inspect(self) -> None:
        """Look at what is painted, beside the viewer."""
        chosen = self._chosen()
        if chosen is None or self.missing():
            self.detected.say("")
            return
        image, labels = chosen
        shape = output_shape(array_of(image).shape, axes_of(image, self.settings.axes.value))
        data, task, unpainted = array_of(labels), self.task.value, self.settings.unpainted.value
        self.background.run(
            lambda: check_labels(data, shape, task=task, unpainted=unpainted),
            self._show_painting,
            lambda error: self.detected.say(str(error), error=True),
        )

    def _show_painting(self, painting: Painting) -> None:
        self.detected.say(painting.describe())


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(str(n) for n in shape)
