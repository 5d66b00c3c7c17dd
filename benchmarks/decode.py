"""Objects found block by block, compared with one watershed of the whole map.

Run with ``python benchmarks/decode.py``; it takes about six minutes on two cores. The maps are what
the cells task encodes of synthetic cells, smoothed, with some noise, repeated to the size wanted.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import torch
from machine import conditions
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.segmentation import watershed

from unet_napari.inference.room import DiskArray
from unet_napari.tasks import CellsTask
from unet_napari.tasks.blocks import Blocks
from unet_napari.tasks.decode import CellRule, pack
from unet_napari.tasks.instances import Instances

if TYPE_CHECKING:
    from numpy.typing import NDArray

TASK = CellsTask(min_size=0)
RULE = CellRule(TASK.foreground_threshold, TASK.seed_threshold, TASK.min_size)
# What is repeated, and how many cells it has: 4096 x 4096 holds 8,000 cells.
PATTERNS = {2: ((1024, 1024), 500), 3: ((64, 256, 256), 1000)}
SIZES = ((4096, 4096), (64, 1024, 1024))
LENGTHS = ((64, 512, 512), (256, 512, 512))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    blocks = Blocks(threads=arguments.threads)
    if arguments.peak is not None:
        print(peak_memory(LENGTHS[arguments.peak], blocks))
        return
    print(conditions(arguments.threads), "\n")
    print("| maps | cells | whole, s | blockwise, s | ratio | same objects | same pixels |")
    print("|---|---|---|---|---|---|---|")
    for shape in SIZES:
        print(compare(shape, blocks, arguments.repeats), flush=True)
    print("\n| blockwise, disk to disk | memory above the imports, MiB |\n|---|---|")
    for position, shape in enumerate(LENGTHS):
        command = [sys.executable, __file__, "--threads", str(arguments.threads), "--peak"]
        answer = subprocess.run([*command, str(position)], capture_output=True, check=True)
        print(f"| {' x '.join(map(str, shape))} | {int(answer.stdout) / 2**20:.0f} |", flush=True)


def compare(shape: tuple[int, ...], blocks: Blocks, repeats: int) -> str:
    """Return a row of the table; both ways take turns."""
    maps = repeated(shape)
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
    size = " x ".join(map(str, shape))
    return (
        f"| {size} | {expected.max():,} | {whole:.2f} | {blockwise:.2f} | "
        f"{whole / blockwise:.1f} | {objects:.2%} | {pixels:.3%} |"
    )


def at_once(maps: NDArray[np.float32]) -> NDArray[np.int32]:
    """Label the seeds and flood the whole map, as scikit-image's users do."""
    foreground, boundary, distance = maps
    mask = foreground > RULE.foreground_threshold
    seeds = ndimage.label((foreground * distance > RULE.seed_threshold) & mask)[0]
    labels: NDArray[np.int32] = watershed(boundary, seeds, mask=mask)
    return labels


def agreement(expected: NDArray[np.int32], found: NDArray[np.uint32]) -> tuple[float, float]:
    """Return the share of objects with a partner of IoU above 0.9, and of pixels within these."""
    pairs, counts = np.unique(
        np.stack([expected.ravel(), found.ravel()])[:, expected.ravel() > 0],
        axis=1,
        return_counts=True,
    )
    sizes, others = np.bincount(expected.ravel()), np.bincount(found.ravel())
    union = sizes[pairs[0]] + others[pairs[1]] - counts
    same = (counts > 0.9 * union) & (pairs[1] > 0)
    return same.sum() / expected.max(), counts[same].sum() / np.count_nonzero(expected)


def peak_memory(shape: tuple[int, ...], blocks: Blocks) -> int:
    """Return the bytes that decoding takes at its peak, from maps on disk to labels on disk."""
    before = _peak()
    pattern = pack(pattern_of(len(shape)))
    with ExitStack() as files:

        def store(lead: tuple[int, ...], dtype: type) -> DiskArray:
            file = files.enter_context(tempfile.TemporaryFile())
            return DiskArray(file, (*lead, *shape), dtype, rows=len(lead))

        maps, scratch, out = (
            store(pattern.shape[:1], np.uint8),
            store((), np.uint32),
            store((), np.uint32),
        )
        for corner in np.ndindex(*(n // p for n, p in zip(shape, pattern.shape[1:], strict=True))):
            box = (
                slice(c * p, (c + 1) * p) for c, p in zip(corner, pattern.shape[1:], strict=True)
            )
            maps[(slice(None), *box)] = pattern
        for _ in Instances(RULE, maps, scratch, blocks).run(out):
            pass
    return _peak() - before


def _peak() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def repeated(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return maps of a shape, float32 (3, *shape), of values that packing keeps."""
    pattern = (pack(pattern_of(len(shape))) / 255).astype(np.float32)
    return np.tile(pattern, (1, *(n // p for n, p in zip(shape, pattern.shape[1:], strict=True))))


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
