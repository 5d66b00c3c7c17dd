"""What is painted on the chosen image: looked at after every stroke, mended with a click."""

from collections.abc import Callable
from typing import Any

from magicgui.widgets import ComboBox, PushButton
from napari.viewer import ViewerModel
from qtpy.QtWidgets import QWidget

from napari.layers import Labels
from unet_napari._napari.docks.train_settings import TrainSettings
from unet_napari._napari.layers.background_paint import hold_background, is_background_held
from unet_napari._napari.layers.file_facts import read_facts
from unet_napari._napari.layers.grid import UnplacedError
from unet_napari._napari.layers.layer_axes import geometry, image_of, new_labels
from unet_napari._napari.layers.ownership import is_made_for, is_unedited
from unet_napari._napari.layers.watch import EditWatch
from unet_napari._napari.sections.chosen import Chosen, LayerPair
from unet_napari._napari.sections.detection import Detection
from unet_napari._napari.widgets.fields import Message
from unet_napari._napari.widgets.layer_combo import LayerCombo
from unet_napari.errors import LabelsError, UnetNapariError
from unet_napari.tasks.kinds.catalogue import task_kind

__all__ = ["Painted"]

_PAINTING_MODES = ("paint", "polygon", "fill", "erase")  # modes of napari in which labels change


class Painted:
    """Keeps the line about the labels up to date, and adds, proposes and mends labels.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    chosen : Chosen
        The image and its labels.
    image, labels, task : ComboBox
        The fields.
    settings : TrainSettings
    detection : Detection
        The line and its buttons.
    background : PushButton
        Paints background instead of cells; it is shown while the brush is in hand.
    parent : QWidget
        Nothing is looked at any more when it is gone.
    refresh : callable
        Called when the labels have got another place.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        chosen: Chosen,
        image: LayerCombo,
        labels: LayerCombo,
        task: ComboBox,
        settings: TrainSettings,
        detection: Detection,
        background: PushButton,
        parent: QWidget,
        refresh: Callable[[], None],
    ) -> None:
        self._viewer, self._chosen, self._refresh = viewer, chosen, refresh
        self._image, self._labels, self._task = image, labels, task
        self._settings, self._detection, self._background = settings, detection, background
        self.watch = EditWatch(parent, self._inspect)
        self._brush: Labels | None = None  # the layer whose brush is followed
        labels.changed.connect(self._follow_brush)
        task.changed.connect(self._offer_background)
        self._follow_brush(labels.value)
        labels.changed.connect(self.watch.follow)
        image.changed.connect(self.suggest)
        channel = settings.channel.field
        channel.changed.connect(refresh)
        for field in (image, task, settings.unpainted, settings.axes, channel, settings.annotated):
            field.changed.connect(self.watch.touch)
        detection.lay.changed.connect(self._lay)
        detection.all_painted.changed.connect(self._count_as_background)

    def pair(self) -> LayerPair:
        """Return what is chosen.

        Raises
        ------
        LabelsError
            If an image or labels are missing.
        """
        pair = self._chosen.pair()
        if pair is None:
            raise LabelsError("To train, choose an image and a labels layer.")
        return pair

    def problem(self) -> str:
        """Return why the labels do not fit the image, naming both; "" if they do."""
        try:
            self.pair().snapshot(copy=False)
        except UnetNapariError as error:
            return str(error)
        return ""

    def rules(self) -> dict[str, Any]:
        """Return the keyword arguments of `detect`."""
        return {
            "task": self._task.value,
            "unpainted": self._settings.unpainted.value,
            "ndim": self._settings.dimensions.value,
        }

    def suggest(self, *_: object) -> None:
        """Choose the only labels that lie on the image, where nobody has chosen any."""
        # Never the result of a model, which would learn its own mistakes.
        self._chosen.suggest_labels(lambda layer: not is_made_for(layer, {}))

    def add(self, status: Message) -> None:
        """Add an empty labels layer with the brush in hand, or say why that cannot be."""
        image = self._image.value
        if image is None:
            status.say("To add labels, choose an image first.")
            return
        read_facts(image)  # known already, but to somebody who is quicker than the disk
        try:
            labels = new_labels(self._viewer, image, self._settings.axes.value)
        except UnetNapariError as error:
            status.say(str(error), error=True)
            return
        self._labels.value = labels
        labels.mode = "paint"

    def hold_background(self, status: Message) -> None:
        """Take the brush for background in hand, or for a new cell, or say why that cannot be."""
        labels = self._labels.value
        if labels is None:
            status.say("To paint background, choose a labels layer, or add one with New.")
            return
        try:
            hold_background(labels)
        except UnetNapariError as error:
            status.say(str(error), error=True)
            return
        held = "background, in grey" if is_background_held(labels) else "a new cell"
        status.say(f"The brush paints {held}.")
        self.watch.touch()

    def close(self) -> None:
        """Follow no layer any more; the widgets may be gone already."""
        self.watch.close()
        self._leave_brush()

    def _follow_brush(self, labels: Labels | None) -> None:
        self._leave_brush()
        self._brush = labels
        if labels is not None:
            labels.events.mode.connect(self._offer_background)
        self._offer_background()

    def _leave_brush(self) -> None:
        if self._brush is not None:
            self._brush.events.mode.disconnect(self._offer_background)
        self._brush = None

    def _offer_background(self, *_: object) -> None:
        """Show the button while the brush is in hand, and there are cells to be painted."""
        painting = self._brush is not None and str(self._brush.mode) in _PAINTING_MODES
        self._background.visible = painting and task_kind(self._task.value).separates_objects

    def _lay(self) -> None:
        """Give the labels the place of the image."""
        pair = self.pair()
        for name, value in geometry(pair.image, image_of(pair.image, pair.axes).axes).items():
            setattr(pair.labels, name, value)
        self._refresh()
        self.watch.touch()

    def _count_as_background(self) -> None:
        self._settings.unpainted.value = "background"

    def _inspect(self) -> None:
        """Look at what is painted, beside the viewer."""
        pair = self._chosen.pair()
        if pair is None:
            self._detection.clear()
            return
        try:
            snapshot = pair.snapshot(copy=False)
        except UnetNapariError as error:
            self._detection.clear(unplaced=isinstance(error, UnplacedError))
            return
        notes = []
        if snapshot.background is not None and task_kind(self._task.value).separates_objects:
            notes.append(f"Grey (number {snapshot.background}) is background.")
        if snapshot.resampling is not None:
            notes.append("The labels are taken where they lie on the image.")
        if is_unedited(pair.labels):
            notes.append("A model made these labels: correct them, or it learns its own mistakes.")
        self._detection.look(snapshot, self.rules(), " ".join(notes))
