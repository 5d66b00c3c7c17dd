"""Further images with labels to train on, besides the ones chosen in the dock."""

from collections.abc import Callable, Sequence

from magicgui.widgets import Select

from napari.layers import Layer
from unet_napari._napari.sections.chosen import LayerPair
from unet_napari._napari.widgets.fields import button
from unet_napari._napari.widgets.form import FormRows

__all__ = ["PairList"]

_HEIGHT = 70  # pixels, about three pairs


class PairList:
    """A list of image-label pairs, filled from what is chosen in the dock.

    Parameters
    ----------
    rows : Rows
        The group that the list is added to.
    chosen : callable
        Returns the pair that is chosen in the dock, or None.
    layers : callable
        Returns the viewer's layers; pairs of removed layers leave the list.

    Attributes
    ----------
    on_added : callable
        Called with each pair that the user adds.
    """

    def __init__(
        self,
        rows: FormRows,
        chosen: Callable[[], LayerPair | None],
        layers: Callable[[], Sequence[Layer]],
    ) -> None:
        self._chosen = chosen
        self._layers = layers
        self._pairs: list[LayerPair] = []
        self.on_added: Callable[[LayerPair], None] = lambda _: None
        self.list = Select(
            name="pairs",
            tooltip="Image and labels that are trained on together with the ones chosen above.",
            choices=self._choices,
        )
        self.list.native.setFixedHeight(_HEIGHT)
        self.add_button = button(
            "add_pair", "Add chosen pair", "Also train on the image and labels chosen above."
        )
        self.remove_button = button(
            "remove_pair", "Remove", "Take the pairs that are selected here out of the list."
        )
        rows.add_wide(self.list)
        rows.add_beside(self.add_button, self.remove_button)
        self.add_button.changed.connect(self.add)
        self.remove_button.changed.connect(self.remove)

    def pairs(self) -> list[LayerPair]:
        """Return the pairs whose layers are still in the viewer."""
        layers = self._layers()
        there = [p for p in self._pairs if p.image in layers and p.labels in layers]
        self._pairs = [p if p.annotated in layers else p._replace(annotated=None) for p in there]
        return list(self._pairs)

    def with_chosen(self) -> list[LayerPair]:
        """Return the chosen pair and the ones in the list, each once."""
        chosen = self._chosen()
        if chosen is None:
            return self.pairs()
        return [chosen, *(pair for pair in self.pairs() if not _same(pair, chosen))]

    def add(self) -> None:
        """Put the chosen pair into the list, with its regions and axes as they are now."""
        chosen = self._chosen()
        if chosen is not None:
            self._pairs = [pair for pair in self._pairs if not _same(pair, chosen)]
            self._pairs.append(chosen)
        self.list.reset_choices()
        if chosen is not None:
            self.on_added(chosen)

    def remove(self) -> None:
        """Take the selected pairs out of the list."""
        selected = list(self.list.value)
        self._pairs = [pair for pair in self._pairs if pair not in selected]
        self.list.reset_choices()

    def _choices(self, _: object) -> list[tuple[str, LayerPair]]:
        return [(_title(pair), pair) for pair in self.pairs()]


def _same(pair: LayerPair, other: LayerPair) -> bool:
    return pair.image is other.image and pair.labels is other.labels


def _title(pair: LayerPair) -> str:
    regions = "" if pair.annotated is None else f", complete in {pair.annotated.name}"
    return f"{pair.image.name} + {pair.labels.name}{regions}"
