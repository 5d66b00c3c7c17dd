"""Tasks in which every painted id is one object, such as a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unet_napari.tasks.kinds.kind import Labelled, TaskKind, Units, ZeroRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ObjectKind"]

_ONLY_GROUP = 1  # all objects are alike
_BACKGROUND = 0
_OBJECT_SHARE = 0.75  # of the patches; the others are laid around background
_TABLE_IDS = 2**20  # ids up to this are looked for as they are, others are numbered first


@dataclass(frozen=True)
class ObjectKind(TaskKind):
    """A task whose ids are numbers of separate objects; see `TaskKind`."""

    separates_objects: ClassVar[bool] = True
    zero_rule: ClassVar[ZeroRule] = "nearby"
    fewest_ids: ClassVar[int] = 1
    fewest_units: ClassVar[int] = 5

    def anchors(self, part: Labelled) -> Mapping[int, NDArray[np.integer]]:
        """Return one pixel of each object, so that large ones are not drawn more often.

        The group 0 holds all annotated pixels of the background.
        """
        known = np.flatnonzero(part.annotated)
        labels = part.labels.ravel()[known]
        background = known[labels == 0]
        anchors = {_BACKGROUND: background} if len(background) else {}
        ids, first = np.unique(labels, return_index=True)
        objects = known[first[ids > 0]]
        return {**anchors, _ONLY_GROUP: objects} if len(objects) else anchors

    def anchor_share(self, group: int) -> float:
        """Return 3/4 for objects and 1/4 for background."""
        return _OBJECT_SHARE if group == _ONLY_GROUP else 1 - _OBJECT_SHARE

    def groups(self, parts: Sequence[Labelled]) -> Sequence[int]:
        """Return the one group of all objects."""
        del parts
        return [_ONLY_GROUP]

    def units(self, part: Labelled, group: int) -> Units:
        """Return the boxes of the annotated objects, in pixels of the part."""
        from scipy import ndimage  # takes half a second, and the docks load this module

        del group
        objects = part.labels * part.annotated
        if objects.max() > _TABLE_IDS:  # find_objects makes a list as long as the highest id
            ids, numbers = np.unique(objects, return_inverse=True)
            objects = numbers.reshape(objects.shape).astype(np.int32) + np.int32(ids[0] != 0)
        boxes = [box for box in ndimage.find_objects(objects) if box is not None]
        shape = (len(boxes), part.labels.ndim)
        start = np.array([[side.start for side in box] for box in boxes], int)
        stop = np.array([[side.stop for side in box] for box in boxes], int)
        return Units(start.reshape(shape).T, stop.reshape(shape).T, np.ones(len(boxes)))

    def count_objects(self, part: Labelled) -> int:
        """Return the number of ids that have an annotated pixel."""
        return int(np.unique(part.labels[part.annotated & (part.labels > 0)]).size)

    def drawing_weight(self, part: Labelled) -> int:
        """Return the number of objects, so that each is drawn alike."""
        return self.count_objects(part)

    def enough_objects(self, count: int) -> bool:
        """Tell whether so many objects are enough for a score."""
        return count >= self.fewest_units

    def why_no_score(self, count: int) -> str:
        """Return how many objects were held out, and how many a score needs."""
        return f"{count} of {self.fewest_units} {self.things}"

    def scarcest(self, parts: Sequence[Labelled]) -> tuple[int, str]:
        """Return the number of objects and their noun."""
        return sum(map(self.count_objects, parts)), self.things

    def compact_ids(self, labels: NDArray[np.generic]) -> NDArray[np.integer]:
        """Return labels as int32; objects with larger ids are numbered anew."""
        if labels.dtype == bool or int(labels.max()) < 2**31:
            return labels.astype(np.int32)
        ids, inverse = np.unique(labels, return_inverse=True)
        first = 0 if ids[0] == 0 else 1
        numbers: NDArray[np.integer] = inverse.reshape(labels.shape) + first
        return numbers.astype(np.int32)

    def decisions(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return where objects are, as the numbers of objects are arbitrary."""
        return np.asarray(labels > 0)
