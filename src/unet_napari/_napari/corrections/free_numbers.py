"""The next free number of a labels layer, without looking through all of it every time."""

from weakref import WeakKeyDictionary

import numpy as np

from napari.layers import Labels
from unet_napari._napari.layers.background_paint import background_number, highest_painted
from unet_napari._napari.layers.layer_axes import array_of
from unet_napari.errors import LabelsError

__all__ = ["free_number", "note_number"]

_highest: WeakKeyDictionary[Labels, int] = WeakKeyDictionary()


def free_number(layer: Labels, *, above: int = 0, reserved: int | None = None) -> int:
    """Return the next number that no label of a layer has.

    Parameters
    ----------
    layer : napari.layers.Labels
    above : int
        Numbers up to this one are not free either.
    reserved : int, optional
        The number that means background; it is neither free nor counted.

    Raises
    ------
    LabelsError
        If the type of the layer's numbers has no more room.
    """
    array = array_of(layer)
    if layer not in _highest:
        _highest[layer] = highest_painted(layer, below=reserved)
        layer.events.paint.connect(_note_paint)
        layer.events.data.connect(_forget)
    number = max(_highest[layer], above) + 1
    number += number == reserved
    limit = int(np.iinfo(array.dtype).max)
    if number > limit:
        raise LabelsError(
            f"'{layer.name}' holds numbers up to {limit} only, and all are used: convert it to "
            "uint32 (right-click it in the list of layers), or start a new one with New."
        )
    return number


def note_number(layer: Labels, number: int) -> None:
    """Take note of a number that was painted, unless it means background."""
    if number != background_number(layer) and layer in _highest:
        _highest[layer] = max(_highest[layer], number)


def _note_paint(event: object) -> None:
    layer = getattr(event, "source")  # noqa: B009  napari's events have it at run time
    known = _highest.get(layer)
    if known is not None and int(layer.selected_label) != background_number(layer):
        _highest[layer] = max(known, int(layer.selected_label))


def _forget(event: object) -> None:
    _highest.pop(getattr(event, "source"), None)  # noqa: B009
