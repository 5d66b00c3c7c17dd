"""The Train dock: from painted labels to a model, with the viewer in use all the time."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from napari.viewer import Viewer

from napari.layers import Layer
from unet_napari._napari.docks.open_segment import open_segment
from unet_napari._napari.docks.painted import Painted
from unet_napari._napari.docks.train_continue import TrainContinue
from unet_napari._napari.docks.train_run import TrainRun
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.file_facts import read_facts
from unet_napari._napari.live.continuation import Paint, read_paint
from unet_napari._napari.runs.train_request import train_job
from unet_napari._napari.sections.chosen import LayerPair
from unet_napari._napari.widgets.model_combo import model_saved
from unet_napari._napari.widgets.picture_window import show_picture
from unet_napari._napari.widgets.status_line import training_duration, training_result
from unet_napari.engine import AugmentationJob, EngineClient, TrainJob
from unet_napari.errors import UnetNapariError
from unet_napari.model.names import model_path
from unet_napari.training.state.state_file import state_beside

__all__ = ["TrainDock"]


class TrainDock(TrainContinue):
    """Train a U-Net on what is painted in a labels layer.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The name tells napari to pass the viewer.
    job : Job, optional
        What runs the training; an engine process by default.
    """

    def __init__(self, napari_viewer: Viewer, job: Job | None = None) -> None:
        super().__init__(napari_viewer, job or Job(partial(EngineClient, trains=True)))
        self._fresh = False  # the next training begins anew
        self._listed: list[LayerPair] = []  # as the list was when it last changed
        self.training = TrainRun(self, self.plot)
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
        self._connect()
        self.refresh_run()

    def _connect(self) -> None:
        settings = self.settings
        for field in (self.image, self.labels, settings.axes, self.model_name):
            field.changed.connect(self.refresh_run)
        self.effort.changed.connect(self._tell_duration)
        settings.minutes.changed.connect(self._tell_duration)
        settings.steps.changed.connect(self._tell_duration)
        settings.annotated.changed.connect(self.training.follow_regions)
        self.images.on_added = self._add_pair
        self.images.on_left_out = self._follow_list
        self.images.on_painting = self._join
        self.new.changed.connect(lambda: self.painted.add(self.status))
        self.paint_background.changed.connect(lambda: self.painted.hold_background(self.status))
        self.segment.changed.connect(self._open_segment)
        self.start_over.changed.connect(self._start_over)
        settings.show_augmentation.changed.connect(self._show_augmentation)
        self.copying.connect()

    # -- what is chosen -----------------------------------------------------------------------

    def chosen_layers(self) -> list[Layer]:
        """Return the layers that are painted on; no result is written to them."""
        if not self.docked:
            return []
        chosen = [self.labels.value, *(pair.labels for pair in self.images.pairs.all())]
        return [layer for layer in chosen if layer is not None]

    def regions_of(self, labels: Layer) -> Layer | None:
        """Return what *Complete in* says of labels that are trained on."""
        pairs = self.images.layer_pairs() if self.docked else []
        return next((pair.annotated for pair in pairs if pair.labels is labels), None)

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
        if self.labels.value is None and not self.goes_on():  # which brings its paint along
            wanted.append("a labels layer (New adds an empty one)")
        if wanted:
            return f"To train, choose {' and '.join(wanted)}."
        return self.painted.problem() if self.labels.value is not None else ""

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
        """Take the labels as they are, and go on with the training of them, or begin one."""
        offer = self.continuation.offer
        if offer is not None and self.labels.value is None:
            self.in_background(partial(read_paint, offer), self._begin_with_paint)
            return
        resume, self._fresh = self.goes_on() and not self._fresh, False
        pair = self.painted.pair()
        read_facts(pair.image)  # known already, but to a script that chooses and clicks at once
        self.segment.visible = False
        values = self.values()
        claim = self.claim()
        self._offered = claim.path.stem
        pairs = self.images.layer_pairs()
        going_on = offer.head if resume and offer is not None else None
        shown = self.images.shown_among(pairs)
        self.images.note_training(claim.path.stem, shown)
        about = {"task": values["task"], "live": values["live"], "going_on": going_on}
        about["shown"] = shown
        self.training.prepare(claim, pairs, **about)
        self.continuation.note(state_beside(claim.path), self.settings_now())
        request = self._request(claim.path, pairs, values, resume=resume)
        self.chosen.use()
        seen = pair.snapshot(copy=False).image
        self.in_background(request, lambda job: self.training.begin(job, pair, seen))

    def _start_over(self) -> None:
        """Train from the beginning, into the same model."""
        if self.busy:
            self.status.say("Press Stop first.")
        elif missing := self.missing():
            self.status.say(missing)
        else:
            self._fresh = True
            self.start(self.begin)

    def _request(
        self,
        output: Path,
        pairs: Sequence[LayerPair],
        values: Mapping[str, Any],
        *,
        resume: bool = False,
    ) -> Callable[[], TrainJob]:
        """Take the labels as they are; what is returned makes them readable by the engine."""
        snapshots = [pair.snapshot(copy=True, share=1 / max(1, len(pairs))) for pair in pairs]
        files = self.images.file_pairs(str(self.settings.channel.field.value))
        rules, start_from = self.painted.rules(), self.start_from.start

        def prepare() -> TrainJob:
            return train_job(
                self.job,
                self.training.settled(snapshots, files),
                rules=rules,
                values=values,
                output=output,
                start_from=start_from,
                resume=resume,
            )

        return prepare

    def _begin_with_paint(self, paint: Paint) -> None:
        """Begin with the paint of the training that goes on, whose layer is gone."""
        self.add_paint(paint)
        self.begin()

    def _join(self) -> None:
        """Let the image of the list that is painted on join the running training."""
        pair = self.chosen.pair()
        for image in self.images.shown_among([] if pair is None else [pair]):
            if self.busy and pair is not None:
                self.training.join(image, pair)

    def _add_pair(self, pair: LayerPair) -> None:
        """Let a pair that is added to the list join the running training."""
        self._follow_list()
        if self.busy:
            self.training.add_pair(pair)

    def _follow_list(self, *_: object) -> None:
        """Let pairs that were taken out of the list leave the running training."""
        before, self._listed = self._listed, self.images.pairs.taking_part()
        trained = {(pair.image, pair.labels) for pair in self.images.layer_pairs()}
        for pair in before:
            there = pair.image in self.viewer.layers and pair.labels in self.viewer.layers
            if there and (pair.image, pair.labels) not in trained:
                self.training.remove_pair(pair)

    def _show_augmentation(self) -> None:
        """Have a picture made of patches as training would see them."""
        if self.busy:
            self.status.say("The picture can be made before or after a training.")
        elif self.missing():
            self.status.say(self.missing())
        else:
            self.start(self._begin_picture)

    def _begin_picture(self) -> None:
        pairs = self.images.layer_pairs()
        request = self._request(model_path("picture"), pairs, self.values())  # not written
        self.in_background(request, self._draw_augmentation)

    def _draw_augmentation(self, request: TrainJob) -> None:
        self.job.start(AugmentationJob(request.pairs, request.config))

    def on_event(self, event: Any) -> None:  # noqa: ANN401
        """Show what the training reports."""
        self.training.on_event(event)

    def on_result(self, result: Mapping[str, Any]) -> None:
        """Say where the model is, and offer to use it."""
        self.training.end()
        if "picture" in result:
            self.status.say("The picture shows parts of the image as the network sees them.")
            about = "Labels are in colour; what says nothing to the network is darkened."
            show_picture(result["picture"], "Augmented patches", about, self.native)
            return
        self.look_for_training()
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
        self.training.end()
        # The best one so far may have been. Choices of models change with it, which takes away an
        # error that is shown already.
        model_saved.emit("")
        super().fail(error)
        self.look_for_training()

    def leave(self) -> None:
        """End everything that goes on, as long as the widgets are there."""
        self.training.end()
        super().leave()

    def close(self, *_: object) -> None:
        """End the engine and follow no layer any more; the widgets may be gone already."""
        self.painted.close()
        self.correcting.close()
        self.images.close()
        self.training.release()
        super().close()

    def _open_segment(self) -> None:
        """Open the other dock with this image and this model."""
        open_segment(self, self.image.value, self._model, self.settings)
