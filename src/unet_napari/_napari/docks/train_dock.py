"""The Train dock: from painted labels to a model, with the viewer in use all the time."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox, LineEdit, PushButton
from napari.viewer import Viewer

from napari.layers import Image, Labels, Layer
from unet_napari._napari.docks.close_guard import CloseGuard
from unet_napari._napari.docks.correcting import Correcting
from unet_napari._napari.docks.engine_dock import EngineDock
from unet_napari._napari.docks.open_segment import open_segment
from unet_napari._napari.docks.painted import Painted
from unet_napari._napari.docks.train_fields import (
    add_labels_rows,
    effort_choice,
    image_choice,
    task_choice,
)
from unet_napari._napari.docks.train_settings import TrainSettings
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.file_facts import read_facts
from unet_napari._napari.runs.preview_layer import PreviewUpdates
from unet_napari._napari.runs.train_request import Claim, model_path, train_job
from unet_napari._napari.sections.chosen import Chosen
from unet_napari._napari.sections.detection import Detection
from unet_napari._napari.sections.further_pairs import PairList
from unet_napari._napari.sections.pixel_size import PixelSizeOffer
from unet_napari._napari.widgets.fields import Message, optional
from unet_napari._napari.widgets.layer_combo import LayerCombo
from unet_napari._napari.widgets.model_combo import model_saved
from unet_napari._napari.widgets.picture_window import show_picture
from unet_napari._napari.widgets.plot import TrainingPlot
from unet_napari._napari.widgets.start_combo import StartCombo
from unet_napari._napari.widgets.status_line import StatusLine, training_duration, training_result
from unet_napari.engine import AugmentationJob, JobWarning, Preview, TrainJob
from unet_napari.errors import UnetNapariError
from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.training.events import Started, Step, Validated

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
    duration: Message
    new: PushButton
    paint_background: PushButton
    segment: PushButton
    model_name: LineEdit
    start_from: StartCombo

    def __init__(self, napari_viewer: Viewer, job: Job | None = None) -> None:
        super().__init__(napari_viewer, job or Job())
        self.line = StatusLine()
        self.preview: PreviewUpdates | None = None
        self._model = ""  # name of the one that was trained last
        self._claim: Claim | None = None  # of the running training
        self._add_shown_fields()
        self._add_folded_fields()
        self.finish()
        self._guard = CloseGuard()
        self.image.changed.connect(self.file_offer.follow)
        self.painted = Painted(
            self.viewer,
            self.chosen,
            self.image,
            self.labels,
            self.task,
            self.settings,
            self.detection,
            self.paint_background,
            self.native,
            self.refresh_run,
        )
        for field in (self.image, self.labels, self.settings.axes, self.model_name):
            field.changed.connect(self.refresh_run)
        self.effort.changed.connect(self._tell_duration)
        self.settings.minutes.changed.connect(self._tell_duration)
        self.new.changed.connect(lambda: self.painted.add(self.status))
        self.paint_background.changed.connect(lambda: self.painted.hold_background(self.status))
        self.segment.changed.connect(self._open_segment)
        self.settings.show_augmentation.changed.connect(self._show_augmentation)
        self.segment.visible = False
        self.refresh_run()

    @property  # type: ignore[misc]
    def labels(self) -> LayerCombo:  # type: ignore[override]
        """The choice of a labels layer; it hides the container's own, unused `labels`."""
        return self.get_widget("labels")  # type: ignore[return-value]

    def _add_shown_fields(self) -> None:
        rows = self.add_rows()
        rows.add(image_choice())
        add_labels_rows(rows)
        rows.add(task_choice())
        self.detection = Detection(rows, self.background, lambda: self.labels.value)
        self.correcting = Correcting(self.viewer, rows, lambda: self.chosen.pair())
        self.file_offer = PixelSizeOffer(rows, self.viewer, self.background, self._learn_of_file)
        rows.add(effort_choice())
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
        self.settings = TrainSettings(
            self.add_folded("Data", "What unpainted pixels mean, axes, validation."),
            self.add_folded("Network", "Network, patches, device and the like."),
        )
        more = self.add_folded("More images", "Train on several images at once.")
        settings, layers = self.settings, lambda: self.viewer.layers
        fields = (self.image, self.labels, settings.annotated, settings.axes)
        self.chosen = Chosen(*fields, settings.channel.field, layers)
        self.pair_list = PairList(more, self.chosen.pair, layers)
        model = self.add_folded("Model", "What the model is called and what it starts from.")
        model.add(optional("model_name", "The name of the model; it appears in the Segment dock."))
        model.add(StartCombo())

    # -- what is chosen -----------------------------------------------------------------------

    def chosen_layers(self) -> list[Layer]:
        """Return the layers that are painted on; no result is written to them."""
        if not self.docked:
            return []
        chosen = [self.labels.value, *(pair.labels for pair in self.pair_list.pairs())]
        return [layer for layer in chosen if layer is not None]

    def suggest_layers(self) -> None:
        """Choose the active or only image, and the only labels layer that lies on it."""
        with self.chosen.suggesting():
            super().suggest_layers()
        self.painted.suggest()
        self.correcting.offer()

    def missing(self) -> str:
        """Return what is missing for a training, all of it."""
        wanted = []
        if self.image.value is None:
            wanted.append("an image")
        if self.labels.value is None:
            wanted.append("a labels layer (New adds an empty one)")
        if wanted:
            return f"To train, choose {' and '.join(wanted)}."
        return self.painted.problem()

    def _tell_duration(self) -> None:
        """Say before it begins that a training takes long."""
        try:
            self.duration.say(training_duration(self.settings.seconds(self.effort.value)))
        except UnetNapariError:  # Train complains about it
            self.duration.say("")

    def _learn_of_file(self) -> None:
        """Go by what is known of the image's file: other axes may ask for other labels."""
        if self.docked:
            self.painted.suggest()
            self.refresh_run()
            self.painted.watch.touch()

    # -- the training -------------------------------------------------------------------------

    def begin(self) -> None:
        """Take the labels as they are, and start to train on them."""
        pair = self.painted.pair()
        read_facts(pair.image)  # known already, but to a script that chooses and clicks at once
        self.segment.visible = False
        self.plot.clear()
        self.line = StatusLine()
        self._claim = Claim(self.model_name.value or self._usual_name())
        request = self._request(self._claim.path)
        self.chosen.use()
        self.in_background(request, lambda job: self._begun(job, pair.image, pair.labels))

    def _request(self, output: Path) -> Callable[[], TrainJob]:
        """Take the labels as they are; what is returned makes them readable by the engine."""
        pairs = self.pair_list.with_chosen()
        return partial(
            train_job,
            self.job,
            [pair.snapshot(copy=True, share=1 / len(pairs)) for pair in pairs],
            rules=self.painted.rules(),
            values=self.settings.values(task=self.task.value, effort=self.effort.value),
            output=output,
            start_from=self.start_from.start,
        )

    def _show_augmentation(self) -> None:
        """Have a picture made of patches as training would see them."""
        if self.busy:
            self.status.say("The picture can be made before or after a training.")
        elif self.missing():
            self.status.say(self.missing())
        else:
            self.start(self._begin_picture)

    def _begin_picture(self) -> None:
        request = self._request(model_path("picture"))  # which is not written
        self.in_background(request, self._draw_augmentation)

    def _draw_augmentation(self, request: TrainJob) -> None:
        self.job.start(AugmentationJob(request.pairs, request.config))

    def _usual_name(self) -> str:
        return f"{self.image.value.name} {task_kind(self.task.value).file_word}"

    def _begun(self, request: TrainJob, image: Image, labels: Labels) -> None:
        self.job.start(request)
        seen, ndim = request.pairs[0].image, request.config["ndim"]
        work = (self.viewer, self.job, self.background, self.native)
        self.preview = PreviewUpdates(*work, image, labels, seen=seen, ndim=ndim)

    def on_event(self, event: Any) -> None:  # noqa: ANN401
        """Show what the training reports."""
        if isinstance(event, Preview):
            if self.preview is not None:
                self.preview.show(event)
            return
        self.line.add(event)
        if isinstance(event, Started):
            self.status.native.setToolTip(f"{event.describe()}\n{event.validation}")
            self.show_progress(None, "First steps…")
            self._guard.begin(self.native)
        elif isinstance(event, Step):
            self.plot.show()
            self.plot.add_loss(event.step, event.loss)
            self.show_progress(event.fraction, self.line.text())
        elif isinstance(event, Validated) and event.score is not None:
            self.plot.add_score(event.step, event.score, event.score_name)
        elif isinstance(event, JobWarning):
            self.warn(event.message)

    def on_result(self, result: Mapping[str, Any]) -> None:
        """Say where the model is, and offer to use it."""
        self._end_training()
        if "picture" in result:
            self.status.say("The picture shows parts of the image as the network sees them.")
            about = "Labels are in colour; what says nothing to the network is darkened."
            show_picture(result["picture"], "Augmented patches", about, self.native)
            return
        if "model" not in result:
            self.status.say("Stopped before there was a model to keep.")
            return
        path = Path(result["model"])
        self.status.say(training_result(result, str(self.model_name.value).strip()))
        self.status.native.setToolTip(str(path))
        self.model_name.value = ""
        self._model = path.stem
        self.segment.visible = True
        model_saved.emit(path.stem)

    def fail(self, error: Exception) -> None:
        """End the training with one readable message."""
        self._end_training()
        super().fail(error)
        model_saved.emit("")  # the best one so far may have been

    def leave(self) -> None:
        """End everything that goes on, as long as the widgets are there."""
        self._end_training()
        super().leave()

    def close(self, *_: object) -> None:
        """End the engine and follow no layer any more; the widgets may be gone already."""
        self.painted.close()
        self.correcting.close()
        if self._claim is not None:
            self._claim.release()
        super().close()

    def _end_training(self) -> None:
        if self.preview is not None:
            self.preview.stop()
        if self._claim is not None:
            self._claim.release()
        self._claim = None
        self._guard.end()

    def _open_segment(self) -> None:
        """Open the other dock with this image and this model."""
        open_segment(self, self.image.value, self._model, self.settings)
