"""Paint that means background: a number of a labels layer that is reserved for it.

Works on layers; knows no Qt.
"""

from typing import Any

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap
from numpy.typing import NDArray

from napari.layers import Labels
from unet_napari._napari.layers.empty_array import painted_parts
from unet_napari._napari.layers.layer_axes import array_of
from unet_napari.errors import LabelsError
from unet_napari.labels.sparse import boxes

__all__ = [
    "background_number",
    "highest_painted",
    "hold_background",
    "hold_new_cell",
    "is_background_held",
    "reserve_background",
    "restore_background",
]

_KEY = "unet-napari background"  # in a layer's metadata
_NUMBER = 65535  # the largest that the layers of New hold, so that cells do not get there
_GREY = (0.55, 0.55, 0.55, 1.0)
_NEW_LABEL = "m"  # napari's key for a number above all others


def background_number(layer: Labels) -> int | None:
    """Return the number that means background in a layer; None where none is reserved."""
    number = layer.metadata.get(_KEY)
    return None if number is None else int(number)


def restore_background(layer: Labels, number: int) -> None:
    """Reserve the number for background that a layer's labels were saved with."""
    layer.metadata = {**layer.metadata, _KEY: number}
    _show_grey(layer, number)
    # napari's own goes one above all numbers, which is one too many here.
    layer.bind_key(_NEW_LABEL, hold_new_cell, overwrite=True)


def reserve_background(layer: Labels) -> int:
    """Return the number that means background in a layer, reserved from now on and shown grey.

    Raises
    ------
    LabelsError
        If that number is a cell's: of a layer of 255 numbers it may be.
    """
    number = background_number(layer)
    if number is not None:
        return number
    largest = int(np.iinfo(array_of(layer).dtype).max)
    number = min(_NUMBER, largest)
    if largest < _NUMBER and highest_painted(layer, above=number - 1):
        raise LabelsError(
            f"The layer {layer.name} holds numbers up to {largest} only, and {number} is painted "
            "already, so that no number is left for the background: paint on a layer of New."
        )
    restore_background(layer, number)
    return number


def is_background_held(layer: Labels) -> bool:
    """Tell whether the brush paints background."""
    return bool(layer.selected_label == background_number(layer))


def hold_background(layer: Labels) -> None:
    """Take the brush for background in hand; if it is in hand already, the brush for a new cell.

    Raises
    ------
    LabelsError
        See `reserve_background`.
    """
    if is_background_held(layer):
        hold_new_cell(layer)
    else:
        layer.selected_label = reserve_background(layer)
    layer.mode = "paint"


def hold_new_cell(layer: Labels) -> None:
    """Give the brush the number above those of all cells."""
    layer.selected_label = highest_painted(layer, below=background_number(layer)) + 1


def highest_painted(layer: Labels, *, above: int = 0, below: int | None = None) -> int:
    """Return the highest painted number within limits, 0 if there is none."""
    data = array_of(layer)
    painted = painted_parts(data)
    data = data if painted is None else painted
    highest = 0
    for box in boxes(data):
        block = np.asarray(data[box.to_slices()])
        within = block > above
        if below is not None:
            within &= block < below
        highest = max(highest, int(block[within].max(initial=0)))
    return highest


def _show_grey(layer: Labels, number: int) -> None:
    """Show a number in grey; the others keep their colours."""
    colormap: Any = layer.colormap
    if not isinstance(colormap, CyclicLabelColormap):  # colours that the user has chosen
        return
    cycle: NDArray[np.float32] = np.asarray(colormap.colors)[1:]
    # napari cannot show labels of more than 16 bits in so many colours: a third of them does, as
    # the number is a multiple of it.
    count = number if array_of(layer).dtype.itemsize <= 2 else number // 3
    colours = np.zeros((count + 1, 4), np.float32)
    colours[1:] = cycle[np.arange(count) % len(cycle)]
    colours[count] = _GREY
    layer.colormap = CyclicLabelColormap(
        name="label_colormap",
        display_name="low discrepancy colors",
        colors=colours,
        controls=np.linspace(0, 1, len(colours) + 1),
        interpolation="zero",
        background_value=colormap.background_value,
        seed=colormap.seed,
    )
