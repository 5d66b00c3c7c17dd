"""What small objects beside larger ones are, and what joining or dropping them would change.

Run with ``python benchmarks/cell_head/splinters.py MODEL IMAGES LABELS``; it takes as long as
segmenting the images. An object is small where its area is below a share of the median of its
image. MODEL should know what it sees in IMAGES, which are never those of its final score.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import torch
from scipy import ndimage

from unet_napari import predict
from unet_napari.evaluation.objects import match
from unet_napari.tasks import CellsTask
from unet_napari.tasks.decoding.cuts import cuts_within

sys.path.append(str(Path(__file__).parents[1]))
from asked_for import asked_for
from machine import conditions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

SHARES = (0.1, 0.15, 0.25, 0.4)
BOUNDARIES = (0.8, 0.9, 1.01)
CONFIDENCES = (0.86, 0.88, 0.9)
# Foreground, of 255, from which on a pixel may be part of a dim object around a small one.
DIM = 25
# An object is much larger than another from this ratio of areas on.
MUCH_LARGER = 1 / 0.35
FEWEST_OBJECTS = 4


@dataclass(frozen=True)
class Found:
    """What was found in one image; arrays have one entry for each id, 0 among them."""

    truth: NDArray[Any]
    labels: NDArray[np.uint32]
    area: NDArray[np.int64]  # pixels
    relative: NDArray[np.float64]  # area, over the median; infinite where there are few objects
    confidence: NDArray[np.float64]  # mean foreground, 0 to 1
    around: NDArray[np.int64]  # pixels of the dim foreground that it is part of
    contact: dict[tuple[int, int], tuple[float, float]]  # small, large: share of edge, boundary
    right: NDArray[np.bool_]  # whether it matches a true object

    @classmethod
    def of(cls, task: CellsTask, maps: NDArray[np.float32], truth: NDArray[Any]) -> Found:
        packed, labels = task.pack(maps), task.decode(maps)
        flat, count = labels.ravel(), int(labels.max()) + 1
        area = np.bincount(flat, minlength=count)
        few = count - 1 < FEWEST_OBJECTS
        relative = np.full(count, np.inf) if few else area / np.median(area[1:])
        total = np.bincount(flat, packed[0].ravel(), count)
        dim, _ = ndimage.label(packed[0] > DIM)
        around = np.zeros(count, np.int64)
        around[flat] = np.bincount(dim.ravel())[dim.ravel()]
        return cls(
            truth, labels, area, relative, total / np.maximum(area, 1) / 255, around,
            _contact(labels, packed[1], area), _right(truth, labels),
        )  # fmt: skip

    def change(self, target: Mapping[int, int]) -> NDArray[np.int64]:
        """Return how many objects are changed, right ones among them, and the change of TP, FP."""
        if not target:
            return np.zeros(4, np.int64)
        table = np.arange(len(self.area))
        for small in sorted(target, key=lambda i: -self.area[i]):
            table[small] = table[target[small]]
        hits = [
            len(match(self.truth, labels).matched_iou(0.5))
            for labels in (self.labels, table[self.labels])
        ]
        more = hits[1] - hits[0]
        right = int(self.right[list(target)].sum())
        return np.array([len(target), right, more, -len(target) - more])


def main() -> None:
    arguments, model, task = asked_for(__doc__)
    found = [
        Found.of(task, predict(tifffile.imread(file), model), tifffile.imread(labels))
        for file in sorted(arguments.images.iterdir())
        if (labels := arguments.labels / file.name).exists()
    ]
    objects = sum(len(each.area) - 1 for each in found)
    print(conditions(torch.get_num_threads()), f"{len(found)} images, {objects} objects.\n")
    print("| rule | objects | right before | TP | FP |\n|---|--:|--:|--:|--:|")
    for share in SHARES:
        for boundary in BOUNDARIES:
            row(f"joined: below {share:g}, boundary {boundary:g}", found, joined(share, boundary))
        for least in CONFIDENCES:
            row(f"dropped: below {share:g}, foreground {least:g}", found, dropped(share, least))
        row(f"dropped: below {share:g}, in a dim object", found, dropped(share, 2, larger=2))


def row(name: str, found: list[Found], rule: Callable[[Found], dict[int, int]]) -> None:
    count, right, hits, false = np.sum([each.change(rule(each)) for each in found], axis=0)
    print(f"| {name} | {count} | {right} | {hits:+d} | {false:+d} |", flush=True)


def joined(share: float, boundary: float) -> Callable[[Found], dict[int, int]]:
    """Join small objects to the larger one that they touch most, where the boundary is weak."""

    def rule(found: Found) -> dict[int, int]:
        best: dict[int, tuple[float, int]] = {}
        for (small, large), (edge, strength) in found.contact.items():
            if found.relative[small] < share and strength < boundary:
                best[small] = max(best.get(small, (0.1, 0)), (edge, large))
        return {small: large for small, (_, large) in best.items() if large}

    return rule


def dropped(share: float, least: float, larger: float = 0) -> Callable[[Found], dict[int, int]]:
    """Drop small objects of weak foreground that lie in a larger dim object."""

    def rule(found: Found) -> dict[int, int]:
        small = (found.relative < share) & (found.confidence < least)
        small &= found.around >= larger * found.area
        return dict.fromkeys((np.flatnonzero(small[1:]) + 1).tolist(), 0)

    return rule


def _contact(
    labels: NDArray[np.uint32], boundary: NDArray[np.uint8], area: NDArray[np.int64]
) -> dict[tuple[int, int], tuple[float, float]]:
    edge = np.zeros(len(area), np.int64)
    for axis in range(labels.ndim):
        along = np.moveaxis(labels, axis, 0)
        differ = along[1:] != along[:-1]
        for side in (along[1:], along[:-1]):
            edge += np.bincount(side[differ], minlength=len(area))
    contact = {}
    pairs, sums, faces = cuts_within(labels, boundary, labels.shape)
    for pair, total, count in zip(pairs.tolist(), sums.tolist(), faces.tolist(), strict=True):
        small, large = sorted((pair >> 32, pair & 0xFFFFFFFF), key=lambda i: area[i])
        if area[large] > MUCH_LARGER * area[small]:
            contact[small, large] = (count / edge[small], total / count / 255)
    return contact


def _right(truth: NDArray[Any], labels: NDArray[np.uint32]) -> NDArray[np.bool_]:
    ids = np.unique(np.append(truth, 0), return_inverse=True)[1][:-1]
    both = np.zeros((ids.max() + 1, int(labels.max()) + 1))
    np.add.at(both, (ids, labels.ravel()), 1)
    either = both.sum(axis=1)[:, None] + both.sum(axis=0)[None] - both
    right: NDArray[np.bool_] = (both / np.maximum(either, 1))[1:].max(axis=0, initial=0) > 0.5
    return right


if __name__ == "__main__":
    main()
