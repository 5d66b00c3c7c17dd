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
                [("separate cells", "cells"), ("classes of pixels", "semantic")],
                "Separate cells: paint every cell (or nucleus, or anything countable) with a\n"
                "number of its own; the result tells them apart.\n"
                "Classes of pixels: every number is a kind of thing, such as 1 for background and\n"
                "2 for membrane; paint the background like any other class.",
                label="find",
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
        self.settings = TrainSettings(
            self.add_folded("Data", "What unpainted pixels mean, axes, validation."),
            self.add_folded("Network", "Network, patches, device and the like."),
        )
        more = self.add_folded("More images", "Train on several images at once.")
        self.pair_list = PairList(more, self._chosen, lambda: self.viewer.layers)
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
            self._snapshot(image, labels, copy=False)
        except UnetNapariError as error:
            return str(error)
        return ""

    def _snapshot(self, image: Image, labels: Labels, *, copy: bool) -> Snapshot:
        axes, annotated = self.settings.axes.value, self.settings.annotated.value
        return take_snapshot(image, labels, axes, annotated, copy=copy)

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
        snapshot = self._snapshot(*chosen, copy=False)
        rules = self._rules()
        self.background.run(
            lambda: detect(snapshot, **rules), self._show_painting, self._show_no_painting
        )

    def _rules(self) -> dict[str, Any]:
        return {
            "task": self.task.value,
            "unpainted": self.settings.unpainted.value,
            "ndim": self.settings.dimensions.value,
        }

    def _show_painting(self, painting: Painting) -> None:
        self.detected.say("\n".join(filter(None, (painting.describe(), painting.problem))))
        self.split.visible = painting.splittable

    def _show_no_painting(self, error: Exception) -> None:
        self.detected.say(str(error))
        self.split.visible = False

    def _split(self) -> None:
        """Turn a mask into cells: give each piece a number of its own."""
        labels = self.labels.value
        if labels is not None:
            labels.data = split_components(labels.data)

    # -- the training -------------------------------------------------------------------------

    def begin(self) -> None:
        """Take the labels as they are, and start to train on them."""
        self.settings.config(task=self.task.value, ndim=2, effort=self.effort.value)
        snapshots = [self._snapshot(*pair, copy=True) for pair in self.pair_list.with_chosen()]
        request = partial(
            train_job,
            self.job,
            snapshots,
            rules=self._rules(),
            config=partial(self.settings.config, task=self.task.value, effort=self.effort.value),
            output=model_path(self.model_name.value or self._default_name()),
            start_from=self.start_from.value,
        )
        self.plot.clear()
        self.segment.visible = False
        self._image = self.image.value
        self._line = {}
        self.in_background(request, self._begun)

    def _begun(self, request: TrainJob) -> None:
        self.job.start(request)
        self.show_progress(None, "Starting…")
        self.preview = LivePreview(
            self.viewer,
            self.job,
            self.background,
            self._image,
            axes=request.pairs[0].image.axes,
            ndim=request.config["ndim"],
        )

    def on_event(self, event: Any) -> None:  # noqa: ANN401
        """Show what the training reports."""
        if isinstance(event, Preview):
            self.preview.show(event)
        elif isinstance(event, Started):
            self.status.native.setToolTip("\n".join((*event.choices, event.validation)))
            self._device = event.device
        elif isinstance(event, Step):
            self.plot.show()
            self.plot.add_loss(event.step, event.loss)
            self._step = event
            self.show_progress(event.fraction, self._describe())
        elif isinstance(event, Validated):
            self._validated = event
            if event.score is not None:
                self.plot.add_score(event.step, event.score, event.score_name)
        elif isinstance(event, JobWarning):
            show_warning(event.message)
