"""An image of the list and its labels as they are on the disk, to be trained on."""

from dataclasses import dataclass

from unet_napari import images
from unet_napari._napari.collection.loaded_image import HeldPaint
from unet_napari._napari.sections.one_channel import one_channel
from unet_napari._napari.sections.paint import Snapshot
from unet_napari.collection.image_list import ImageEntry
from unet_napari.collection.paint_file import load_paint
from unet_napari.errors import LabelsError, without_warnings
from unet_napari.labels.label_axes import labels_axes
from unet_napari.labels.sparse import SparseArray

__all__ = ["FilePair"]


@dataclass(frozen=True)
class FilePair:
    """An image of the list that takes part in a training without being open.

    Attributes
    ----------
    listed : ImageEntry
        The image.
    paint : HeldPaint or None
        Its labels where they are in memory still.
    channel : str
        The channel that is trained on alone, as the user gives it.
    """

    listed: ImageEntry
    paint: HeldPaint | None
    channel: str

    def read(self) -> Snapshot | None:
        """Return image and labels, None if nothing is painted; takes as long as the disk.

        Raises
        ------
        UnetNapariError
            If one of them cannot be read, or they do not fit.
        """
        with without_warnings():  # nobody looks at this image now
            image = one_channel(images.read_image(self.listed.image), self.channel)
            if self.paint is not None:
                labels, background = self.paint.labels, self.paint.background
            elif self.listed.stored is not None:
                labels = load_paint(self.listed.stored, image)
                background = self.listed.facts.background
            else:
                raise LabelsError(f"The labels of '{self.listed.name}' are gone.")
        return Snapshot(
            image, SparseArray.of(labels), labels_axes(image), (), None, None, background
        )
