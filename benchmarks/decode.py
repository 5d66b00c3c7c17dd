"""Objects found block by block, compared with one watershed of the whole map.

Run with ``python benchmarks/decode.py``; it takes about six minutes on two cores. The maps are what
the cells task encodes of synthetic cells, smoothed, with some noise, repeated to the size wanted.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from machine import conditions
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.segmentation import watershed

from unet_napari.geometry import Box
from unet_napari.inference.storage.scratch import DiskArray
from unet_napari.tasks import CellsTask
from unet_napari.tasks.decoding.blocks import Blocks
from unet_napari.tasks.decoding.decode import CellRule, pack
from unet_napari.tasks.decoding.instances import Instances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TASK = CellsTask(min_size=0)
RULE = CellRule(TASK.foreground_threshold, TASK.seed_threshold, TASK.min_size)
# What is repeated, and how many cells it has: 4096 x 4096 holds 8,000 cells.
PATTERNS = {2: ((1024, 1024), 500), 3: ((64, 256, 256), 1000)}
# How often: 4096 x 4096, 64 x 1024 x 1024; and for the memory a quarter of these, too.
SIZES = ((4, 4), (1, 4, 4))
MEMORY_SIZES = ((2, 2), (4, 4), (1, 2, 2), (1, 4, 4))
WAYS = ("whole", "blockwise")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    blocks = Blocks(threads=arguments.threads)
    if arguments.peak:
        way, file, tiles = arguments.peak
        print(peak_memory(way, np.load(file), json.loads(tiles), blocks))
        return
    print(conditions(arguments.threads), "\n")
    print("| maps | cells | whole, s | blockwise, s | ratio | same objects | same pixels |")
    print("|---|---|---|---|---|---|---|")
    patterns = {ndim: pack(pattern_of(ndim)) for ndim in PATTERNS}
    for tiles in SIZES:
        print(compare(patterns[len(tiles)], tiles, blocks, arguments.repeats), flush=True)
    print("\n| memory above the imports, MiB | whole | blockwise, disk to disk |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for tiles in MEMORY_SIZES:
            file = Path(folder, "pattern.npy")
            np.save(file, patterns[len(tiles)])
            peaks = [_peak_elsewhere(way, file, tiles, arguments.threads) for way in WAYS]
            print(f"| {_size(patterns[len(tiles)], tiles)} | {' | '.join(peaks)} |", flush=True)


def _peak_elsewhere(way: str, pattern: Path, tiles: tuple[int, ...], threads: int) -> str:
    """Return the peak of a process of its own, in MiB."""
    command = [sys.executable, __file__, "--threads", str(threads), "--peak", way, str(pattern)]
    answer = subprocess.run([*command, json.dumps(tiles)], capture_output=True, check=True)
    return f"{int(answer.stdout) / 2**20:,.0f}"


def compare(
    pattern: NDArray[np.uint8], tiles: tuple[int, ...], blocks: Blocks, repeats: int
) -> str:
    """Return a row of the table; both ways take turns."""
    maps = repeated(pattern, tiles)
    shape = maps.shape[1:]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        started = time.perf_counter()
        expected = at_once(maps)
        times[0].append(time.perf_counter() - started)
        started = time.perf_counter()
        packed = pack(maps)
        found = np.empty(shape, np.uint32)
        for _ in Instances(RULE, packed, np.empty(shape, np.uint32), blocks).run(found):
            pass
        times[1].append(time.perf_counter() - started)
    whole, blockwise = map(statistics.median, times)
    objects, pixels = agreement(expected, found)
    return (
        f"| {_size(pattern, tiles)} | {expected.max():,} | {whole:.2f} | {blockwise:.2f} | "
        f"{whole / blockwise:.1f} | {objects:.2%} | {pixels:.3%} |"
    )


def at_once(maps: NDArray[np.float32]) -> NDArray[np.int32]:
    """Label the seeds and flood the whole map, as scikit-image's users do."""
    foreground, boundary, distance = maps
    mask = foreground > RULE.foreground_threshold
    seeds = ndimage.label((foreground * distance > RULE.seed_threshold) & mask)[0]
    labels: NDArray[np.int32] = watershed(boundary - foreground, seeds, mask=mask)
    return labels


def agreement(expected: NDArray[np.int32], found: NDArray[np.uint32]) -> tuple[float, float]:
    """Return the share of objects with a partner of IoU above 0.9, and of pixels within these."""
    both = expected.astype(np.int64) << 32 | found
    both, counts = np.unique(both[expected > 0], return_counts=True)
    pairs = both >> 32, both & (2**32 - 1)
    sizes, others = np.bincount(expected.ravel()), np.bincount(found.ravel())
    union = sizes[pairs[0]] + others[pairs[1]] - counts
    same = (counts > 0.9 * union) & (pairs[1] > 0)
    return same.sum() / expected.max(), counts[same].sum() / np.count_nonzero(expected)


def peak_memory(way: str, pattern: NDArray[np.uint8], tiles: list[int], blocks: Blocks) -> int:
    """Return the bytes that one way takes at its peak, with what it works on."""
    before = _highest()
    if way == "whole":
        at_once(repeated(pattern, tiles))
    else:
        from_disk_to_disk(pattern, tiles, blocks)
    return _highest() - before


def from_disk_to_disk(pattern: NDArray[np.uint8], tiles: list[int], blocks: Blocks) -> None:
    """Decode maps in a file, into a file."""
    shape = tuple(n * p for n, p in zip(tiles, pattern.shape[1:], strict=True))
    with ExitStack() as files:

        def store(lead: tuple[int, ...], dtype: type) -> DiskArray:
            file = files.enter_context(tempfile.TemporaryFile())
            return DiskArray(file, (*lead, *shape), dtype, rows=len(lead))

        maps = store(pattern.shape[:1], np.uint8)
        scratch, out = store((), np.uint32), store((), np.uint32)
        for box in Box.whole(shape).blocks(pattern.shape[1:]):
            maps[(slice(None), *box.to_slices())] = pattern
        for _ in Instances(RULE, maps, scratch, blocks).run(out):
            pass


def _highest() -> int:
    """Return the most memory that this process has had (of Linux: others count their parent's)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


def repeated(pattern: NDArray[np.uint8], tiles: Sequence[int]) -> NDArray[np.float32]:
    """Return maps, float32 (3, *S), of values that packing keeps."""
    return np.tile((pattern / 255).astype(np.float32), (1, *tiles))


def _size(pattern: NDArray[np.uint8], tiles: Sequence[int]) -> str:
    return " x ".join(str(n * p) for n, p in zip(tiles, pattern.shape[1:], strict=True))


def pattern_of(ndim: int) -> NDArray[np.float32]:
    """Return maps like a trained network's, float32 (3, *S)."""
    shape, count = PATTERNS[ndim]
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, shape, (count, ndim))
    pitch = (np.prod(shape) / count) ** (1 / ndim)
    radii = rng.uniform(0.4, 0.75, count) * pitch
    distance, nearest = cKDTree(centres).query(np.indices(shape).reshape(ndim, -1).T)
    labels = np.where(distance < radii[nearest], nearest + 1, 0).reshape(shape)
    target = TASK.encode(torch.from_numpy(labels)[None], torch.ones((1, *shape), dtype=torch.bool))
    noise = ndimage.gaussian_filter(rng.normal(size=(3, *shape)), (0, *[2] * ndim))
    maps = ndimage.gaussian_filter(target.values[0].numpy(), (0, *[1] * ndim))
    return np.clip(maps + 0.05 / noise.std() * noise, 0, 1).astype(np.float32)


if __name__ == "__main__":
    main()
