"""Which relief the watershed of the cell head should flood, and which of its cuts should stay.

Run with ``python benchmarks/cell_head/relief.py MODEL IMAGES LABELS``; it takes as long as
segmenting the images. Everything else is the model's own. IMAGES should be some that the model
never saw, and never those on which its final score is measured.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import torch
from scipy import ndimage
from skimage.segmentation import watershed

from unet_napari import predict
from unet_napari.evaluation.objects import evaluate
from unet_napari.tasks import CellsTask

sys.path.append(str(Path(__file__).parents[1]))
from asked_for import asked_for
from machine import conditions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Of foreground, boundary and distance; the second one is what CellRule.relief floods.
RELIEFS: dict[str, Callable[..., NDArray[np.floating]]] = {
    "boundary": lambda _, boundary, __: boundary,
    "boundary - foreground": lambda foreground, boundary, _: boundary - foreground,
    "boundary, smoothed by 1 px": lambda _, boundary, __: ndimage.gaussian_filter(boundary, 1),
    "-distance": lambda _, __, distance: -distance,
    "boundary - distance": lambda _, boundary, distance: boundary - distance,
    "-foreground": lambda foreground, _, __: -foreground,
    "steps from the seeds": lambda foreground, _, __: np.zeros_like(foreground),
}

BOUNDARY_THRESHOLDS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
IOUS = (0.5, 0.75, 0.8, 0.9)


def main() -> None:
    arguments, model, task = asked_for(__doc__)
    files = sorted(arguments.images.iterdir())
    truth = [tifffile.imread(arguments.labels / file.name) for file in files]
    maps = [predict(tifffile.imread(file), model) for file in files]
    print(conditions(torch.get_num_threads()), f"{len(files)} images.")
    header("relief")
    for name, relief in RELIEFS.items():
        row(name, truth, [flooded(task, each, relief(*each)) for each in maps])
    header("boundary threshold")
    for threshold in BOUNDARY_THRESHOLDS:
        trial = replace(task, boundary_threshold=threshold)
        row(f"{threshold:g}", truth, [trial.decode(each) for each in maps])


def header(first: str) -> None:
    names = " | ".join(f"AP{100 * iou:.0f}" for iou in IOUS)
    print(f"\n| {first} | {names} | split | merged |\n|---|--:|--:|--:|--:|--:|--:|")


def row(name: str, truth: list[NDArray[Any]], labels: list[NDArray[Any]]) -> None:
    found = evaluate(truth, labels)
    scores = " | ".join(f"{found.average_precision(iou):.3f}" for iou in IOUS)
    print(f"| {name} | {scores} | {found.splits} | {found.merges} |", flush=True)


def flooded(
    task: CellsTask, maps: NDArray[np.floating], relief: NDArray[np.floating]
) -> NDArray[Any]:
    """Flood a relief from the model's seeds, in its foreground; drop what is too small."""
    foreground, _, distance = maps
    mask = foreground > task.foreground_threshold
    seeds = ndimage.label((foreground * distance > task.seed_threshold) & mask)[0]
    labels = watershed(relief, seeds, mask=mask)
    return np.where(np.bincount(labels.ravel())[labels] >= task.min_size, labels, 0)


if __name__ == "__main__":
    main()
