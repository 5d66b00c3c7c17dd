"""What is painted on the images of a list: followed, saved, and kept where it cannot be saved."""

from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari.layers import Labels
from unet_napari._napari.collection.loaded_image import HeldPaint, LoadedImage
from unet_napari._napari.collection.paint_saver import PaintSaver
from unet_napari._napari.jobs.background_work import Background
from unet_napari.collection.image_list import ImageEntry, ImageList
from unet_napari.errors import UnetNapariError

__all__ = ["PaintKeeper"]


class PaintKeeper(QObject):
    """Keeps the paint of all images of a list, in their files or else in memory.

    Signals
    -------
    changed()
        Something else is known of an image.
    told(str, bool)
        A line for the user, and whether it is an error.

    Parameters
    ----------
    viewer : napari.components.ViewerModel

    Attributes
    ----------
    files : Background
        Reads and writes, in the order in which it is asked to.
    """

    changed = Signal()
    told = Signal(str, bool)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.files = Background()
        # By the file of the image:
        self._leaving: dict[Path, PaintSaver] = {}  # whose paint is not saved yet
        self._kept: dict[Path, HeldPaint] = {}  # paint that is not in the file of its image
        self._painted: dict[Path, bool] = {}

    @property
    def waits(self) -> bool:
        """Whether there is paint of closed images that is not saved yet."""
        return bool(self._leaving)

    def is_on(self, entry: ImageEntry) -> bool:
        """Tell whether an image has paint; of labels of other programs that is not looked at."""
        saved = entry.stored is not None and entry.facts.painted
        return entry.image in self._leaving or self._painted.get(entry.image, saved)

    def in_memory(self, entry: ImageEntry) -> HeldPaint | None:
        """Return the paint of an image whose file does not have it yet; None of all others."""
        leaving = self._leaving.get(entry.image)
        return self._kept.get(entry.image) if leaving is None else leaving.paint

    def follow(self, images: ImageList, loaded: LoadedImage, layer: Labels) -> PaintSaver:
        """Save what is painted in a layer from now on."""
        before = self._leaving.pop(loaded.listed.image, None)
        saver = PaintSaver(self._viewer, self.files, images, loaded, layer)
        saver.saved.connect(self._on_saved)
        saver.failed.connect(self._on_failed)
        if before is not None and not before.is_settled:
            saver.note()
        return saver

    def leave(self, saver: PaintSaver) -> None:
        """Follow a layer no more; its paint is kept until it is saved."""
        self._leaving[saver.image] = saver
        saver.leave()
        if saver.is_settled:
            self._leaving.pop(saver.image, None)

    def move(self, before: ImageList, now: ImageList, current: PaintSaver | None) -> None:
        """Save the paint that is not saved yet where another list has it."""
        for saver in (*self._leaving.values(), *(() if current is None else (current,))):
            if saver.images is before:
                saver.move(now)

    def _on_saved(self, saver: PaintSaver) -> None:
        image, target = saver.image, saver.paint.target
        self._painted[image] = bool(saver.painted)
        if self._leaving.get(image) is saver and saver.is_settled:
            del self._leaving[image]
        if not target.moved:
            try:
                saver.note_saved()
            except UnetNapariError as error:
                self.told.emit(str(error), True)
        elif image not in self._kept:
            self._kept[image] = saver.paint
            self.told.emit(
                f"'{saver.images[saver.name].labels.name}' was changed by another program since "
                "it was opened here. It stays as it is: your paint is saved in "
                f"'{target.path.name}'.",
                True,
            )
        self.changed.emit()

    def _on_failed(self, saver: PaintSaver, error: Exception) -> None:
        self.told.emit(f"The paint of '{saver.name}' is not saved: {error}", True)
        self.changed.emit()
