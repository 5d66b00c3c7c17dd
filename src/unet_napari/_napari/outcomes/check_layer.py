"""The lines around the cell that is checked, and around its territory."""

from collections.abc import Sequence

import numpy as np
from napari.components import ViewerModel
from napari.utils.events import Event

from napari.layers import Labels, Vectors
from unet_napari._napari.layers.layer_axes import array_of, geometry
from unet_napari._napari.layers.spots import go_to
from unet_napari._napari.outcomes.territory import Territory, outline, territory_of
from unet_napari.geometry import Box

__all__ = ["CheckLayer"]

_CELL, _TERRITORY = "yellow", "orange"
_LINE = 2.0  # pixels of the screen
_SMALLEST, _WANTED, _LARGEST = 24.0, 60.0, 600.0  # pixels of the screen that a cell takes


class CheckLayer:
    """A vectors layer of ours, which is there while there is a cell to look at.

    The keys of the check are bound to it, as no key of napari's own for such layers is a letter.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Vectors | None = None

    @property
    def shown(self) -> Vectors | None:
        """The layer, as long as it is in the viewer."""
        return self._layer if self._layer in self._viewer.layers else None

    def show(
        self, labels: Labels, point: Sequence[int], free: Sequence[int], bounds: Box
    ) -> Territory | None:
        """Go to a cell, select the layer, and draw the lines.

        Parameters
        ----------
        labels : napari.layers.Labels
            The labels that the cell is in.
        point : sequence of int
            A pixel of it.
        free : sequence of int
            The axes that a cell may reach along.
        bounds : Box
            The part of the labels that was segmented.

        Returns
        -------
        Territory or None
            None where the cell is gone.
        """
        spacing = [float(abs(size)) or 1.0 for size in labels.scale]
        found = territory_of(np.asarray(array_of(labels)), point, free, spacing, bounds=bounds)
        if found is None:
            return None
        layer = self.shown or self._made(labels)
        self._zoom_to(labels, found, free)
        go_to(self._viewer, labels, point)
        plane = self._plane(labels, free)
        start = found.box.start
        lines = [outline(mask, start, plane) for mask in (found.mask, found.own)]
        layer.data = np.concatenate(lines)
        layer.edge_color = [_TERRITORY] * len(lines[0]) + [_CELL] * len(lines[1])
        self._widen()
        self._viewer.layers.selection.active = layer
        return found

    def close(self) -> None:
        """Take the layer out of the viewer."""
        layer, self._layer = self._layer, None
        self._viewer.scene.camera.events.zoom.disconnect(self._widen)
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _made(self, labels: Labels) -> Vectors:
        layer = Vectors(
            np.zeros((0, 2, labels.ndim)),
            ndim=labels.ndim,
            name="count check",
            vector_style="line",
            **geometry(labels, "Z" * labels.ndim),
        )
        self._viewer.layers.append(layer)
        self._viewer.scene.camera.events.zoom.connect(self._widen)
        self._layer = layer
        return layer

    def _plane(self, labels: Labels, free: Sequence[int]) -> tuple[int, int]:
        """Return the axes of the labels that the canvas shows, else the last two."""
        dims = self._viewer.dims
        shown = tuple(axis - (dims.ndim - labels.ndim) for axis in dims.displayed)
        if len(shown) == 2 and set(shown) <= set(free):
            return shown[0], shown[1]
        return free[-2], free[-1]

    def _zoom_to(self, labels: Labels, found: Territory, free: Sequence[int]) -> None:
        """Change the zoom where the cell would be too small to judge, or larger than the screen."""
        extents = [np.ptp(np.nonzero(found.own)[axis]) + 1.0 for axis in self._plane(labels, free)]
        scale = [abs(labels.scale[axis]) or 1.0 for axis in self._plane(labels, free)]
        size = float(max(np.multiply(extents, scale)))
        camera = self._viewer.scene.camera
        if size * camera.zoom < _SMALLEST:
            camera.zoom = _WANTED / size
        elif size * camera.zoom > _LARGEST:
            camera.zoom = _LARGEST / size

    def _widen(self, _: Event | None = None) -> None:
        """Let the lines be as wide on the screen at each zoom."""
        layer = self.shown
        if layer is not None:
            pixel = min(abs(size) or 1.0 for size in layer.scale[-2:])
            layer.edge_width = _LINE / max(self._viewer.scene.camera.zoom, 1e-9) / pixel
