"""Objects of a region that keep their numbers over time. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unet_napari.errors import SettingsError
from unet_napari.geometry import Box
from unet_napari.inference.running.linking import Links

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unet_napari.tasks.decoding.blocks import Store

__all__ = ["link_frames"]


def link_frames(out: Store, windows: Sequence[tuple[tuple[int, ...], Box]], highest: int) -> int:
    """Give the objects of each frame the numbers of those that they overlap in the frame before.

    Parameters
    ----------
    out : array of uint32
        Labels of the region, (T, *S), and nothing else.
    windows : sequence of (tuple of int, Box)
        Where they are: time point, and box of the other axes.
    highest : int
        The highest number that was in `out` before.

    Returns
    -------
    int
        The highest number that there is now.

    Raises
    ------
    SettingsError
        If there were labels in `out` before, whose numbers are not known over time.
    """
    if highest:
        raise SettingsError(
            "Cells of a region keep their numbers over time only in a result of their own: leave "
            "link off, or leave out away."
        )
    if not windows:
        return 0
    around = Box.around(box for _, box in windows)
    frames = [index[0] for index, _ in windows]
    links, top = Links(np.zeros(around.shape, np.uint32)), 0
    for frame in range(min(frames), max(frames) + 1):
        key = (frame, *around.to_slices())
        there = np.asarray(out[key])
        numbers, place = np.unique(there, return_inverse=True)
        first = 0 if numbers[0] == 0 else 1
        labels = (place.reshape(there.shape) + first).astype(np.uint32)
        for _ in links.renumber(labels):
            pass
        out[key] = labels
        top = max(top, int(labels.max(initial=0)))
    return top
