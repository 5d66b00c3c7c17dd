"""The Segment dock: from a trained model to a labels layer."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from napari.viewer import Viewer

from unet_napari._napari.collection.run_over_all import RunOverAll
from unet_napari._napari.docks.segment_fields import SegmentFields
from unet_napari._napari.docks.thresholds import Shown, Thresholds
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.file_facts import read_facts
from unet_napari._napari.layers.layer_axes import image_of
from unet_napari._napari.models.models_window import open_models
from unet_napari._napari.outcomes.copying import segmenting_of
from unet_napari._napari.outcomes.host import DockChoice
from unet_napari._napari.runs.segment_order import Order, wanted_place
from unet_napari._napari.runs.segment_run import SegmentRun
from unet_napari._napari.sections.fit import describe_fit, misfit
from unet_napari._napari.widgets.status_line import duration_warning, segmentation_line
from unet_napari.engine import ArraysReady, DiameterJob, JobWarning
from unet_napari.errors import UnetNapariError
from unet_napari.folder_run.image_line import ImageLine
from unet_napari.images import Image as ImageData
from unet_napari.inference.progress import PlanSummary, Progress
from unet_napari.recipes.results import Segmenting
from unet_napari.tasks.kinds.catalogue import described_kind

__all__ = ["SegmentDock"]


class SegmentDock(SegmentFields):
    """Segment an image layer with a trained model.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The name tells napari to pass the viewer.
    job : Job, optional
        What runs the segmentation; an engine process by default.
    """

    def __init__(self, napari_viewer: Viewer, job: Job | None = None) -> None:
        super().__init__(napari_viewer, job or Job())
        # Of the job that goes on:
        self._run: SegmentRun | None = None
        self._plan: PlanSummary | None = None
        self._take: Callable[[Mapping[str, Any]], str] | None = None
        self._over_all: RunOverAll | None = None
        seen = (self.image, self.settings.axes, self.settings.channel.field)
        for field in (*seen, self.model, self.settings.slicewise):
            field.changed.connect(self.refresh_run)
        for field in seen:
            field.changed.connect(self._suit_model)
        self.image.changed.connect(self.pixel_size.follow)
        self.models.changed.connect(lambda _: open_models(self.model))
        self.model.changed.connect(self._follow_model)
        self.settings.diameter.estimate.changed.connect(self._estimate)
        self.run_all.changed.connect(self._run_over_all)
        self.draw.changed.connect(self._draw_region)
        self.numbers.connect()
        self.copying.connect()
        self.thresholds = Thresholds(
            self, self.settings.thresholds, self.model, self._shown, self.beside
        )
        self._suggest_model()
        self.refresh_run()

    # -- what is chosen -----------------------------------------------------------------------

    def missing(self) -> str:
        """Return what is missing for a segmentation, all of it."""
        wanted = []
        if self.image.value is None:
            wanted.append("an image")
        if self.model.value is None:
            wanted.append("a model (train one in the Train dock, or open a file)")
        if wanted:
            self.found.say("")
            return f"To segment, choose {' and '.join(wanted)}."
        try:
            info = self.model.need_info()
            image = self._wanted_image()
        except UnetNapariError as error:
            self.found.say("")
            return str(error)
        self.settings.diameter.follow(self.image.value, image.axes)
        problem = misfit(image, info) or self.drawn.missing()
        self.found.say(
            "" if problem else describe_fit(image, info, slicewise=self.settings.slicewise.value)
        )
        return problem

    def _wanted_image(self) -> ImageData:
        """Return the image of the layer, or the channel of it that is wanted."""
        return self.settings.channel.of(image_of(self.image.value, self.settings.axes.value))

    def list_models(self) -> None:
        """List the models again, and choose a new one unless the user has chosen."""
        super().list_models()
        if self.docked:
            self._suggest_model()

    def _suggest_model(self) -> None:
        """Choose the newest model that fits the image, unless the user has chosen."""
        try:
            image = None if self.image.value is None else self._wanted_image()
        except UnetNapariError:  # `missing` complains about it
            image = None
        self.model.suggest(lambda info: image is None or not misfit(image, info))

    def _suit_model(self) -> None:
        """Choose another model where the suggested one does not fit the image."""
        if self.model.untouched and self.missing():
            self._suggest_model()

    def _follow_model(self) -> None:
        try:
            self.settings.follow(self.model.need_info())
        except UnetNapariError:  # none, or one that `missing` complains about
            self.settings.follow(None)

    # -- the segmentation ---------------------------------------------------------------------

    def begin(self) -> None:
        """Segment what is asked for."""
        self.thresholds.forget()
        read_facts(self.image.value)  # known already, but to a script that clicks at once
        order, settings = self._order(), self.settings
        self.copying.note(self._recipe(order))
        model = str(self.model.value)
        self._run = SegmentRun(self.viewer, order, self.native, self._measure_beside, model)
        request = partial(
            order.request,
            self.job,
            model,
            config=settings.config(order.info),
            thresholds=settings.thresholds.changed(),
            measure=self.numbers.measure.value and order.whole,
            maps=settings.maps.value,
            attention=settings.wants_attention,
            result_file=self.images.browser.result_file(order.layer, model),
        )
        self.in_background(request, self.job.start)

    def _order(self) -> Order:
        """Return what is asked for."""
        layer, info, image = self.image.value, self.model.need_info(), self._wanted_image()
        return Order(
            layer,
            image,
            wanted_place(self.viewer, layer, image.axes, self.scope.value),
            info,
            self.settings.channel.results(self.model.need_purpose()),
            self.settings.output if self.scope.value == "whole" else None,
            self.settings.zoom(image, info),
            slicewise=self.settings.slicewise.value,
            region=self.drawn.chosen(layer, image),
        )

    def _make_recipe(self) -> Segmenting:
        """Return how what is chosen would be segmented."""
        return self._recipe(self._order())()

    def _recipe(self, order: Order) -> Callable[[], Segmenting]:
        """Return what makes the recipe of a segmentation, with the settings as they are now."""
        config, thresholds = self.settings.config(order.info), self.settings.thresholds.changed()
        measured = bool(self.numbers.measure.value)
        return segmenting_of(order, str(self.model.value), config, thresholds, measured=measured)

    def _estimate(self) -> None:
        """Have the diameter of the objects estimated."""
        self.beside("The diameter can be estimated", self._begin_estimate)

    def _begin_estimate(self) -> None:
        info, model, image = self.model.need_info(), str(self.model.value), self._wanted_image()
        self.settings.diameter.value = None
        config = self.settings.config(info)
        request = lambda: DiameterJob(self.job.share(image), model, config)  # noqa: E731
        self.in_background(request, self.job.start)

    def _run_over_all(self) -> None:
        """Segment all images of the list."""
        try:
            info = self.model.need_info()
            over_all = RunOverAll(self.viewer, self.images.browser, str(self.model.value))
        except UnetNapariError as error:
            self.status.say(str(error), error=True)
            return
        kind = described_kind(info.task)
        about = (self.settings.config(info), self.settings.thresholds.changed())
        channel, cells = (
            str(self.settings.channel.field.value),
            bool(kind and kind.separates_objects),
        )

        def begin() -> None:
            self._over_all = over_all
            self.job.start(over_all.job(*about, channel, cells=cells))

        self.beside("All images can be segmented", begin, over_all.summary)

    def _shown(self) -> Shown:
        """Return what is chosen."""
        purpose = self.settings.channel.results(self.model.need_purpose())
        layer = self.image.value
        return Shown(layer, "" if layer is None else self._wanted_image().axes, purpose)

    def beside(
        self,
        what: str,
        begin: Callable[[], None],
        take: Callable[[Mapping[str, Any]], str] | None = None,
    ) -> None:
        """Begin a job that is no segmentation; one whose result is taken needs no model."""
        missing = self.missing() if take is None else ""
        if self.busy:
            self.status.say(f"{what} before or after a segmentation.")
        elif missing:
            self.status.say(missing)
        else:
            self._take = take
            self.start(begin)

    def chosen(self) -> DockChoice:
        """Return what is chosen, as far as it is."""
        layer = self.image.value
        image = None if layer is None else self._wanted_image()
        try:
            purpose = self.settings.channel.results(self.model.need_purpose())
        except UnetNapariError:  # there is no model
            purpose = None
        return DockChoice(layer, image, purpose, bool(self.settings.slicewise.value))

    def on_event(self, event: Any) -> None:  # noqa: ANN401
        """Show how far the segmentation is, and what there is of it."""
        if isinstance(event, Progress):
            if event.plan is not None:
                self._plan = event.plan
                self.status.native.setToolTip(event.plan.describe())
                if self._run is not None:
                    resumable = self._run.order.output is not None
                    self.warn(duration_warning(event.plan, resumable=resumable))
            line = segmentation_line(event, self._plan)
            self.show_progress(event.done / max(1, event.total), line)
            if self._run is not None:
                self._run.note(event)
        elif isinstance(event, ArraysReady) and self._run is not None:
            self._run.take(event)
        elif isinstance(event, ImageLine) and self._over_all is not None:
            self._over_all.note(event)
        elif isinstance(event, JobWarning):
            self.warn(event.message)
            if self._run is not None:
                self._run.warnings.append(event.message)

    def on_result(self, result: Mapping[str, Any]) -> None:
        """Show the labels in a layer, and what else was asked for."""
        run, take, over_all = self._run, self._take, self._over_all
        self._forget()
        if "diameter" in result:
            self.status.say(self.settings.diameter.show(result["diameter"]))
        elif "thresholds" in result or "model" in result:
            self.status.say(self.thresholds.take(result))
        elif run is not None:
            self.status.say(run.show(result))
            self.thresholds.keep_maps(run.order, result, run.origin(result))
            self.settings.diameter.show_found(run.diameter)
        elif take is not None and (result or over_all is not None):
            self.status.say(take(result))
        else:
            self.status.say("Stopped. Nothing was changed.")

    def _measure_beside(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Measure the cells of a part, if that is wanted."""
        if self.numbers.measure.value:
            self.background.run(work, done, self.fail)

    def fail(self, error: Exception) -> None:
        """End the segmentation with one readable message, and leave every layer as it was."""
        if not self.job.running:
            self._undo()
        super().fail(error)

    def leave(self) -> None:
        """End everything that goes on, as long as the widgets are there."""
        self._undo()
        self.thresholds.forget()
        self.settings.diameter.hide()
        self.numbers.leave()
        super().leave()

    def close(self, *_: object) -> None:
        """End the engine, and follow the list of images no more; the widgets may be gone."""
        self.images.close()
        super().close()

    def _undo(self) -> None:
        if self._run is not None:
            self._run.undo()
        if self._over_all is not None:  # what is whole stays
            self._over_all.write_down()
        self._forget()

    def _forget(self) -> None:
        """Let go of the arrays of the run; large ones take room on the disk."""
        self._run = self._plan = self._take = self._over_all = None
