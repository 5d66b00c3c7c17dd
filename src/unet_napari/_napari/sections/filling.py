"""A result layer that is shown while the engine still fills in its pixels."""

import time
from typing import Any

from napari.components import ViewerModel
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari.layers import Image, Layer
from unet_napari._napari.layers.layer_axes import array_of
from unet_napari._napari.layers.ownership import note_highest, writing
from unet_napari._napari.layers.parts import time_in_place
from unet_napari._napari.layers.results import Purpose, find_result, show_result
from unet_napari._napari.layers.shown import shown_data
from unet_napari.geometry import Box

__all__ = ["FillingLayer"]

_INTERVAL = 0.5  # seconds between two looks at what is new
# After a look there is none for so many times its duration, so that large slices are no burden.
_REST_FACTOR = 20.0


class FillingLayer:
    """The labels of a whole image, shown as they are found.

    A new layer appears at once. One of an earlier run keeps its labels until there are new ones,
    and gets them back if the run comes to nothing. It cannot be painted on meanwhile.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : napari.layers.Image
        What is segmented.
    axes : str
        The axes of the image's array.
    purpose : Purpose
        Purpose of the labels, see `show_result`.
    data : ndarray
        Array that the engine writes to, time first.
    parent : QWidget
        Widget without which the layer is not refreshed any more.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        image: Image,
        axes: str,
        purpose: Purpose,
        data: NDArray[Any],
        parent: QWidget,
    ) -> None:
        self._viewer, self._image, self._axes, self._purpose = viewer, image, axes, purpose
        self._data = time_in_place(data, axes)
        self._layer: Layer | None = None
        self._earlier = find_result(viewer, image, purpose)
        self._earlier_data = None if self._earlier is None else array_of(self._earlier)
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(int(1000 * _INTERVAL))
        self._timer.timeout.connect(self._refresh)
        if self._earlier is None:
            self._show()

    @property
    def shown(self) -> bool:
        """Whether the layer is in the viewer."""
        return self._layer is not None and self._layer in self._viewer.layers

    def note(self, box: Box) -> None:
        """Show soon what was filled in, if it is where the user looks.

        Parameters
        ----------
        box : Box
            A part of the data, time first; without time it may be of the spatial axes alone.
        """
        if self._layer is None:
            self._show()
        elif not self._timer.isActive() and self._is_visible(box):
            self._timer.start()

    def finish(self, highest: int) -> Layer:
        """Show the whole result: in the layer, or in a new one if the user has removed it.

        No label is above `highest`.
        """
        self._timer.stop()
        layer = self._layer
        if layer is None or layer not in self._viewer.layers:
            layer = self._show()
        layer.editable = not layer.multiscale
        with writing(layer):  # the engine has written to it
            layer.refresh()
        note_highest(layer, highest)
        return layer

    def undo(self) -> None:
        """Leave everything as it was before the run."""
        self._timer.stop()
        layer, self._layer = self._layer, None
        if layer is None or layer not in self._viewer.layers:
            return
        earlier, data = self._earlier, self._earlier_data
        if earlier is None or data is None or layer is not earlier:
            self._viewer.layers.remove(layer)
            return
        with writing(earlier):
            earlier.data = shown_data(data)
        earlier.editable = not earlier.multiscale

    def _show(self) -> Layer:
        where = (self._viewer, self._image, self._axes)
        layer = show_result(*where, self._data, self._purpose)
        layer.editable = False
        self._layer = layer
        return layer

    def _is_visible(self, box: Box) -> bool:
        """Tell whether the position of the sliders is in a box."""
        if self._layer is None:
            return False
        dims = self._viewer.dims
        hidden = dims.ndim - self._layer.ndim
        point = self._layer.world_to_data(dims.point)
        return all(
            axis + hidden in dims.displayed or start <= round(point[axis]) < stop
            for axis, (start, stop) in enumerate(self._in_place(box).spans)
        )

    def _in_place(self, box: Box) -> Box:
        """Order the axes of a box as the layer has them."""
        letters = self._axes.replace("C", "")
        if "T" not in letters:
            return box
        frame, *space = box.spans if box.ndim == len(letters) else box.prepend((0,)).spans
        space.insert(letters.index("T"), frame)
        return Box.from_spans(space)

    def _refresh(self) -> None:
        if self._layer is None or not self.shown:
            return
        start = time.monotonic()
        self._layer.refresh(extent=False, thumbnail=False, highlight=False)
        rest = max(_INTERVAL, _REST_FACTOR * (time.monotonic() - start))
        self._timer.setInterval(int(1000 * rest))
