"""Accuracy from scratch on real images, of parts that the training never saw.

    python benchmarks/accuracy.py DATA_FOLDER [stardist] [isbi] [bbbc050]

DATA_FOLDER holds the sets named in docs/guide/accuracy.md; without names all three are run. The
times are those of the acceptance floors: two, five and ten minutes of training.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from unet_napari import Model, read_image, segment, train
from unet_napari.evaluation.objects import average_precision, class_dice
from unet_napari.training.events import Finished, TrainEvent, Validated


def log(event: TrainEvent) -> None:
    if isinstance(event, Validated | Finished):
        print("   ", event, file=sys.stderr, flush=True)


def report(name: str, model: Model, started: float, scores: dict[str, float]) -> None:
    values = ", ".join(f"{key} {value:.3f}" for key, value in scores.items())
    seconds = time.monotonic() - started
    print(f"{name}: {values}; {model.provenance['steps']} steps, {seconds:.0f} s in all")


def ap(truth: list[NDArray], found: list[NDArray]) -> dict[str, float]:
    return {f"AP{int(100 * t)}": average_precision(truth, found, t) for t in (0.5, 0.75, 0.9)}


def stardist(data: Path, seconds: float) -> None:
    """2D nuclei: the left half painted, scored on the right half."""
    image = tifffile.imread(data / "stardist_sample/images/img2d.tif")
    truth = tifffile.imread(data / "stardist_sample/labels/img2d.tif")
    painted = truth.copy()
    painted[:, 256:] = 0
    started = time.monotonic()
    model = train(
        image, painted, task="cells", ndim=2, seconds=seconds, seed=0, start_from=None, on_event=log
    )
    found = segment(image, model)
    report("stardist 2D", model, started, ap([truth[:, 256:]], [found[:, 256:]]))


def isbi(data: Path, seconds: float) -> None:
    """EM slices: three of thirty painted with membrane and cell, scored on ten others."""
    image = tifffile.imread(data / "isbi2012/train-volume.tif")
    truth = np.where(tifffile.imread(data / "isbi2012/train-labels.tif") > 0, 2, 1)
    painted = np.zeros(image.shape, np.uint8)
    painted[[0, 14, 29]] = truth[[0, 14, 29]]
    started = time.monotonic()
    model = train(
        image,
        painted,
        task="semantic",
        ndim=2,
        seconds=seconds,
        seed=0,
        start_from=None,
        on_event=log,
    )
    unseen = [2, 5, 8, 11, 13, 17, 19, 22, 25, 27]
    found = segment(image[unseen], model)
    membrane = class_dice(truth[unseen], found, 1)
    report("isbi2012", model, started, {"Dice membrane": membrane})


def bbbc050(data: Path, seconds: float) -> None:
    """3D nuclei: trained on four volumes, scored on the four of `val`."""
    names = ["Emb01_t401", "Emb03_t401", "Emb05_t401", "Emb07_t451"]
    images = [read_image(data / f"bbbc050/train/images/{name}.tif") for name in names]
    labels = [tifffile.imread(data / f"bbbc050/train/labels/{name}.tif") for name in names]
    started = time.monotonic()
    model = train(
        images, labels, task="cells", ndim=3, seconds=seconds, seed=0, unpainted="background",
        start_from=None, on_event=log,
    )  # fmt: skip
    truth, found = [], []
    for path in sorted((data / "bbbc050/val/images").glob("*.tif")):
        found.append(segment(read_image(path), model))
        truth.append(tifffile.imread(data / "bbbc050/val/labels" / path.name))
    report("bbbc050 3D", model, started, ap(truth, found))


RUNS: dict[str, tuple[Callable[[Path, float], None], float]] = {
    "stardist": (stardist, 120),
    "isbi": (isbi, 300),
    "bbbc050": (bbbc050, 600),
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("names", nargs="*", help=", ".join(RUNS))
    parser.add_argument("--fraction", type=float, default=1.0, help="of the training times")
    arguments = parser.parse_args()
    for name in arguments.names or RUNS:
        run, seconds = RUNS[name]
        run(arguments.data, seconds * arguments.fraction)
