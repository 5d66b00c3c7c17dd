"""The list of images of one viewer: which is open, and what was painted on each."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from weakref import WeakKeyDictionary

from napari.components import ViewerModel
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari.layers import Image, Labels
from unet_napari._napari.collection.loaded_image import HeldPaint, LoadedImage, load, show
from unet_napari._napari.collection.paint_saver import PaintSaver
from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.layers.ownership import is_made_for, is_unedited
from unet_napari.collection.image_list import ImageEntry, ImageList
from unet_napari.collection.paint_file import has_paint
from unet_napari.errors import UnetNapariError

__all__ = ["Browser", "browser_of", "browsers"]


class Browser(QObject):
    """Opens one image of a folder after the other, with its labels, and keeps what is painted.

    Signals
    -------
    changed()
        There are other images, or something else is known of one.
    opened(object, object)
        The layers of the image that is open now, and of its labels.
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
    """

    changed = Signal()
    opened = Signal(object, object)
    told = Signal(str, bool)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.list: ImageList | None = None
        self.current: PaintSaver | None = None
        self._layers: tuple[Image, Labels] | None = None  # of the current image
        self._files = Background()  # reads and writes, in the order in which it is asked to
        self._looking = Background()  # finds out which images have paint
        # By the file of the image:
        self._leaving: dict[Path, PaintSaver] = {}  # whose paint is not saved yet
        self._kept: dict[Path, HeldPaint] = {}  # paint that is not in the file of its image
        self._painted: dict[Path, bool] = {}
        self._wanted: str | None = None  # the image that is being read
        viewer.layers.events.removed.connect(self._on_removed)

    # -- the list -----------------------------------------------------------------------------

    def open_folder(self, folder: Path, labels_folder: Path | None = None) -> None:
        """List the images of a folder in place of those that were listed before."""
        try:
            found = ImageList(folder, labels_folder)
        except UnetNapariError as error:
            self.told.emit(str(error), True)
            return
        self.leave()
        self.list, self._wanted = found, None
        self._look_for_paint()
        self.changed.emit()
        count = len(found)
        self.told.emit(f"{count:,} {'image' if count == 1 else 'images'}.", False)
        self._check_writable()

    def save_labels_to(self, folder: Path) -> None:
        """Save labels in another folder from now on, paint that could not be saved as well."""
        if self.list is None:
            return
        unsaved = [*self._leaving.values(), *([self.current] if self.current else [])]
        try:
            self.list = ImageList(self.list.folder, folder)
        except UnetNapariError as error:
            self.told.emit(str(error), True)
            return
        for saver in (saver for saver in unsaved if saver.image.parent == self.list.folder):
            saver.move(self.list[saver.name].labels)
        self._look_for_paint()
        self.changed.emit()
        self.told.emit(f"Labels are saved in '{folder}'.", False)
        self._check_writable()

    def painted(self, listed: ImageEntry) -> bool:
        """Tell whether an image has paint, as far as that is known."""
        return listed.image in self._leaving or self._painted.get(listed.image, False)

    def choose(self, name: str, *, train: bool) -> None:
        """Say whether an image takes part in a training."""
        if self.list is not None:
            self._telling(partial(self.list.choose, name, train=train))
            self.changed.emit()

    def taking_part(self) -> list[tuple[ImageEntry, HeldPaint | None]]:
        """Return the images that take part in a training, but for the one that is open.

        With each comes its paint where that is in memory still.
        """
        if self.list is None:
            return []
        return [
            (listed, self._paint_in_memory(listed))
            for listed in self.list
            if listed.train
            and not listed.problem
            and self.painted(listed)
            and listed.name != self.name
        ]

    @property
    def name(self) -> str | None:
        """What the list calls the image that is open."""
        return None if self.current is None else self.current.name

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
        if found is None:
            self._wanted = None
            self.told.emit(f"This is the {'last' if by > 0 else 'first'} image.", False)
        else:
            self.open(found.name, by)

    def open(self, name: str, by: int = 0) -> None:
        """Open an image of the list.

        Parameters
        ----------
        name : str
            What the list calls it.
        by : int
            Where to go on if it cannot be read: 1 to the next, -1 to the one before, 0 nowhere.
        """
        if self.list is None or name == self.name:
            return
        self._wanted = name
        self._telling(self.list.look_again)
        listed = self.list[name]
        kept = self._paint_in_memory(listed)
        self._files.run(
            partial(load, listed, kept),
            self._show,
            lambda error: self._pass_over(name, by, error),
        )

    def leave(self) -> None:
        """Close the layers of the image that is open, after its paint was taken care of."""
        saver, layers = self.current, self._layers
        self.flush()
        self.current = self._layers = None
        if saver is None or layers is None:
            return
        self._hand_over(saver)
        made_for = {"image": str(layers[0].unique_id)}
        results = [layer for layer in self._viewer.layers if is_made_for(layer, made_for)]
        for layer in (*layers, *(layer for layer in results if is_unedited(layer))):
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def flush(self) -> None:
        """Have everything saved that is painted."""
        if self.current is not None:
            self.current.save()

    def _paint_in_memory(self, listed: ImageEntry) -> HeldPaint | None:
        leaving = self._leaving.get(listed.image)
        return self._kept.get(listed.image) if leaving is None else leaving.paint

    def _show(self, loaded: LoadedImage) -> None:
        name = loaded.listed.name
        if (
            self.list is None
            or name != self._wanted
            or loaded.listed.image != self.list[name].image
        ):
            return  # the user has gone on meanwhile
        self._wanted = None
        labels = None if self.current is None else self.current.layer
        brush = None if labels is None else (labels.brush_size, labels.mode)
        self.leave()
        self.list.note_problem(name, "")
        before = self._leaving.pop(loaded.listed.image, None)
        layers = show(self._viewer, loaded)
        if brush is not None:
            layers[1].brush_size, layers[1].mode = brush
        self.current = PaintSaver(self._viewer, self._files, loaded, layers[1])
        self.current.saved.connect(self._on_saved)
        self.current.failed.connect(self._on_failed)
        if before is not None and not before.is_settled:
            self.current.note()
        self._layers = layers
        self.told.emit(" ".join(loaded.notes), False)
        self.opened.emit(*layers)
        self.changed.emit()

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

    # -- what is painted ----------------------------------------------------------------------

    def _hand_over(self, saver: PaintSaver) -> None:
        """Follow a layer no more; its paint is kept until it is saved."""
        self._leaving[saver.image] = saver
        saver.leave()
        if saver.is_settled:
            self._leaving.pop(saver.image, None)

    def _on_saved(self, saver: PaintSaver) -> None:
        target, image, name = saver.paint.target.path, saver.image, saver.name
        self._painted[image] = bool(saver.painted)
        if self._leaving.get(image) is saver and saver.is_settled:
            del self._leaving[image]
        if self.list is None or image.parent != self.list.folder:
            return  # of a list that is not open any more
        if not saver.paint.target.moved:
            background = saver.paint.background
            self._telling(partial(self.list.note_saved, name, target, background))
        elif image not in self._kept:
            self._kept[image] = saver.paint
            self.told.emit(
                f"'{self.list[name].labels.name}' was changed by another program since it was "
                f"opened here. It stays as it is: your paint is saved in '{target.name}'.",
                True,
            )
        self.changed.emit()

    def _on_failed(self, saver: PaintSaver, error: Exception) -> None:
        self.told.emit(f"The paint of '{saver.name}' is not saved: {error}", True)
        self.changed.emit()

    def _on_removed(self, event: object) -> None:
        """Keep the paint of an image whose layer was removed by the user."""
        layer = getattr(event, "value", None)
        if self._layers is not None and self.current is not None and layer in self._layers:
            saver, self.current, self._layers = self.current, None, None
            self._hand_over(saver)
            self.changed.emit()

    def _look_for_paint(self) -> None:
        """Find out beside the viewer which images have paint."""
        images = self.list
        for listed in images or ():
            if listed.stored is not None and listed.image not in self._painted:
                note = partial(self._note_painted, listed.image)
                self._looking.run(partial(has_paint, listed.stored), note, lambda _: None)

    def _note_painted(self, image: Path, painted: bool) -> None:
        self._painted.setdefault(image, painted)
        self.changed.emit()

    def _check_writable(self) -> None:
        if self.list is not None:
            self._telling(self.list.check_writable)

    def _telling(self, what: Callable[[], object]) -> None:
        """Do something, and tell the user where it fails."""
        try:
            what()
        except UnetNapariError as error:
            self.told.emit(str(error), True)


browsers: WeakKeyDictionary[ViewerModel, Browser] = WeakKeyDictionary()
"""The list of images of each viewer that has had a dock."""


def browser_of(viewer: ViewerModel) -> Browser:
    """Return the list of images of a viewer, which its docks share."""
    if viewer not in browsers:
        browsers[viewer] = Browser(viewer)
    return browsers[viewer]
