"""How well nuclei are found that were enlarged or made smaller until they have a certain size.

Run with ``python benchmarks/cell_head/sizes.py MODEL IMAGES LABELS``; it takes some minutes. Of
every sixth of the images, in the order of their names, 256 x 256 pixels are scaled so that the
median of the true diameters is as asked. With ``--names`` only files count whose names begin as a
word in that file does, such as ``scripts/nuclei-held-out.txt``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import torch
from skimage.transform import resize

from unet_napari import Model, segment
from unet_napari.evaluation.objects import evaluate
from unet_napari.labels.measure import diameters

sys.path.append(str(Path(__file__).parents[1]))
from machine import conditions

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIAMETERS = (6, 12, 25, 50, 100, 200, 250)
SIDE, EVERY = 256, 6
IOUS = (0.5, 0.75, 0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    for name in ("images", "labels"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--names", type=Path)
    parser.add_argument("--own-scale", action="store_true", help="diameter='model'")
    arguments = parser.parse_args()
    model = Model.load(arguments.model)
    begins = tuple(arguments.names.read_text().split()) if arguments.names else ""
    files = [f for f in sorted(arguments.images.iterdir()) if f.name.startswith(begins)]
    pairs = [_crop(file, arguments.labels / file.name) for file in files[::EVERY]]
    settings: Any = {"diameter": "model"} if arguments.own_scale else {}
    print(conditions(torch.get_num_threads()), f"{len(pairs)} images.\n")
    print("| diameter | AP50 | AP75 | AP90 | objects | found |\n|---|--:|--:|--:|--:|--:|")
    for wanted in (None, *DIAMETERS):
        scaled = [_scaled(image, labels, wanted) for image, labels in pairs]
        found = [segment(image, model, **settings) for image, _ in scaled]
        result = evaluate([labels for _, labels in scaled], found)
        scores = " | ".join(f"{result.average_precision(iou):.3f}" for iou in IOUS)
        name = "as it is" if wanted is None else f"{wanted} px"
        counts = f"{result.true_count} | {result.predicted_count}"
        print(f"| {name} | {scores} | {counts} |", flush=True)


def _crop(image: Path, labels: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    return tifffile.imread(image)[:SIDE, :SIDE], tifffile.imread(labels)[:SIDE, :SIDE]


def _scaled(
    image: NDArray[Any], labels: NDArray[Any], wanted: float | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scale an image, smoothed and linear or cubic, so that the median diameter is as wanted."""
    if wanted is None:
        return image, labels
    zoom = wanted / float(np.median(diameters(labels, (1.0, 1.0))))
    shape, smaller = [round(size * zoom) for size in image.shape], zoom < 1
    pixels = resize(
        image.astype(np.float32), shape,
        order=1 if smaller else 3, anti_aliasing=smaller, preserve_range=True,
    )  # fmt: skip
    pixels = np.clip(np.rint(pixels), 0, np.iinfo(image.dtype).max).astype(image.dtype)
    truth = resize(labels, shape, order=0, anti_aliasing=False, preserve_range=True)
    return pixels, truth.astype(labels.dtype)


if __name__ == "__main__":
    main()
