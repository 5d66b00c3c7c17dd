"""Saves what is painted in a labels layer, some seconds after each stroke, beside the viewer."""

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari.layers import Labels
from unet_napari._napari.collection.loaded_image import LoadedImage
from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.layers.background_paint import background_number
from unet_napari._napari.layers.empty_array import painted_parts
from unet_napari._napari.layers.layer_axes import array_of, output_axes
from unet_napari._napari.live.paint_watch import PaintWatch
from unet_napari.collection.image_list import ImageList
from unet_napari.collection.paint_file import PaintTarget, PaintToSave
from unet_napari.labels.sparse import boxes

__all__ = ["PaintSaver"]

_PAUSE = 1000  # milliseconds after a change was reported, which takes up to 2.5 s itself
_RETRY_PAUSE = 5000  # until what could not be saved is tried again


class PaintSaver(QObject):
    """Follows one labels layer, and keeps the file of its image up to date.

    Signals
    -------
    touched()
        Something was painted.
    saved(object)
        The saver, after its labels were saved.
    failed(object, object)
        The saver, and why they could not be saved; the labels stay in memory, and it is tried
        again.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    background : Background
        Writes the files.
    images : ImageList
        The list that the image is in.
    loaded : LoadedImage
    layer : napari.layers.Labels

    Attributes
    ----------
    images : ImageList
    image : Path
        The file of the image.
    paint : HeldPaint
        The labels as they are now.
    painted : bool or None
        Whether there was paint when the labels were saved last.
    waits : bool
        Whether there is paint that is not saved.
    """

    touched = Signal()
    saved = Signal(object)
    failed = Signal(object, object)

    def __init__(
        self,
        viewer: ViewerModel,
        background: Background,
        images: ImageList,
        loaded: LoadedImage,
        layer: Labels,
    ) -> None:
        super().__init__()
        self.images = images
        self.image, self.paint, self.layer = loaded.listed.image, loaded.paint, layer
        self.painted: bool | None = None
        self.waits = self._writing = False
        self._background = background
        self._axes = output_axes(loaded.image.axes)
        self._pixel_size = loaded.image.pixel_size
        self._shape = array_of(layer).shape
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.save)
        self._watch: PaintWatch | None = PaintWatch(self, layer, viewer.dims, self._touch)

    @property
    def name(self) -> str:
        """What the list calls the image."""
        return self.image.name

    @property
    def is_settled(self) -> bool:
        """Whether all paint is saved."""
        return not self.waits and not self._writing

    def move(self, images: ImageList) -> None:
        """Save the labels from now on where another list has those of this image."""
        self.images = images
        self.paint.target = PaintTarget(images[self.name].labels, None)
        self.note()
        self.save()

    def note_saved(self) -> None:
        """Keep with the list where the labels were saved, and what is to be known of them.

        Raises
        ------
        OutputError
            If that cannot be kept.
        """
        facts = {"background": self.paint.background, "painted": bool(self.painted)}
        self.images.note_saved(self.name, self.paint.target.path, facts)

    def save(self) -> None:
        """Save the labels now, beside the viewer, if there is anything new."""
        self._timer.stop()
        if not self.waits or self._writing:
            return
        self._take()
        self.waits, self._writing = False, True
        self._background.run(self._write, self._end, self._fail)

    def leave(self) -> None:
        """Follow the layer no more, and save what is new."""
        if self._watch is not None:
            self.waits |= self._watch.waits
            self._watch.close()
            self._watch = None
        self.save()

    def _touch(self, _: object) -> None:
        self.note()
        self.touched.emit()

    def note(self) -> None:
        """Have the labels saved soon."""
        self.waits = True
        if not self._timer.isActive() and not self._writing:
            self._timer.start(_PAUSE)

    def _take(self) -> None:
        """Take hold of the array of the layer, unless it is no labels of this image any more."""
        data: Any = array_of(self.layer)
        if data.shape == self._shape:
            self.paint.labels = data
        self.paint.background = background_number(self.layer)

    def _write(self) -> bool:
        """Save the labels, if there are any or were; returns whether there are."""
        labels = self.paint.labels
        found = painted_parts(labels) or labels
        painted = any(np.any(np.asarray(found[box.to_slices()])) for box in boxes(found))
        if painted or self.paint.target.path.exists():
            self.paint.target.save(PaintToSave(found, self._axes, self._pixel_size))
        return painted

    def _end(self, painted: bool) -> None:
        self._writing = False
        self.painted = painted
        self.saved.emit(self)
        self._go_on(self.save if self._watch is None else self.note)

    def _fail(self, error: Exception) -> None:
        self._writing = False
        self.waits = True
        self.failed.emit(self, error)
        self._timer.start(_RETRY_PAUSE)

    def _go_on(self, go_on: Callable[[], None]) -> None:
        """Save once more where something was painted meanwhile."""
        if self.waits:
            go_on()
