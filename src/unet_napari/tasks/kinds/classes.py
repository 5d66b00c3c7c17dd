"""Tasks in which every painted id is a class of pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from unet_napari.tasks.kinds.kind import Labelled, TaskKind, Units, ZeroRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ClassKind", "count_pixels"]

_CUTTING_PIXELS = 20_000  # so many pixels of a class are enough to decide where to cut


@dataclass(frozen=True)
class ClassKind(TaskKind):
    """A task whose ids are classes of pixels; see `TaskKind`."""

    separates_objects: ClassVar[bool] = False
    zero_rule: ClassVar[ZeroRule] = "ignore"
    fewest_ids: ClassVar[int] = 2
    fewest_units: ClassVar[int] = 100

    def anchors(self, part: Labelled) -> Mapping[int, NDArray[np.integer]]:
        """Return the annotated pixels of each class."""
        known = np.flatnonzero(part.annotated)
        labels = part.labels.ravel()[known]
        return {int(number): known[labels == number] for number in np.unique(labels)}

    def anchor_share(self, group: int) -> float:
        """Return the same share for each class."""
        del group
        return 1.0

    def groups(self, parts: Sequence[Labelled]) -> Sequence[int]:
        """Return the classes."""
        return sorted(count_pixels(parts))

    def units(self, part: Labelled, group: int) -> Units:
        """Return the annotated pixels of a class, evenly thinned where they are many."""
        place = np.array(np.nonzero(part.annotated & (part.labels == group)))
        step = max(1, place.shape[1] // _CUTTING_PIXELS)
        place = place[:, ::step]
        return Units(place, place + 1, np.full(place.shape[1], float(step)))

    def count_objects(self, part: Labelled) -> int:
        """Return 0: a class is no object."""
        del part
        return 0

    def drawing_weight(self, part: Labelled) -> int:
        """Return the number of annotated pixels."""
        return int(part.annotated.sum())

    def enough_objects(self, count: int) -> bool:
        """Tell that no objects are needed for a score."""
        del count
        return True

    def why_no_score(self, count: int) -> str:
        """Return what was too little."""
        del count
        return "too few pixels of each class"

    def scarcest(self, parts: Sequence[Labelled]) -> tuple[int, str]:
        """Return the number of pixels of the class that has the fewest, and which class it is."""
        pixels, rarest = min((pixels, number) for number, pixels in count_pixels(parts).items())
        return pixels, f"pixels of class {rarest}"


def count_pixels(parts: Sequence[Labelled]) -> Counter[int]:
    """Return the number of annotated pixels of each id."""
    counts: Counter[int] = Counter()
    for part in parts:
        ids, pixels = np.unique(part.labels[part.annotated], return_counts=True)
        counts.update(dict(zip(ids.tolist(), pixels.tolist(), strict=True)))
    return counts
