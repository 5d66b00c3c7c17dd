"""The marks on doubtful cells: a ring around the present one, and points on the others."""

from collections.abc import Sequence

import numpy as np
from napari.components import ViewerModel

from napari.layers import Labels, Points
from unet_napari._napari.layers.layer_axes import geometry
from unet_napari._napari.layers.spots import Spot

__all__ = ["SpotLayer"]

_PRESENT, _OTHER = "yellow", "orange"
_AROUND = 1.6  # times the diameter of the cell


class SpotLayer:
    """A points layer of ours, which is there while there is something to mark.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Points | None = None

    def show(
        self, others: Sequence[Spot], present: Spot | None, *, like: Labels | None = None
    ) -> None:
        """Mark some cells, and the present one with a ring of its own.

        Parameters
        ----------
        others : sequence of Spot
        present : Spot or None
        like : napari.layers.Labels, optional
            The labels that the spots are pixels of; by default those of the last time.
        """
        spots = [spot for spot in others if spot != present]
        spots += [] if present is None else [present]
        if not spots:
            self.close()
            return
        layer = self._layer_on(like)
        if layer is None:
            return
        ndim = layer.ndim
        colours = [_OTHER] * len(spots)
        if present is not None:
            colours[-1] = _PRESENT
        layer.data = np.array([spot.point for spot in spots], float).reshape(-1, ndim)
        layer.size = [_AROUND * _diameter(spot, ndim) for spot in spots]
        layer.border_color = colours
        layer.face_color = "transparent"
        layer.features = {
            "doubt": [round(spot.doubt, 3) for spot in spots],
            "reason": [spot.reason for spot in spots],
        }
        layer.selected_data = set()

    def close(self) -> None:
        """Take the marks out of the viewer."""
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            active = self._viewer.layers.selection.active
            self._viewer.layers.remove(layer)
            if active is not layer:
                self._viewer.layers.selection.active = active

    def _layer_on(self, like: Labels | None) -> Points | None:
        """Return the layer, made anew where the user has removed it."""
        known = self._layer
        if known is not None and known in self._viewer.layers:
            return known
        if like is None:
            return None
        active = self._viewer.layers.selection.active
        made = Points(
            np.empty((0, like.ndim)),
            name="doubtful cells",
            ndim=like.ndim,
            border_width=0.08,
            border_width_is_relative=True,
            **geometry(like, "Z" * like.ndim),
        )
        made.editable = False
        self._viewer.layers.append(made)
        self._viewer.layers.selection.active = active
        self._layer = made
        return made


def _diameter(spot: Spot, ndim: int) -> float:
    """Return about how large a cell is, in pixels, so that the ring goes around it."""
    return float(max(6.0, 1.2 * spot.size ** (1 / min(ndim, 3))))
