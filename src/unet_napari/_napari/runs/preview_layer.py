"""The live prediction: what the network in training makes of the slice that the user sees."""

import math
from dataclasses import replace

from napari.components import ViewerModel
from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, QTimer

from napari.layers import Image, Labels
from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.layer_axes import (
    ViewPlace,
    array_of,
    current_slice,
    current_view,
    image_of,
    output_axes,
)
from unet_napari._napari.layers.ownership import note_ndim
from unet_napari._napari.layers.parts import BREADTH, DEPTH, ImagePart, cut_out, part_around
from unet_napari._napari.layers.results import Purpose, write_result
from unet_napari._napari.layers.spots import Spot, note_spots, placed
from unet_napari.engine import Preview, PreviewRequest
from unet_napari.errors import ResourceError
from unet_napari.images import Image as ImageData

__all__ = ["PURPOSE", "PreviewUpdates", "visible_place"]

PURPOSE = Purpose("prediction", key="live prediction")

_POLL = 400  # milliseconds between looks at where the user is; sliders and camera need no events
_LARGEST_SLICE = {2: 1024 * 1024, 3: 256 * 256}  # pixels of a slice, by axes of the network


class PreviewUpdates:
    """Keeps a labels layer up to date with the training, where the user looks.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    job : Job
        The engine that trains.
    background : Background
        Reads the pixels that the engine is shown.
    owner : QObject
        The updates end when Qt destroys it.
    image : napari.layers.Image
        What to predict.
    labels : napari.layers.Labels
        What is painted on; the prediction appears below it.
    seen : Image
        The image as it is trained on: its axes, and the channel if that is one alone.
    ndim : int
        Spatial axes of the network.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        job: Job,
        background: Background,
        owner: QObject,
        image: Image,
        labels: Labels,
        *,
        seen: ImageData,
        ndim: int,
    ) -> None:
        self._viewer, self._job, self._background = viewer, job, background
        self._image, self._labels = image, labels
        self._axes, self._ndim = seen.axes, ndim
        self._channel = {"C": seen.fixed["C"]} if "C" in seen.fixed else {}
        self._context = {"Z": DEPTH} if ndim == 3 else {}
        self._asked = 0  # the number of the latest request is its key
        self._place: ViewPlace | None = None  # of the latest request
        self._part: ImagePart | None = None  # that belongs to it
        self._timer = QTimer(owner)
        self._timer.setInterval(_POLL)
        self._timer.timeout.connect(self._look)
        self._timer.start()
        image.events.data.connect(self._end)
        self._look()

    def stop(self) -> None:
        """Ask for nothing any more; the layer stays as it is."""
        self._image.events.data.disconnect(self._end)
        self._timer.stop()

    def show(self, preview: Preview) -> None:
        """Write a prediction into the layer, unless the user has moved on.

        Where there is no room for it, say so once; the training goes on.
        """
        current, place = self._part, self._place
        if current is None or place is None or preview.key != str(self._asked):
            return
        if self._image not in self._viewer.layers:
            return
        part = current.flattened(preview.labels[tuple(slice(*pair) for pair in current.inner)])
        try:
            layer = write_result(
                self._viewer,
                self._image,
                self._axes,
                part,
                place,
                purpose=PURPOSE,
                below=self._labels,
            )
        except ResourceError as error:
            if self._timer.isActive():
                show_warning(str(error))
            self._end()
        else:
            note_ndim(layer, self._ndim)
            note_spots(layer, self._spots(preview, current))

    def _spots(self, preview: Preview, part: ImagePart) -> list[Spot]:
        """Return where the prediction is doubtful; of a slab, in the plane that is shown."""
        spans = dict(zip(part.outer.region, part.inner, strict=True))
        region, shown = {}, []
        for letter, cut in part.outer.region.items():
            region[letter] = (cut.start, cut.stop)
        flat = [letter for axis, letter in enumerate(spans) if axis in part.points]
        for item in preview.doubtful:
            at = dict(zip(spans, item.point, strict=True))
            at |= {letter: spans[letter][0] for letter in flat}
            if all(spans[letter][0] <= place < spans[letter][1] for letter, place in at.items()):
                shown.append(replace(item, point=tuple(at.values())))
        return placed(shown, output_axes(self._axes), region, part.outer.index)

    def _look(self) -> None:
        """Ask for the part of the image that the user looks at, if it is another one now."""
        if self._image not in self._viewer.layers:
            self.stop()
            return
        place = visible_place(self._viewer, self._image, self._axes, _LARGEST_SLICE[self._ndim])
        if place == self._place:
            return
        self._place = place
        self._asked += 1
        key = str(self._asked)
        image = image_of(self._image, self._axes).select(**self._channel)
        part = part_around(place, image.axes, image.data.shape, self._context)
        self._part = part
        sizes = dict(zip(image.axes, image.data.shape, strict=True))
        where = {letter: (at, at + 1) for letter, at in part.outer.index.items()}
        for letter, cut in part.outer.region.items():
            where[letter] = cut.indices(sizes[letter])[:2]

        def prepare() -> PreviewRequest:
            shared = self._job.share(cut_out(image, part.outer), snapshot=True)
            return PreviewRequest(shared, key, place.index.get("T"), where)

        self._background.run(prepare, self._job.tell, _ignore)

    def _end(self, *_: object) -> None:
        """Show nothing any more, as the layer shows another image than the one trained on."""
        self.stop()
        self._part = None


def _ignore(_: Exception) -> None:
    """Go on: a prediction that cannot be shown must not end the training."""


def visible_place(viewer: ViewerModel, layer: Image, axes: str, largest: int) -> ViewPlace:
    """Return the current slice, or the middle of what the canvas shows of a large one."""
    place = current_slice(viewer, layer, axes)
    shape = dict(zip(axes, array_of(layer).shape, strict=True))
    plane = [letter for letter in "ZYX" if letter in shape and letter not in place.index]
    if "".join(plane) != "YX":  # rows or columns: their neighbours are looked at as well
        largest //= 2 * BREADTH + 1
    if math.prod(shape[letter] for letter in plane) <= largest:
        return place
    view = current_view(viewer, layer, axes)
    side = math.isqrt(largest)
    region = {}
    for letter in plane:
        start, stop, _ = view.region.get(letter, slice(None)).indices(shape[letter])
        if stop - start > side:
            start = (start + stop - side) // 2
            stop = start + side
        region[letter] = slice(start, stop)
    return ViewPlace(place.index, region)
