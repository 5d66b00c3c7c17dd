"""The choice of a layer, which stays with its layer whatever happens to the others."""

from typing import Any
from weakref import WeakSet

from magicgui.type_map import get_widget_class
from magicgui.widgets import ComboBox

from napari.layers import Layer
from unet_napari._napari.widgets.narrow import make_narrow

__all__ = ["LayerCombo", "layer_choice"]


class LayerCombo(ComboBox):
    """A choice among the viewer's layers of one type, which stays with the layer it shows.

    napari refills the choices whenever layers are added, renamed, removed or reordered. A
    `ComboBox` finds its choice again by name, so it loses a layer that is renamed and jumps to
    another when its own is removed. This one finds it by identity, and is empty when it is gone.

    Parameters
    ----------
    placeholder : str
        What is shown while no layer is chosen.
    **options
        Options of `magicgui.widgets.ComboBox`; `annotation` is the layer type.
    """

    def __init__(self, placeholder: str, **options: Any) -> None:  # noqa: ANN401
        self.null_string = placeholder
        self.untouched = True
        self._passed_over: WeakSet[Layer] = WeakSet()  # those that were there when it got empty
        super().__init__(**options)
        make_narrow(self.native)
        self.changed.connect(self._touch)

    def reset_choices(self, *_: object) -> None:
        """Refill the choices and keep the layer that is chosen, or none if it is gone."""
        chosen = self.value
        with self.changed.blocked():
            self.native.clear()
            super().reset_choices()
            self.value = chosen if chosen in self.choices else None
        if self.value is not chosen:
            self.changed.emit(self.value)
            # Nothing is silently put in its place, but a layer that is added later may be meant.
            self.untouched = True
            self._passed_over = WeakSet(layer for layer in self.choices if layer is not None)

    def suggest(self, layer: object) -> None:
        """Choose a layer for the user, as long as nobody has chosen one before.

        Where the choice was removed, only a layer counts that has been added since.
        """
        if not self.untouched or layer is None or layer not in self.choices:
            return
        if layer not in self._passed_over:
            self.value = layer

    def _touch(self, layer: object) -> None:
        self.untouched = False
        self.native.setToolTip(f"{self.tooltip}\n\n{layer}" if layer is not None else self.tooltip)


def layer_choice(
    name: str, layer_type: type[Layer], placeholder: str, tooltip: str, *, label: str | None = None
) -> LayerCombo:
    """Return a choice among the viewer's layers of a type; napari fills it by the annotation."""
    _, options = get_widget_class(annotation=layer_type | None)
    return LayerCombo(
        placeholder, name=name, annotation=layer_type, label=label, tooltip=tooltip, **options
    )
