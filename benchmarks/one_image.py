"""From the start of a program to the labels of one image, beside Cellpose 3 and StarDist.

Run with ``python benchmarks/one_image.py DATA [--peers PYTHON]``; it takes about two minutes on two
cores. Each run is a process of its own that starts, reads 1024 x 1024 pixels of nuclei, segments
them and ends; the programs take turns. The peers live in an environment of their own, as Cellpose 3
needs an older NumPy: PYTHON is the interpreter of one with ``cellpose<4``, ``stardist`` and
``tensorflow``. Their weights would have to be downloaded, and weights do not change how long a
network takes, so theirs are random and only their networks run: what turns maps into objects,
and Cellpose's estimate of the size, comes on top of their times.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from machine import conditions

CELLPOSE = """
import sys, tempfile, torch, tifffile
from cellpose import models
from cellpose.resnet_torch import CPnet
image = tifffile.imread(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:
    torch.save(CPnet([2, 32, 64, 128, 256], 3, sz=3).state_dict(), folder + "/random")
    model = models.CellposeModel(gpu=False, pretrained_model=folder + "/random")
model.eval(image, diameter=30, channels=[0, 0], compute_masks=False)
"""
STARDIST = """
import sys, tifffile
from csbdeep.utils import normalize
from stardist.models import Config2D, StarDist2D
image = normalize(tifffile.imread(sys.argv[1]))
StarDist2D(Config2D(grid=(2, 2)), name=None, basedir=None).predict(image)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print(conditions(2), "\n")
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "nuclei.tif"
        tifffile.imwrite(image, tiled(arguments.data))
        for name, seconds in times(commands(image, arguments.peers), arguments.repeats).items():
            print(f"| {name} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |")


def tiled(data: Path) -> np.ndarray:
    """Return StarDist's 2D sample, 512 x 512, mirrored to 1024 x 1024."""
    file = next((data / "stardist_sample" / "images").glob("*2d*"))
    return np.pad(tifffile.imread(file), (0, 512), mode="symmetric")


def commands(image: Path, peers: Path | None) -> dict[str, list[str]]:
    """Return what is run, by the name of its row."""
    ours = [sys.executable, "-m", "unet_napari.cli", "segment", str(image), "--overwrite"]
    found = {"unet-napari, `nuclei`, image to labels": [*ours, "--output", f"{image.parent}/l.tif"]}
    if peers is not None:
        found["Cellpose 3, network only"] = [str(peers), "-c", CELLPOSE, str(image)]
        found["StarDist, network only"] = [str(peers), "-c", STARDIST, str(image)]
    return found


def times(commands: dict[str, list[str]], repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each run; a first one, which fills the disk's cache, is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    print("| whole process | seconds, median | longest |\n|---|---|---|")
    for turn in range(repeats + 1):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main()
