"""What several workers are worth on this computer, and by a model of its parts on a thousand.

    python benchmarks/cluster/workers.py            6 minutes

1. One image of nuclei, segmented by one process of two threads and by two workers of one thread,
   which take turns; ``--rounds 0`` leaves it out. The aim is 0.85 of the process's throughput.
2. The parts of a large volume, in processor time of one thread: the network, every pass over the
   blocks with its reading and writing, the joining of pieces; a task's way through the scheduler.
3. The model: time and memory of a volume of 10 TB for 1 to 1,000 workers, made of these parts.
   It is compared with sixteen workers that sleep instead of computing.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
import zarr
from distributed import Client, LocalCluster
from scipy import ndimage

from unet_napari.cluster.connection import connect_cluster
from unet_napari.cluster.dask_pool import DaskPool
from unet_napari.cluster.machines import DaskMachines
from unet_napari.cluster.regions import Cut, cut_regions
from unet_napari.cluster.shared_arrays import SharedArray
from unet_napari.folder_run.finishing import count_labelled
from unet_napari.geometry import Box
from unet_napari.images import Image, Normalisation, nuclei, open_output, read_image
from unet_napari.images.divided import Divided
from unet_napari.images.result_record import pixel_digest
from unet_napari.inference import InferenceConfig, segment_steps
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.running.predictor import Predictor
from unet_napari.inference.storage.unfinished import Unfinished
from unet_napari.inputs import image_for
from unet_napari.model.model import Model
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask
from unet_napari.tasks.decoding.block_work import BlockWork
from unet_napari.tasks.decoding.blocks import block_shape
from unet_napari.tasks.decoding.components import Components, connected
from unet_napari.tasks.decoding.decode import CellRule

sys.path.insert(0, str(Path(__file__).parents[1]))
from machine import conditions

Clock = Callable[[], float]
SIDE = 2048
CONFIG = InferenceConfig(device="cpu", backend="torch", diameter="model")
TEN_TERABYTES = (20480, 22528, 22528)  # of one byte
WORKERS = (1, 2, 4, 16, 100, 1000)
BLOCK_VOXELS = 2**22
MEMORY = 4 * 2**30  # of a worker
HERE = Box.whole((96, 384, 384))  # the volume that passes are measured on
RULE = CellRule(0.5, 0.3, 10, 0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(conditions(2), "\n", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.rounds:
            compare(folder, arguments.rounds)
        torch.set_num_threads(1)
        parts = {**network(), **passes(folder), **merging(), **tasks()}
        print("\n| part | seconds |\n|---|--:|")
        for part, seconds in parts.items():
            print(f"| {part} | {seconds:.3g} |")
        model(parts)


def compare(folder: Path, rounds: int) -> None:
    """Let a process of two threads and two workers of one thread take turns."""
    pixels = np.tile(nuclei((512, 512), count=290, seed=0)[0], (SIDE // 512, SIDE // 512))
    zarr.create_array(
        folder / "image.zarr", data=pixels, chunks=(512, 512), dimension_names=["y", "x"]
    )
    own = Model.load("nuclei")
    image = image_for(own, read_image(folder / "image.zarr"))
    seconds: dict[str, list[tuple[float, float]]]
    seconds = {"one process, 2 threads": [], "2 workers, 1 thread": []}
    torch.set_num_threads(2)
    labels = []
    with connect_cluster(workers=2) as client:

        def processor() -> float:
            return time.process_time() + sum(client.run(time.process_time).values())

        for number in range(rounds + 1):  # the first one warms up
            for way, found in seconds.items():
                machines = None if "one" in way else DaskMachines(client, image, own, CONFIG)
                output = folder / f"{len(found)}-{way[:3]}.zarr"
                before, started = processor(), time.perf_counter()
                write(image, own, output, machines)
                if number:
                    found.append((time.perf_counter() - started, processor() - before))
                labels.append(zarr.open_array(output / "0")[...])
    same = all(np.array_equal(labels[0], other) for other in labels)
    print(f"{SIDE} x {SIDE} nuclei; the labels are {'the same' if same else 'NOT the same'}.\n")
    print("| way | seconds, median (range) | processor seconds | throughput |\n|---|--:|--:|--:|")
    first = median(wall for wall, _ in next(iter(seconds.values())))
    for way, found in seconds.items():
        walls, work = zip(*found, strict=True)
        spread = f"{median(walls):.1f} ({min(walls):.1f} to {max(walls):.1f})"
        print(f"| {way} | {spread} | {median(work):.1f} | {first / median(walls):.2f} |")
    sys.stdout.flush()


def write(image: Image, model: Model, output: Path, machines: DaskMachines | None) -> None:
    """Segment as the command line does."""
    with (
        Unfinished(output) as unfinished,
        open_output(
            output, shape=image.shape, dtype="uint32", axes="YX", pixel_size={}, overwrite=True,
            labels=True,
        ) as out,
    ):  # fmt: skip
        for _ in segment_steps(image, model, out, CONFIG, unfinished=unfinished, machines=machines):
            pass


def network() -> dict[str, float]:
    """Return the seconds of a network per million voxels."""
    shape = (64, 192, 192)
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    image, large = Image(pixels, "ZYX"), volume_model()
    predictor = Predictor(PreparedModel.of(large), shape, CONFIG)
    statistics = large.normalisation.measure(image)
    out = np.empty((3, *shape), np.float32)
    seconds = timed(lambda: list(predictor.run(image, statistics, out)))
    return {"network, per million voxels": seconds / (math.prod(shape) / 1e6)}


def volume_model() -> Model:
    """Return a model of the size that a training makes by default, which knows nothing."""
    options = {"in_channels": 1, "out_channels": 3, "ndim": 3, "features": (16, 32, 64)}
    return Model(build_network("unet", options).eval(), CellsTask(), Normalisation())


def passes(folder: Path) -> dict[str, float]:
    """Return the seconds of each pass over blocks per million voxels, read and written as zarr."""
    rng = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(rng.standard_normal(HERE.shape), 4)
    noise /= noise.std()
    foreground = (255 / (1 + np.exp(-3 * (noise + 0.3)))).astype(np.uint8)
    deep = (np.clip(noise / 1.5, 0, 1) * 255).astype(np.uint8)
    chunk = (64, 64, 64)
    maps = SharedArray.make(folder / "maps", (3, *HERE.shape), np.uint8, (3, *chunk))
    ids = SharedArray.make(folder / "ids", HERE.shape, np.uint32, chunk)
    million = HERE.size / 1e6
    packed = np.stack([foreground, 255 - foreground, deep])
    found = {"writing maps": timed(lambda: maps.__setitem__(slice(None), packed), 1) / million}
    work = BlockWork(RULE, maps, ids, 2**23)
    boxes = HERE.blocks(block_shape(HERE.shape, BLOCK_VOXELS, chunk))
    seeds, gaps = Components(2**31), Components(2**31)

    def each(name: str, function: Callable[[Box], object]) -> list[object]:
        started = time.process_time()
        results = [function(box) for box in boxes]
        found[name] = (time.process_time() - started) / million
        return results

    each("counting seeds", work.count_seeds)
    each("finding seeds", partial(work.find_seeds, number=seeds.take))
    for pairs in each("joining seeds", work.join):
        seeds.join(pairs)
    roots = seeds.roots()
    each("flooding", partial(work.flood, roots=roots))
    each("cuts", work.find_cuts)
    final = np.append(roots, np.uint32(0))
    each("counting gaps", partial(work.count_gaps, final=final))
    each("finding gaps", partial(work.find_gaps, number=gaps.take, final=final, above=seeds.count))
    each("joining gaps", partial(work.join, above=seeds.count))
    table = np.concatenate([final[:-1], np.zeros(gaps.count + 1, np.uint32)])
    each("numbering", partial(work.numbered, final=table))
    found["hashing, counting and pyramid"] = record_and_pyramid(folder) / million
    print(f"\n{seeds.count} seeds and {gaps.count} gaps in {million:.1f} million voxels.")
    found = {f"{name}, per million voxels": seconds for name, seconds in found.items()}
    return found | {"seeds per million voxels": seeds.count / million}


def record_and_pyramid(folder: Path) -> float:
    """Return the seconds in which image and labels are hashed, and a pyramid is made."""
    written = Image(SharedArray(folder / "ids"), "ZYX")
    with open_output(
        folder / "written.zarr", shape=HERE.shape, dtype="uint32", axes="ZYX", pixel_size={},
        labels=True,
    ) as out:  # fmt: skip
        for box in HERE.blocks((16, 384, 384)):
            out[box.to_slices()] = written.data[box.to_slices()]
        started = time.process_time()
        pixel_digest(Image(SharedArray(folder / "maps")[(0,)], "ZYX"))
        pixel_digest(written, "uint32")
        count_labelled(written, Divided(written))
    return time.process_time() - started


def merging() -> dict[str, float]:
    """Return the seconds in which a million pairs are joined; show that they grow linearly."""
    rng = np.random.default_rng(0)
    print("\n| pieces | pairs across faces | seconds to join |\n|--:|--:|--:|")
    for pairs in (10**5, 10**6, 10**7):
        count = 2 * pairs
        first = rng.integers(1, count, pairs, dtype=np.uint64)
        second = np.minimum(first + rng.integers(1, 50, pairs, dtype=np.uint64), np.uint64(count))
        both = first << np.uint64(32) | second
        seconds = timed(lambda both=both, count=count: connected(both, count), 2)
        print(f"| {count:,} | {pairs:,} | {seconds:.2f} |")
    return {"joining a million pairs": seconds / (pairs / 1e6)}


def tasks() -> dict[str, float]:
    """Return the seconds of a task's way; compare sixteen workers that sleep with the ideal."""
    with connect_cluster(workers=2) as client:
        pool = DaskPool(client, Path())
        list(pool.map(abs, range(200)))
        seconds = timed(lambda: list(pool.map(abs, range(2000))), 2, time.perf_counter) / 2000
    with (
        LocalCluster(
            n_workers=16, threads_per_worker=1, processes=False, dashboard_address=":0",
            silence_logs="ERROR",
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        pool, count, length = DaskPool(client, Path()), 480, 0.5
        slept = timed(lambda: list(pool.map(time.sleep, [length] * count)), 1, time.perf_counter)
        ideal = length * count / 16
        foreseen = max(ideal, count * seconds)
        print(
            f"\nSixteen workers with {count} tasks of {length} s each: {slept:.1f} s, where the "
            f"model says {foreseen:.1f} s and the ideal is {ideal:.1f} s."
        )
    return {"a task": seconds}


def timed(work: Callable[[], object], repeats: int = 3, clock: Clock = time.process_time) -> float:
    """Return the shortest of some times; by default of the processor."""

    def runs() -> Iterator[float]:
        for _ in range(repeats):
            started = clock()
            work()
            yield clock() - started

    return min(runs())


def model(parts: dict[str, float]) -> None:
    """Print time and memory of a volume of 10 TB for some numbers of workers."""
    grid = PreparedModel.of(volume_model()).grid("exact")
    million = math.prod(TEN_TERABYTES) / 1e6
    block = block_shape(TEN_TERABYTES, BLOCK_VOXELS, (64, 64, 64))
    boxes = math.prod(math.ceil(n / b) for n, b in zip(TEN_TERABYTES, block, strict=True))
    by_voxel = [name for name in parts if name.endswith("per million voxels")]
    decoding = sum(
        parts[name] for name in by_voxel if name[:7] not in ("network", "writing", "seeds p")
    )
    seeds = parts["seeds per million voxels"] * million
    # A piece that is cut has a pair with the next block: as many as the faces of the blocks cross.
    side = (1e6 / parts["seeds per million voxels"]) ** (1 / 3)
    faces = sum(math.prod(TEN_TERABYTES) / b for b in block)  # pixels of all of them
    pairs = faces / side**2
    print(
        f"\n10 TB: {' x '.join(map(str, TEN_TERABYTES))} voxels, {boxes:,} blocks, "
        f"{seeds:,.0f} seeds, {pairs:,.0f} pairs across faces.\n\n"
        "| workers | region | computed twice | network | objects | client | all | efficiency |\n"
        "|--:|---|--:|--:|--:|--:|--:|--:|"
    )
    client = pairs / 1e6 * parts["joining a million pairs"] + seeds * 100e-9
    alone = 0.0
    for workers in WORKERS:
        cut: Cut = cut_regions(TEN_TERABYTES, grid, 1, workers, int(MEMORY * 0.3) // 4)
        maps = parts["writing maps, per million voxels"] * million / workers
        net = cut.duration(1, workers) / 1e6 * parts["network, per million voxels"] + maps
        together = min(max(boxes // (8 * workers), 1), 64)
        way = 11 * boxes / together * parts["a task"]  # of all passes, through one scheduler
        objects = max(decoding * million / workers, way)
        total = net + objects + client
        alone = alone or total
        region = " x ".join(map(str, cut.region))
        print(
            f"| {workers} | {region} | {cut.repeated - 1:.0%} | {hours(net)} | {hours(objects)} | "
            f"{hours(client)} | {hours(total)} | {alone / total / workers:.2f} |"
        )
    print(
        f"\nA worker: {MEMORY / 2**30:.0f} GiB. The client: "
        f"{(seeds * 28 + pairs * 40) / 2**30:.0f} GiB for its tables of seeds and pairs."
    )


def hours(seconds: float) -> str:
    """Return a time in hours."""
    return f"{seconds / 3600:,.1f} h"


if __name__ == "__main__":
    main()
