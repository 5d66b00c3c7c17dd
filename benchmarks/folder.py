"""Many images in one go, against the network and the finding of objects alone.

    python benchmarks/folder.py --count 1000

segments so many images of 512 x 512 pixels with the model ``nuclei``, as ``unet-napari segment``
does with a folder, and the same images, already in memory and brought to one scale, by nothing but
the network and what finds objects in its maps. The two take turns, a stretch of images each;
"speed" is the bare seconds by ours, median of the stretches. Three runs over the list say what each
output costs: labels alone, with the table of all objects, and with the list of doubts besides.
"CPU" is processor seconds, which other programs on the machine disturb less than the time. Memory
is what the process alone has (`RssAnon`); Linux. It takes a minute for 50 images.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import statistics
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile
import torch
from machine import conditions

from unet_napari.folder_run.image_line import ImageLine
from unet_napari.folder_run.order import FolderOrder, ListedImage
from unet_napari.folder_run.run import folder_steps
from unet_napari.folder_run.tables import FolderTables
from unet_napari.images import nuclei, read_image
from unet_napari.inference import InferenceConfig
from unet_napari.inference.planning.planner import make_plan
from unet_napari.inference.running.decoding import blocks_for
from unet_napari.inference.running.reading import Reader
from unet_napari.inference.views import find_scale
from unet_napari.model.model import Model
from unet_napari.system.heap import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIFFERENT = 16  # images; the files of the folder are copies of these
STRETCH = 10  # images that each takes before it is the other's turn
AIM = 0.9
OUTPUTS = ("labels", "and the table", "and the list of doubts")


@dataclass(frozen=True)
class Effort:
    """Seconds of an image: on the clock, and of all processors together."""

    clock: float
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="images (default: 1000)")
    parser.add_argument("--side", type=int, default=512, help="pixels along X and Y")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(conditions(arguments.threads), "\n")
    print("| output | images | bare, s | ours, s | speed (aim 0.9) | bare, CPU s | ours, CPU s "
          "| memory, MiB, after a tenth and at the end |")  # fmt: skip
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder, keep_freed_memory():
        images = write_images(Path(folder, "images"), arguments.count, arguments.side)
        for output in OUTPUTS:
            print(row(output, images, Path(folder, output)), flush=True)


def write_images(folder: Path, count: int, side: int) -> list[Path]:
    """Write so many files, and return their paths."""
    folder.mkdir()
    cells = max(1, 120 * side**2 // 512**2)
    pictures = [nuclei((side, side), count=cells, seed=seed)[0] for seed in range(DIFFERENT)]
    paths = [folder / f"{number:05}.tif" for number in range(count)]
    for number, path in enumerate(paths):
        tifffile.imwrite(path, pictures[number % DIFFERENT])
    return paths


def row(output: str, paths: list[Path], results: Path) -> str:
    """Run over all images, both ways in turns, and return a line of the table."""
    results.mkdir()
    order = FolderOrder(
        Model.load("nuclei"),
        InferenceConfig(device="cpu"),
        measured=output != OUTPUTS[0],
        doubted=output == OUTPUTS[2],
    )
    tables = FolderTables(
        results / "all.csv" if order.measured else None,
        results / "list.csv" if order.doubted else None,
    )
    items = [
        ListedImage(path.stem, results / path.name, partial(read_image, path)) for path in paths
    ]
    bare_way = Bare(order, paths[:DIFFERENT])
    steps = folder_steps(items, order, tables)
    lines = (event for event in steps if isinstance(event, ImageLine))
    bare, ours, memory = [], [], []
    taken(lines, 1)  # the first ones choose kernels
    bare_way.run(2)
    left = len(paths) - 1
    while left:
        stretch = min(STRETCH, left)
        bare.append(effort(partial(bare_way.run, stretch), stretch))
        ours.append(effort(partial(taken, lines, stretch), stretch))
        memory.append(own_memory())
        left -= stretch
    steps.close()
    speed = statistics.median(b.clock / o.clock for b, o in zip(bare, ours, strict=True))
    seconds = [
        f"{statistics.median(getattr(e, kind) for e in way):.3f}"
        for kind in ("clock", "cpu")
        for way in (bare, ours)
    ]
    early = memory[len(memory) // 10]
    return (
        f"| {output} | {len(paths)} | {seconds[0]} | {seconds[1]} | {speed:.2f} | {seconds[2]} | "
        f"{seconds[3]} | {early:.0f}, {memory[-1]:.0f} |"
    )


class Bare:
    """The network and the finding of objects, of images that are ready."""

    def __init__(self, order: FolderOrder, paths: list[Path]) -> None:
        images = [read_image(path) for path in paths]
        plan = make_plan(order.prepared, images[0].shape, order.config)
        if plan.count > 1 or plan.strip is not None:
            raise SystemExit("An image of this size is cut, which is not compared here.")
        self._backend = order.prepared.backend(plan.backend, plan.device, plan.precision)
        self._task, self._blocks, self._shape = order.model.task, blocks_for(2**30), plan.shape
        self._batches = [
            Reader(order.model, image, find_scale(image, order.model, None).whole).batch(plan.tiles)
            for image in images
        ]

    def run(self, count: int) -> None:
        """Segment so many images."""
        for number in range(count):
            logits = self._backend.logits(self._batches[number % len(self._batches)])
            maps = self._task.activate(logits).cpu().numpy()[0]
            packed = self._task.pack(maps)[(slice(None), *map(slice, self._shape))]
            scratch, labels = (np.zeros(self._shape, np.uint32) for _ in range(2))
            for _ in self._task.decode_steps(packed, scratch, labels, self._blocks, 1):
                pass


def taken(lines: Iterator[ImageLine], count: int) -> None:
    """Wait for so many images of a list."""
    for _ in range(count):
        line = next(lines)
        if line.state != "done":
            raise SystemExit(line.message)


def effort(work: Callable[[], None], images: int) -> Effort:
    """Do some work and return its seconds for each image."""
    cpu, started = time.process_time(), time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    return Effort(seconds / images, (time.process_time() - cpu) / images)


def own_memory() -> float:
    """Return the memory that this process alone has, in MiB."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else math.nan


if __name__ == "__main__":
    main()
