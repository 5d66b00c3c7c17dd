"""Speed of a prediction: ours, MONAI's sliding window and the bare network, taking turns.

    python benchmarks/speed.py DATA_FOLDER            about 12 minutes on two cores
    python benchmarks/speed.py DATA_FOLDER --quick    about 4, for a rough idea

DATA_FOLDER holds ``dsb2018_small`` and ``bbbc050``, on which the two networks are trained first;
``--models 2D.unet 3D.unet`` takes some that are trained already. The table goes to the output.

Every way has a process of its own, so that none profits from how another one leaves the
memory. The processes of torch take turns, each round in another order, and after them those of
OpenVINO. What is timed:

ours
    `predict` with torch, from the image in memory to the maps: planning, brightness
    statistics, normalisation, the network, sigmoid, writing.
MONAI
    `sliding_window_inference` of the normalised image with the same weights, 25 % overlap, Gaussian
    weights, the better of one and four windows at a time. Without normalisation and sigmoid.
ideal
    The network once over the whole image, in the fastest of several forms, memory no object:
    the lowest price of these pixels in torch. Without normalisation and sigmoid.
OpenVINO, int8
    `predict` with that backend, if it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
import torch
from machine import conditions
from numpy.typing import NDArray
from ways import THREADS

from unet_napari import Model, read_image, train

FEATURES = {2: (32, 64, 128, 256, 512), 3: (16, 32, 64, 128)}
# With these the C library of Linux keeps freed memory: the ideal has no page faults to pay.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


@dataclass(frozen=True)
class Case:
    """An image, and the least that we want to be faster than MONAI."""

    shape: tuple[int, ...]
    target: float

    @property
    def title(self) -> str:
        """The size, for the table."""
        return " x ".join(map(str, self.shape))


CASES = (Case((2048, 2048), 2.4), Case((64, 256, 256), 6.0), Case((192, 192, 192), 4.0))

NEEDS = {"ours, OpenVINO": ("openvino",), "ours, OpenVINO int8": ("openvino", "nncf")}


class Process:
    """A way at work: `run` lets it compute once."""

    def __init__(self, way: str, folder: Path) -> None:
        self.way = way
        self.seconds: list[float] = []
        self.difference = 0.0
        script = Path(__file__).with_name("ways.py")
        command = [sys.executable, "-W", "ignore", str(script), str(folder), way]
        environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment | (KEEP_MEMORY if way == "ideal" else {}),
        )  # fmt: skip
        self._run()  # the first time is not counted: kernels are chosen, code is loaded

    def run(self) -> None:
        """Compute once more."""
        self.seconds.append(self._run())

    def _run(self) -> float:
        print(file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline() if self._process.stdout else ""
        if not answer:
            sys.exit(f"{self.way} failed.")
        seconds, self.difference = json.loads(answer)
        log(f"{self.way}: {seconds:.2f} s")
        return float(seconds)

    @property
    def median(self) -> float:
        """Of the times, in seconds."""
        return statistics.median(self.seconds)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


# --- models, images, tables --------------------------------------------------------------------


def make_model(ndim: int, data: Path, seconds: float) -> Model:
    """Train a network of the size that is measured."""
    folder = data / {2: "dsb2018_small", 3: "bbbc050"}[ndim] / "train"
    paths = sorted((folder / "images").glob("*.tif"))[:24]
    return train(
        [read_image(path) for path in paths],
        [tifffile.imread(folder / "labels" / path.name) for path in paths],
        task="cells", ndim=ndim, unpainted="background", seed=0, seconds=seconds,
        network="unet", network_options={"features": FEATURES[ndim]},
    )  # fmt: skip


def make_image(shape: tuple[int, ...], data: Path) -> NDArray:
    """Return a real image that the training did not see, mirrored up to a size."""
    name = {2: "dsb2018_small/test/images", 3: "bbbc050/val/images"}[len(shape)]
    images = (tifffile.imread(path) for path in sorted((data / name).glob("*.tif")))
    largest = max(images, key=lambda image: image.size)
    missing = [max(0, n - have) for n, have in zip(shape, largest.shape, strict=True)]
    whole = np.pad(largest, [(0, n) for n in missing], mode="symmetric")
    return np.ascontiguousarray(whole[tuple(slice(n) for n in shape)])


def measure(case: Case, model: Model, data: Path, rounds: int) -> list[Process]:
    """Let all ways take turns on one image."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder / "model.unet")
        np.save(folder / "image.npy", make_image(case.shape, data))
        Process("untiled", folder).close()
        processes = [faster("MONAI, 1 at a time", "MONAI, 4 at a time", folder)]
        processes += [Process(way, folder) for way in ("ours", "ideal")]
        take_turns(processes, rounds)
        others = [Process(way, folder) for way in NEEDS if installed(way)]
        take_turns(others, rounds)
    return [*processes, *others]


def faster(first: str, second: str, folder: Path) -> Process:
    """Return the way that is faster in its better one of two times, neither of them counted."""
    one, other = Process(first, folder), Process(second, folder)
    for process in (one, other, one, other):
        process.run()
    better, slower = sorted((one, other), key=lambda process: min(process.seconds))
    slower.close()
    better.seconds.clear()
    return better


def take_turns(processes: list[Process], rounds: int) -> None:
    """Let processes compute so many times, each round in another order, and end them."""
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for number in rng.permutation(len(processes)):
            processes[number].run()
    for process in processes:
        process.close()


def installed(way: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in NEEDS[way])


def table(case: Case, processes: list[Process]) -> Iterator[str]:
    monai = next(process for process in processes if "MONAI" in process.way).median
    ideal = next(process for process in processes if process.way == "ideal").median
    for process in processes:
        target = f" (aim {case.target}x)" if process.way == "ours" else ""
        yield (
            f"| {case.title} | {process.way} | {process.median:.2f} "
            f"({min(process.seconds):.2f} to {max(process.seconds):.2f}) "
            f"| {monai / process.median:.2f}x{target} | {process.median / ideal:.2f} "
            f"| {process.difference:.1e} |"
        )


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--quick", action="store_true", help="two rounds, short trainings")
    parser.add_argument("--models", type=Path, nargs=2, help="model files, 2D and 3D")
    parser.add_argument("--cases", type=int, nargs="*", default=range(len(CASES)), help="0 to 2")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    rounds, seconds = (2, 15) if arguments.quick else (5, 60)
    models: dict[int, Model] = {}
    lines = []
    for case in (CASES[number] for number in arguments.cases):
        ndim = len(case.shape)
        if ndim not in models and arguments.models:
            models[ndim] = Model.load(arguments.models[ndim - 2])
        elif ndim not in models:
            log(f"training in {ndim}D for {seconds} s")
            models[ndim] = make_model(ndim, arguments.data, seconds)
        log(case.title)
        lines += table(case, measure(case, models[ndim], arguments.data, rounds))
    print(
        "| image | way | seconds, median (range) | speed against MONAI | cost against the ideal "
        "| difference from untiled |"
    )
    print("|---|---|--:|--:|--:|--:|")
    print(*lines, sep="\n")
    print(f"\n{conditions(THREADS)} {rounds} rounds.")


if __name__ == "__main__":
    main()
