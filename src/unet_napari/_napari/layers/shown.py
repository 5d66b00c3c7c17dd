"""How results are shown: large ones as pyramids, and none so that it is taken for paint."""

import math
from typing import Any
from weakref import ref

from napari.components import ViewerModel
from napari.utils.colormaps import label_colormap

from napari.layers import Labels
from unet_napari.images import LazyArray

__all__ = ["look_predicted", "shown_data"]

# napari reads the whole plane of a layer without levels: 4 bytes for each pixel, and as much
# again for its colours. Layers with levels cannot be painted on.
_LARGEST_PLANE = 1 << 26  # pixels
# Pixels across. A layer and its thumbnail show the coarsest level before all others, which must not
# touch many pages of a sparse file.
_SMALLEST_LEVEL = 256

# As many colours as paint has in napari, from another place of the same sequence.
_COLOUR_COUNT, _COLOUR_SEED = 49, 0.81
_FILLED_OPACITY = 0.4  # of cells without outlines; paint has 0.7
_OUTLINE_WIDTH = 2  # pixels of the labels
# Napari computes the outlines of a whole plane at once: a tenth of a second for so many pixels.
_OUTLINED_PIXELS = 1 << 21
_PAINTING_MODES = ("paint", "erase", "fill", "polygon")


def shown_data(array: LazyArray) -> Any:  # noqa: ANN401  what napari takes as a layer's data
    """Return an array as the data of a layer: itself, or of a large one a list of its levels.

    The levels are views of the array: what is written to it shows in all of them.
    """
    height, width = array.shape[-2:]
    if height * width <= _LARGEST_PLANE:
        return array
    levels = [array]
    while max(levels[-1].shape[-2:]) > _SMALLEST_LEVEL:
        levels.append(levels[-1][..., ::2, ::2])
    return levels


def look_predicted(viewer: ViewerModel, layer: Labels) -> None:
    """Show labels in colours of their own: cells as outlines, so that the image stays visible.

    They are filled in the 3D display, which has no outlines, and while the user paints on the
    layer; in very large planes they are filled as well, but more transparent than paint.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    layer : napari.layers.Labels
        A result that is about to be added; it may vanish before the viewer does.
    """
    layer.colormap = label_colormap(_COLOUR_COUNT, seed=_COLOUR_SEED)
    if layer.multiscale or math.prod(layer.data.shape[-2:]) > _OUTLINED_PIXELS:
        layer.opacity = _FILLED_OPACITY
        return
    known, wanted = ref(layer), _OUTLINE_WIDTH

    def follow(_: object = None) -> None:
        nonlocal wanted
        shown = known()
        if shown is None:
            viewer.dims.events.ndisplay.disconnect(follow)
            return
        filled = viewer.dims.ndisplay == 3 or str(shown.mode) in _PAINTING_MODES
        if filled and shown.contour:
            wanted, shown.contour = shown.contour, 0
        elif not filled and not shown.contour:
            shown.contour = wanted

    follow()
    layer.events.mode.connect(follow)
    # First, as napari warns of outlines that it is asked to show in 3D.
    viewer.dims.events.ndisplay.connect(follow, position="first")
