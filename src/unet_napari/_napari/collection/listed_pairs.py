"""Layers of the viewer that are in the list of images besides the files of a folder."""

from collections.abc import Callable, Sequence

from napari.layers import Layer
from unet_napari._napari.sections.chosen import LayerPair

__all__ = ["ListedPairs", "pair_title"]


class ListedPairs:
    """The pairs of an image and its labels that the user has added to the list.

    Parameters
    ----------
    layers : callable
        Returns the viewer's layers; pairs of removed layers leave the list.
    """

    def __init__(self, layers: Callable[[], Sequence[Layer]]) -> None:
        self._layers = layers
        self._pairs: list[LayerPair] = []
        self._left_out: list[LayerPair] = []

    def all(self) -> list[LayerPair]:
        """Return the pairs whose layers are still in the viewer."""
        layers = self._layers()
        there = [p for p in self._pairs if p.image in layers and p.labels in layers]
        self._pairs = [p if p.annotated in layers else p._replace(annotated=None) for p in there]
        return list(self._pairs)

    def taking_part(self) -> list[LayerPair]:
        """Return those that take part in a training."""
        return [pair for pair in self.all() if self.takes_part(pair)]

    def takes_part(self, pair: LayerPair) -> bool:
        """Tell whether a pair takes part in a training."""
        return not any(_same(pair, other) for other in self._left_out)

    def choose(self, pair: LayerPair, *, train: bool) -> None:
        """Say whether a pair takes part in a training."""
        self._left_out = [other for other in self._left_out if not _same(pair, other)]
        if not train:
            self._left_out.append(pair)

    def add(self, pair: LayerPair) -> None:
        """Add a pair, with its regions and axes as they are now."""
        self._pairs = [other for other in self._pairs if not _same(pair, other)]
        self._pairs.append(pair)
        self.choose(pair, train=True)

    def with_chosen(self, chosen: LayerPair | None) -> list[LayerPair]:
        """Return the chosen pair and those that take part, each once."""
        if chosen is None:
            return self.taking_part()
        return [chosen, *(pair for pair in self.taking_part() if not _same(pair, chosen))]


def pair_title(pair: LayerPair) -> str:
    """Return what the list calls a pair."""
    regions = "" if pair.annotated is None else f", complete in {pair.annotated.name}"
    return f"{pair.image.name} + {pair.labels.name}{regions}"


def _same(pair: LayerPair, other: LayerPair) -> bool:
    return pair.image is other.image and pair.labels is other.labels
