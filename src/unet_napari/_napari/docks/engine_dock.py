"""What both docks share: a Run button that becomes Stop, a bar, and one line that says it all."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from magicgui.widgets import ProgressBar, PushButton
from napari.components import ViewerModel
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QSizePolicy

from napari.layers import Image, Layer
from unet_napari._napari.docks.docking import Farewell, share_place, warm_up_beside
from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.ownership import choosers
from unet_napari._napari.widgets.fields import Message, progress_bar
from unet_napari._napari.widgets.form import Form, FormRows
from unet_napari._napari.widgets.help_window import HelpLink
from unet_napari._napari.widgets.host_fields import HostFields
from unet_napari._napari.widgets.layer_combo import LayerCombo
from unet_napari._napari.widgets.model_combo import ModelCombo, model_saved
from unet_napari.engine import ConnectionChanged
from unet_napari.errors import UnetNapariError

__all__ = ["EngineDock"]

_PAINTING_TIME = 500  # milliseconds; by then a new dock is on the screen, and threads may compete


class EngineDock(Form):
    """A dock that runs one job at a time in an engine process of its own.

    The engine starts when the dock is opened, because importing torch takes seconds, and ends
    when the dock or the window is closed.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    job : Job
        The engine.
    """

    run: PushButton
    progress: ProgressBar
    status: Message
    warning: Message
    image: LayerCombo
    computing: HostFields

    def __init__(self, viewer: ViewerModel, job: Job) -> None:
        super().__init__()
        self.viewer = viewer
        self.job = job
        self.background = Background()
        self.busy = self._stopping = False
        self.docked = False
        self._reason = ""
        self._error: Exception | None = None  # that has made us stop the job
        # The second click of a double click must not stop what the first one started.
        self._double_click = QTimer(self.native)
        self._double_click.setSingleShot(True)
        self._double_click.setInterval(QApplication.doubleClickInterval())
        job.reported.connect(self._on_event)
        job.ended.connect(self._on_ended)
        job.failed.connect(self.fail)
        self.native_parent_changed.connect(self._on_parent)
        # A closed window destroys its docks without taking them out first.
        self.native.destroyed.connect(self.close)
        self._farewell = Farewell(self.leave)
        model_saved.connect(self.list_models)
        choosers.add(self)

    # -- what a dock defines ------------------------------------------------------------------

    @abstractmethod
    def missing(self) -> str:
        """Return what has to be done before the job can run, naming all of it; "" if nothing."""

    @abstractmethod
    def begin(self) -> None:
        """Start the job; an error raised here is shown."""

    @abstractmethod
    def on_event(self, event: Any) -> None:  # noqa: ANN401  every job has events of its own
        """Show what the engine reports."""

    @abstractmethod
    def on_result(self, result: Any) -> None:  # noqa: ANN401
        """Show what the engine has made; after a Stop too, if there is something.

        An error raised here is shown.
        """

    # -- the button, the bar and the line -----------------------------------------------------

    def add_run(self, rows: FormRows, text: str, tooltip: str, page: str) -> None:
        """Add the Run button, a link to a page of help, and below them the bar and the line."""
        self._text, self._tooltip = text, tooltip
        run = PushButton(name="run", text=text, tooltip=tooltip, enabled=False)
        run.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        run.native.setStyleSheet("QPushButton { font-weight: bold; padding: 7px; }")
        run.changed.connect(self._on_click)
        rows.add_wide(run, HelpLink(page))
        rows.add_wide(progress_bar())
        rows.add_wide(Message("status", "What is missing, being done, or wrong."))
        rows.add_wide(Message("warning", "What to look at in the result; it stays until you run."))

    def name_run(self, text: str, tooltip: str) -> None:
        """Call the Run button otherwise from now on."""
        self._text, self._tooltip = text, tooltip
        if not self.busy:
            self.run.text, self.run.tooltip = text, tooltip

    def warn(self, text: str) -> None:
        """Show a warning until the next run, below those that there are."""
        said = str(self.warning.value)
        if text and text not in said:
            self.warning.say(f"{said}\n{text}".strip(), warning=True)

    def refresh_run(self, *_: object) -> None:
        """Say what is missing, or that there is nothing missing."""
        if self.busy:
            return
        reason = self.missing()
        self.run.enabled = not reason
        if reason or self._reason:
            self.status.say(reason)
        self._reason = reason

    def forget_error(self, *_: object) -> None:
        """Take an error away, as the user has changed what may have been its cause."""
        if not self.busy and self.status.is_error:
            self.status.say(self._reason)

    def show_progress(self, fraction: float | None, text: str) -> None:
        """Show how far the job is; None is a bar that runs to and fro."""
        if self.busy:
            # Qt would paint the window at once, canvas included, and for every single step.
            self.progress.native.setUpdatesEnabled(False)
            self.progress.max = 0 if fraction is None else 100
            if fraction is not None:
                self.progress.value = round(100 * fraction)
            self.progress.native.setUpdatesEnabled(True)
            if not self._stopping:
                self.status.say(text)

    def fail(self, error: Exception) -> None:
        """End the job with one readable message, whatever the error is."""
        if self.job.running:  # the error is one of the viewer's; it is told when the engine is free
            if self._error is None:
                self._error = error
                self._stop()
            return
        if not isinstance(error, UnetNapariError):
            error = UnetNapariError(f"Something unexpected went wrong: {error!r}")
        self._idle()
        self.status.say(str(error), error=True)
        if not self.native.isVisible():  # one place is enough
            show_error(str(error))

    def say_of_connection(self, event: ConnectionChanged) -> None:
        """Say that the connection was lost, or is back; what the job says next replaces it."""
        if not self._stopping:
            self.status.say(event.message, error=event.lost)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """End the job where an error, of whatever kind, comes up within the block.

        Qt would swallow it, or end the program, and the dock would wait for ever.
        """
        try:
            yield
        except Exception as error:
            self.fail(error)

    def in_background(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Do a part of the job beside the viewer; its errors end the job."""

        def go_on(result: object) -> None:
            with self.failing():
                done(result)

        self.background.run(work, go_on, self.fail)

    def _on_click(self) -> None:
        if not self.busy:
            self.start(self.begin)
        elif not self._double_click.isActive():
            self._stop()

    def start(self, begin: Callable[[], None]) -> None:
        """Turn the button into Stop and begin a job; an error it raises is shown."""
        self.busy, self._stopping = True, False
        self.warning.say("")
        self._double_click.start()
        self.run.text = "Stop"
        self.run.tooltip = "Stop, and keep what there is."
        self.progress.max = 0
        self.progress.visible = True
        self.status.say("Starting; the first time takes some seconds…")
        with self.failing():
            self.job.move_to(self.computing.host())
            begin()

    def _stop(self) -> None:
        self._stopping = True
        self.run.text = "Stopping…"
        self.run.enabled = False
        self.status.say("Stopping…")
        if self.job.running:
            self.job.stop()
        else:  # what prepares the job may take long, and nothing comes of it any more
            self.background.close()
            self._on_ended({})

    def _on_event(self, event: object) -> None:
        with self.failing():
            if isinstance(event, ConnectionChanged):
                self.say_of_connection(event)
            else:
                self.computing.remember()
                self.on_event(event)

    def _on_ended(self, result: object) -> None:
        error, self._error = self._error, None
        self._idle()
        with self.failing():
            self.on_result(result)
        if error is not None:
            self.fail(error)

    def _idle(self) -> None:
        self.busy = False
        self._reason = ""
        self._double_click.stop()
        self.run.text, self.run.tooltip = self._text, self._tooltip
        self.progress.visible = False
        self.run.enabled = not self.missing()

    # -- layers and the window ----------------------------------------------------------------

    def reset_choices(self, *_: object) -> None:
        """Follow the viewer's layers; called by napari whenever they change."""
        if self.docked:
            super().reset_choices()
            self.suggest_layers()
            self.refresh_run()

    def finish(self) -> None:
        """Align the fields; from now on a change of any of them takes an error away."""
        super().finish()
        for field in self:
            if field is not self.run and not isinstance(field, ProgressBar | Message):
                getattr(field, "changed").connect(self.forget_error)  # noqa: B009  of all fields

    def suggest_layers(self) -> None:
        """Choose the layers that the user most likely means, where nothing was chosen yet."""
        images = [layer for layer in self.viewer.layers if isinstance(layer, Image)]
        active = self.viewer.layers.selection.active
        if isinstance(active, Image):
            self.image.suggest(active)
        elif len(images) == 1:
            self.image.suggest(images[0])

    def chosen_layers(self) -> Collection[Layer]:
        """Return the layers that are chosen as an input; no result is written to them."""
        return []

    def list_models(self) -> None:
        """List the models again, as there is a new one."""
        # Not connected to the fields themselves: their widgets may be gone before Python's are.
        for field in self if self.docked else ():
            if isinstance(field, ModelCombo):
                field.reset_choices()

    def leave(self) -> None:
        """End everything that goes on, as long as the widgets are there."""
        self.close()

    def close(self, *_: object) -> None:
        """End the engine and the background work; the widgets may be gone already."""
        self.docked = False  # napari goes on calling `reset_choices`
        self.background.close()
        self.job.close()

    def _on_parent(self, parent: object) -> None:
        if parent is None:  # the dock was closed, the window lives on
            self.leave()
            self._idle()
            return
        self.docked = True
        self.job.open()
        self.reset_choices()
        self._farewell.watch(self.native.window())
        QTimer.singleShot(0, self._settle)
        QTimer.singleShot(_PAINTING_TIME, warm_up_beside)

    def _settle(self) -> None:
        """Fit into the window, whose theme brings a font of its own."""
        if self.docked:
            self.align()
            share_place(self.native.parent(), EngineDock)
