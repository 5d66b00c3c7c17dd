"""What goes on while a training runs: its line and curve, the live prediction, and the strokes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari.layers import Shapes
from unet_napari._napari.collection.file_pair import FilePair
from unet_napari._napari.docks.close_guard import CloseGuard
from unet_napari._napari.docks.engine_dock import EngineDock
from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.live.live_paint import LivePaint
from unet_napari._napari.runs.preview_layer import PreviewUpdates
from unet_napari._napari.sections.chosen import LayerPair
from unet_napari._napari.sections.paint import Snapshot
from unet_napari._napari.widgets.plot import TrainingPlot
from unet_napari._napari.widgets.status_line import StatusLine
from unet_napari.engine import JobWarning, PaintTaken, Preview, Resting, TrainJob
from unet_napari.errors import UnetNapariError
from unet_napari.images import Image as ImageData
from unet_napari.model.names import Claim
from unet_napari.training.events import Started, Step, Validated
from unet_napari.training.state.state_head import StateHead

__all__ = ["TrainRun"]


class TrainRun:
    """The running training, as the Train dock shows it.

    Parameters
    ----------
    dock : EngineDock
        Dock whose bar, line and warnings are used.
    plot : TrainingPlot

    Attributes
    ----------
    claim : Claim or None
        The name of the model that is being trained.
    preview : PreviewUpdates or None
    live : LivePaint or None
        Sends strokes to the training.
    """

    def __init__(self, dock: EngineDock, plot: TrainingPlot) -> None:
        self._dock, self._plot = dock, plot
        self._line = StatusLine()
        self._is_live, self._fraction = False, 0.0
        self._guard = CloseGuard()
        self._left_out: list[str] = []  # lines about files that are not trained on
        self._files: dict[Path, int] = {}  # numbers of images that are trained on as files
        self._shown: dict[Path, LayerPair] = {}  # images of the list that are trained on as layers
        self._strokes = Background()  # whatever else is looked at must not hold up the strokes
        self.claim: Claim | None = None
        self.preview: PreviewUpdates | None = None
        self.live: LivePaint | None = None

    def prepare(
        self,
        claim: Claim,
        pairs: Sequence[LayerPair],
        *,
        task: str,
        live: bool,
        going_on: StateHead | None,
        shown: Mapping[Path, LayerPair],
    ) -> None:
        """Follow the layers from the moment on in which their snapshots are taken.

        Parameters
        ----------
        claim : Claim
        pairs : sequence of LayerPair
            What is trained on.
        task : str
            What is learned.
        live : bool
            Whether the training goes on until it is stopped.
        going_on : StateHead or None
            The training that is gone on with, whose curve is drawn first.
        shown : mapping of Path to LayerPair
            Those of the pairs that are images of the list.
        """
        self.claim, self._is_live = claim, live
        self._shown = dict(shown)
        self._line = StatusLine(live=live)
        self._plot.clear()
        if going_on is not None:
            self._draw(going_on)
        dock = self._dock
        work = (dock.viewer, dock.job, self._strokes, dock.native)
        self.live = LivePaint(*work, dock.warn, self._line.add_stroke)
        self.live.follow(pairs, task)

    def join(self, image: Path, pair: LayerPair) -> None:
        """Let an image of the list that is painted on join the training, in place of its file."""
        if self.live is None or any(known.labels is pair.labels for known in self.live.pairs()):
            return
        before, number = self._shown.get(image), self._files.pop(image, None)
        if before is not None:
            self.remove_pair(before)
        if number is not None:
            self.live.drop(number)
        self._shown[image] = pair
        self.add_pair(pair)

    def add_pair(self, pair: LayerPair) -> None:
        """Let a further pair join the training, or say why it cannot."""
        if self.live is not None:
            try:
                self.live.add(pair)
            except UnetNapariError as error:
                self._dock.warn(str(error))

    def remove_pair(self, pair: LayerPair) -> None:
        """Let a pair leave the training."""
        if self.live is not None:
            self.live.remove(pair)

    def follow_regions(self, shapes: Shapes | None) -> None:
        """Let other shapes say where the chosen pair is painted completely."""
        if self.live is not None:
            self.live.follow_regions(shapes)

    def settled(
        self, snapshots: Sequence[Snapshot], files: Sequence[FilePair] = ()
    ) -> list[Snapshot]:
        """Return what is trained on as the engine gets it; takes long, runs beside the viewer.

        Files that cannot be read are left out, which is said when the training begins.
        """
        settled = [snapshot.settled() for snapshot in snapshots]
        read: list[Snapshot] = []
        self._left_out, self._files = [], {}
        for file in files:
            try:
                painted = file.read()
                if painted is not None:
                    self._files[file.listed.image] = len(settled) + len(read)
                    read.append(painted)
            except UnetNapariError as error:
                self._left_out.append(f"'{file.listed.name}' is left out: {error}")
        if self.live is not None:
            self.live.begin(settled, others=len(read))
        return [*settled, *read]

    def begin(self, request: TrainJob, pair: LayerPair, seen: ImageData) -> None:
        """Start the training, and the live prediction of an image with it.

        Parameters
        ----------
        request : TrainJob
        pair : LayerPair
            What the prediction is shown of.
        seen : Image
            The image as it is trained on: its axes, and the channel if that is one alone.
        """
        dock = self._dock
        dock.job.start(request)
        for line in self._left_out:
            dock.warn(line)
        ndim = request.config["ndim"]
        work = (dock.viewer, dock.job, dock.background, dock.native)
        self.preview = PreviewUpdates(*work, pair.image, pair.labels, seen=seen, ndim=ndim)

    def on_event(self, event: Any) -> None:  # noqa: ANN401  every job has events of its own
        """Show what the training reports."""
        if isinstance(event, Preview):
            if self.preview is not None:
                self.preview.show(event)
            return
        self._line.add(event)
        if isinstance(event, Started):
            self._show_start(event)
        elif isinstance(event, Step):
            self._plot.show()
            self._plot.add_loss(event.step, event.loss)
            self._say(event.fraction)
        elif isinstance(event, Validated) and event.score is not None:
            self._plot.add_score(event.step, event.score, event.score_name)
        elif isinstance(event, JobWarning):
            self._dock.warn(event.message)
        elif isinstance(event, Resting):
            self._say(1.0)
        elif isinstance(event, PaintTaken):
            self._say(self._fraction)

    def end(self) -> None:
        """Follow and show nothing any more."""
        if self.preview is not None:
            self.preview.stop()
        self.release()
        self._guard.end()

    def release(self) -> None:
        """Leave the layers and the name of the model to others; needs no widgets."""
        self._strokes.close()
        if self.live is not None:
            self.live.close()
        if self.claim is not None:
            self.claim.release()
        self.live = self.claim = None

    def _draw(self, head: StateHead) -> None:
        self._plot.show()
        for step, loss in head.curve.losses:
            self._plot.add_loss(step, loss)
        for step, score in head.curve.scores:
            self._plot.add_score(step, score, head.score_name)

    def _show_start(self, event: Started) -> None:
        dock = self._dock
        dock.status.native.setToolTip(f"{event.describe()}\n{event.validation}")
        dock.show_progress(None, "First steps…")
        self._guard.begin(dock.native)
        if self.live is not None:
            self.live.open()

    def _say(self, fraction: float) -> None:
        """Show the line, and in the bar how far it is; without an end the bar runs to and fro."""
        self._fraction = fraction
        endless = self._is_live and not self._line.resting
        self._dock.show_progress(None if endless else fraction, self._line.text())
