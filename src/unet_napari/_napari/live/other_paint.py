"""Tells somebody who paints in a layer that the running training does not learn from."""

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakSet

from napari.components import ViewerModel

from napari.layers import Labels, Layer
from unet_napari._napari.layers.ownership import is_made_for
from unet_napari._napari.sections.chosen import LayerPair
from unet_napari.errors import UnetNapariError

__all__ = ["OtherPaint"]


class OtherPaint:
    """Follows the strokes in all labels layers but those of the training.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    pairs : callable
        Returns the pairs that are trained on.
    warn : callable
        Shows a line; called once for each layer.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        pairs: Callable[[], Sequence[LayerPair]],
        warn: Callable[[str], None],
    ) -> None:
        self._viewer, self._pairs, self._warn = viewer, pairs, warn
        self._followed: WeakSet[Labels] = WeakSet()
        self._told: WeakSet[Labels] = WeakSet()
        viewer.layers.events.inserted.connect(self._on_inserted)
        for layer in viewer.layers:
            self._follow(layer)

    def close(self) -> None:
        """Follow nothing any more."""
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        for layer in self._followed:
            layer.events.paint.disconnect(self._on_paint)
        self._followed.clear()

    def _on_inserted(self, event: Any) -> None:  # noqa: ANN401  an event of napari's
        self._follow(event.value)

    def _follow(self, layer: Layer) -> None:
        if isinstance(layer, Labels) and layer not in self._followed:
            layer.events.paint.connect(self._on_paint)
            self._followed.add(layer)

    def _on_paint(self, event: Any) -> None:  # noqa: ANN401  an event of napari's
        layer = event.source
        pairs = self._pairs()
        if layer in self._told or any(pair.labels is layer for pair in pairs):
            return
        shown = [pair for pair in pairs if pair.labels in self._viewer.layers]
        own = next((pair for pair in shown if _lies_on(pair, layer)), None)
        if own is None:
            return
        self._told.add(layer)
        what = "the prediction" if is_made_for(layer, {}) else f"'{layer.name}'"
        self._warn(
            f"You paint in {what}, but the training learns from '{own.labels.name}': paint there."
        )


def _lies_on(pair: LayerPair, layer: Labels) -> bool:
    """Tell whether a layer could be the labels of a pair's image."""
    try:
        pair._replace(labels=layer, annotated=None).snapshot(copy=False)
    except UnetNapariError:
        return False
    return True
