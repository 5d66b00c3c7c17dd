"""The list of images of one viewer: which is open, and what was painted on each."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari.layers import Image, Labels
from unet_napari._napari.collection.loaded_image import HeldPaint, LoadedImage, load, show
from unet_napari._napari.collection.paint_keeper import PaintKeeper
from unet_napari._napari.collection.paint_saver import PaintSaver
from unet_napari._napari.collection.remembered import (
    known_labels_folder,
    last_list,
    remember,
    remember_closed,
)
from unet_napari._napari.collection.result_keeper import ResultKeeper
from unet_napari._napari.collection.shown_result import show_found
from unet_napari._napari.layers.ownership import is_made_for, is_unedited
from unet_napari._napari.layers.spots import go_to
from unet_napari.collection.image_list import ImageEntry, ImageList
from unet_napari.errors import ImageError, UnetNapariError

__all__ = ["Browser"]


class Browser(QObject):
    """Opens one image of a folder after the other, with its labels, and keeps what is painted.

    Signals
    -------
    changed()
        There are other images, or something else is known of one.
    opened(object, object)
        The layers of the image that is open now, and of its labels.
    painting()
        Something is painted on the image that is open.
    told(str, bool)
        A line for the user, and whether it is an error.

    Parameters
    ----------
    viewer : napari.components.ViewerModel

    Attributes
    ----------
    list : ImageList or None
    current : PaintSaver or None
        Saves the paint of the image that is open.
    layers : tuple of (Image, Labels) or None
        Those of this image.
    paint : PaintKeeper
        What is painted on all of them.
    thumbnails : dict of Path to ndarray of uint8
        Small pictures of images, by their files.
    """

    changed = Signal()
    opened = Signal(object, object)
    painting = Signal()
    told = Signal(str, bool)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.list: ImageList | None = None
        self.current: PaintSaver | None = None
        self.layers: tuple[Image, Labels] | None = None
        self.paint = PaintKeeper(viewer)
        self.paint.changed.connect(self.changed)
        self.paint.told.connect(self.told)
        self.results = ResultKeeper(viewer, self.paint.files, self.told.emit, self.keep)
        self._look = False  # whether its most doubtful object is to be shown
        self._wanted: str | None = None  # the image that is being read
        self.thumbnails: dict[Path, NDArray[np.uint8]] = {}
        viewer.layers.events.removed.connect(self._on_removed)

    # -- the list -----------------------------------------------------------------------------

    def open_folder(self, folder: Path, labels_folder: Path | None = None) -> None:
        """List the images of a folder in place of those that were listed before."""
        try:
            found = ImageList(folder, labels_folder or known_labels_folder(folder))
        except UnetNapariError as error:
            self.told.emit(str(error), True)
            return
        self.leave()
        self.list, self._wanted, self.thumbnails = found, None, {}
        self._telling(partial(remember, self.list, self.name))
        self.changed.emit()
        count = len(found)
        self.told.emit(f"{count:,} {'image' if count == 1 else 'images'}.", False)
        self._telling(found.check_writable)

    def save_labels_to(self, folder: Path) -> None:
        """Save labels in another folder from now on, paint that could not be saved as well."""
        if self.list is None:
            return
        try:
            found = ImageList(self.list.folder, folder)
        except UnetNapariError as error:
            self.told.emit(str(error), True)
            return
        self.paint.move(self.list, found, self.current)
        self.list = found
        self._telling(partial(remember, self.list, self.name))
        self.changed.emit()
        self.told.emit(f"Labels are saved in '{folder}'.", False)
        self._telling(found.check_writable)

    def reopen(self) -> None:
        """List the images again that were listed last, and open the one that was open."""
        known = last_list()
        if known is not None:
            self.open_folder(Path(known.folder), Path(known.labels_folder))
            names = [] if self.list is None else [entry.name for entry in self.list]
            if known.image in names:
                self.open(known.image)

    def rest(self) -> None:
        """Have all paint saved, as a dock is closed by its user."""
        self.flush()
        if self.list is not None:
            self._telling(partial(remember_closed, self.list))

    def keep(self, facts: Mapping[str, Mapping[str, Any]], of: Path | None = None) -> None:
        """Keep facts about images, by their names.

        Parameters
        ----------
        facts : mapping
            Fields of `ImageFacts` with their values, by the names of the images.
        of : Path, optional
            Folder of the labels of the list that is meant; nothing is kept of another one.
        """
        if self.list is not None and of in (None, self.list.labels_folder) and facts:
            self._telling(partial(self.list.change, facts))
            self.changed.emit()

    def taking_part(self) -> list[tuple[ImageEntry, HeldPaint | None]]:
        """Return the images that take part in a training, but for the one that is open.

        With each comes its paint where that is in memory still.
        """
        if self.list is None:
            return []
        return [
            (listed, self.paint.in_memory(listed))
            for listed in self.list
            if listed.facts.train
            and not listed.problem
            and self.paint.is_on(listed)
            and listed.name != self.name
        ]

    @property
    def name(self) -> str | None:
        """What the list calls the image that is open."""
        return None if self.current is None else self.current.name

    def is_current(self, labels: Labels) -> bool:
        """Tell whether a layer is that of the labels of the image that is open."""
        return self.current is not None and self.current.layer is labels

    # -- one image after the other ------------------------------------------------------------

    def step(self, by: int) -> None:
        """Open the next image, or with -1 the one before."""
        if self.list is None:
            self.told.emit("Choose a folder of images first.", False)
            return
        at = self.name if self._wanted is None else self._wanted
        self._step_from(at, by)

    def _step_from(self, name: str | None, by: int) -> None:
        found = None if self.list is None else self.list.step(name, by)
        if found is None and self.list is not None:  # new images may have come
            self._telling(self.list.look_again)
            found = self.list.step(name, by)
        if found is None:
            self._wanted = None
            self.told.emit(f"This is the {'last' if by > 0 else 'first'} image.", False)
        else:
            self.open(found.name, by)

    def open(self, name: str, by: int = 0, *, look: bool = False) -> None:
        """Open an image of the list.

        Parameters
        ----------
        name : str
            What the list calls it.
        by : int
            Where to go on if it cannot be read: 1 to the next, -1 to the one before, 0 nowhere.
        look : bool
            Whether to show its most doubtful object in the middle of the screen.
        """
        if self.list is None:
            return
        self._wanted, self._look = name, look
        if name == self.name:
            self._look_at_worst(self.list[name])
            return
        listed = self.list.look_at(name)
        if listed.problem:
            self._pass_over(name, by, ImageError(listed.problem))
            return
        kept = self.paint.in_memory(listed)
        self.paint.files.run(
            partial(load, listed, kept),
            self._show,
            lambda error: self._pass_over(name, by, error),
        )

    def leave(self) -> str:
        """Close the layers of the image that is open, after paint and results were taken care of.

        Returns what is not saved, in one line.
        """
        saver, layers = self.current, self.layers
        lost = self.flush()
        self.current = self.layers = None
        if saver is None or layers is None:
            return ""
        self.paint.leave(saver)
        made_for = {"image": str(layers[0].unique_id)}
        results = [layer for layer in self._viewer.layers if is_made_for(layer, made_for)]
        for layer in (*layers, *(layer for layer in results if is_unedited(layer))):
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        return lost

    def result_file(self, layer: Image | None, model: str) -> Path | None:
        """Return where the result of a model is saved, if a layer is the image that is open."""
        if self.list is None or self.current is None or self.layers is None:
            return None
        entry = self.list[self.current.name]
        return entry.result_of(model) if layer is self.layers[0] else None

    def flush(self) -> str:
        """Have all paint and results saved; return what cannot be, in one line."""
        if self.list is None or self.current is None or self.layers is None:
            return ""
        self.current.save()
        return self.results.save(self.list[self.current.name], self.layers[0])

    def _show(self, loaded: LoadedImage) -> None:
        name = loaded.listed.name
        if (
            self.list is None
            or name != self._wanted
            or loaded.listed.image != self.list[name].image
        ):
            return  # the user has gone on meanwhile
        self._wanted = None
        before = None if self.current is None else self.current.layer
        lost = self.leave()
        self.list.note_problem(name, "")
        layers = show(self._viewer, loaded, before)
        self.current = self.paint.follow(self.list, loaded, layers[1])
        self.current.touched.connect(self.painting)
        self.layers = layers
        if loaded.result is not None:
            show_found(self._viewer, layers, loaded)
        self.told.emit(" ".join(filter(None, [lost, *loaded.notes])), False)
        self._telling(partial(remember, self.list, self.name))
        self.opened.emit(*layers)
        self._look_at_worst(loaded.listed)
        self.changed.emit()

    def _look_at_worst(self, entry: ImageEntry) -> None:
        """Show the most doubtful object of the image that is open, if that is wanted."""
        self._wanted = None
        at = entry.facts.worst_at
        if self._look and self.current is not None and len(at) == self.current.layer.ndim:
            go_to(self._viewer, self.current.layer, at)

    def _pass_over(self, name: str, by: int, error: Exception) -> None:
        """Say why an image cannot be opened, and go on with the next one."""
        if self.list is None or name not in {listed.name for listed in self.list}:
            return
        self.list.note_problem(name, str(error))
        self.changed.emit()
        self.told.emit(str(error), True)
        if by and name == self._wanted:
            self._step_from(name, by)
        elif name == self._wanted:
            self._wanted = None

    def _on_removed(self, event: object) -> None:
        """Keep the paint of an image whose layer was removed by the user."""
        layer = getattr(event, "value", None)
        if self.layers is not None and self.current is not None and layer in self.layers:
            saver, self.current, self.layers = self.current, None, None
            self.paint.leave(saver)
            self.changed.emit()

    def _telling(self, what: Callable[[], object]) -> None:
        """Do something, and tell the user where it fails."""
        try:
            what()
        except UnetNapariError as error:
            self.told.emit(str(error), True)
