"""Numbers that stay from one time point to the next: an object has that of what it overlaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unet_napari.errors import SettingsError
from unet_napari.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unet_napari.images import Image
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.model.model import Model
    from unet_napari.tasks.decoding.blocks import Store

__all__ = ["Links", "is_linked"]

# Overlap over union from which on two objects are one: that of Cellpose's stitching of slices.
_LEAST_IOU = 0.25
# Voxels that are looked at a time.
_AT_ONCE = 2**22


def is_linked(image: Image, model: Model, config: InferenceConfig) -> bool:
    """Tell whether cells are to keep their numbers over time.

    Raises
    ------
    SettingsError
        If that is asked for where labels are classes, or where the slices of a stack stay apart.
    """
    if config.link == "off" or image.frames == 1:
        return False
    if not model.task.kind.separates_objects:
        raise SettingsError(
            f"Only cells have numbers to keep over time, but the labels of '{model.name}' are "
            "classes: leave link off."
        )
    if config.slicewise and image.ndim > model.ndim:
        raise SettingsError(
            "The outlines of single slices cannot keep their numbers over time: leave link or "
            "slicewise off."
        )
    return True


class Links:
    """Gives the objects of each frame the numbers of those that they overlap in the frame before.

    Two objects are one if each is the best match of the other and they share at least a quarter of
    their union; all others get numbers that no frame has had before.

    Parameters
    ----------
    before
        Room for the frame before, uint32 ``(*S)``.
    """

    def __init__(self, before: Store) -> None:
        self._before = before
        self._first = True
        self._highest = 0

    def renumber(self, labels: Store) -> Iterator[Box]:
        """Renumber a frame in place.

        Parameters
        ----------
        labels
            uint32 ``(*S)``: 1, 2, ... and 0 for what is no object.

        Yields
        ------
        Box
            Each part that has been written.
        """
        boxes = list(Box.whole(labels.shape).slabs_of(_AT_ONCE))
        numbers = self._numbers(labels, boxes)
        self._first = False
        self._highest = max(self._highest, int(numbers.max()))
        for box in boxes:
            part = box.to_slices()
            labels[part] = self._before[part] = numbers.take(labels[part])
            yield box

    def _numbers(self, labels: Store, boxes: list[Box]) -> NDArray[np.uint32]:
        """Return the number that each object of a frame gets, by its present one; 0 for 0."""
        pairs: dict[tuple[int, int], int] = {}
        for box in boxes:
            now = labels[box.to_slices()].ravel().astype(np.uint64)
            if not self._first:
                now |= self._before[box.to_slices()].ravel().astype(np.uint64) << np.uint64(32)
            values, counts = np.unique(now, return_counts=True)
            for value, count in zip(values.tolist(), counts.tolist(), strict=True):
                pair = (value >> 32, value & (2**32 - 1))
                pairs[pair] = pairs.get(pair, 0) + count
        count = max((new for _, new in pairs), default=0)
        kept = _best_of_each_other(pairs)
        numbers = np.zeros(count + 1, np.uint32)
        fresh = self._highest
        for new in range(1, count + 1):
            fresh += new not in kept
            numbers[new] = kept.get(new, fresh)
        return numbers


def _best_of_each_other(pairs: dict[tuple[int, int], int]) -> dict[int, int]:
    """Return which object before each new one is, given how many pixels each two share.

    Of several that are equally good, the one with the lowest number counts.
    """
    old_sizes: dict[int, int] = {}
    new_sizes: dict[int, int] = {}
    for (old, new), count in pairs.items():
        old_sizes[old] = old_sizes.get(old, 0) + count
        new_sizes[new] = new_sizes.get(new, 0) + count
    best_old: dict[int, tuple[float, int]] = {}
    best_new: dict[int, tuple[float, int]] = {}
    for (old, new), count in pairs.items():
        iou = count / (old_sizes[old] + new_sizes[new] - count)
        if old and new and iou >= _LEAST_IOU:
            best_old[new] = max(best_old.get(new, (0.0, 0)), (iou, -old))
            best_new[old] = max(best_new.get(old, (0.0, 0)), (iou, -new))
    return {new: -old for new, (_, old) in best_old.items() if best_new[-old][1] == -new}
