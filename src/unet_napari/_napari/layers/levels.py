"""Large arrays for layers, as pyramids of which napari reads no more than it shows."""

from typing import Any

from unet_napari.images import LazyArray

__all__ = ["shown_data"]

# napari reads the whole plane of a layer without levels: 4 bytes for each pixel, and as much
# again for its colours. Layers with levels cannot be painted on.
_LARGEST_PLANE = 1 << 26  # pixels
# Pixels across. A layer and its thumbnail show the coarsest level before all others, which must not
# touch many pages of a sparse file.
_SMALLEST_LEVEL = 256


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
