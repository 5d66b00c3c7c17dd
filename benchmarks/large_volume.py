"""Segment a volume of 20 GB within 4 GiB of memory, with the command that a user types.

    python benchmarks/large_volume.py FOLDER                   20 GB, about half an hour
    python benchmarks/large_volume.py FOLDER --gigabytes 1     to try it

FOLDER gets a zarr volume of nuclei in four channels (float32, compressed to less than half), a
model that was trained on such nuclei for a minute, and the labels: up to 1.5 times the size of the
volume. What is there from an earlier run is used; all is removed unless ``--keep`` is given. Then

    unet-napari segment volume.zarr --model nuclei.unet --output labels.zarr --axes CZYX --verbose

runs under ``ulimit -d`` (RLIMIT_DATA: all private memory that a process may have; ``ulimit -v``
would count the mapped files of torch and Python too). The log shows its memory as time passes; the
script fails if that grows from the first to the second half of a stage of two minutes or more.
Linux only.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zarr
from machine import conditions
from numpy.typing import NDArray

from unet_napari import train
from unet_napari.images.synthetic import nuclei

CHANNELS, WIDTH = 4, 1024
LONG = 120  # seconds of a stage; of a shorter one the filling of the stream is more than half
BLOCK = (32, 256, 256)  # of nuclei made by computation, repeated with variations
GROWTH = 1.1  # of the memory, from the first half of a stage to the second


def channels(picture: NDArray, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return four recordings of the same nuclei, (C, Z, Y, X), brighter and darker."""
    gains = rng.uniform(0.5, 1.5, CHANNELS)
    return np.stack([np.rint(gain * picture) for gain in gains]).astype(np.float32)


def make_volume(path: Path, gigabytes: float) -> None:
    """Write the volume block by block: mirrored, turned and lit differently each time."""
    depth = round(gigabytes * 1e9 / (4 * CHANNELS * WIDTH * WIDTH))
    shape = (CHANNELS, depth, WIDTH, WIDTH)
    volume = zarr.create_array(
        path, shape=shape, chunks=(1, 16, 256, 256), dtype="float32", overwrite=True
    )
    rng = np.random.default_rng(0)
    pictures = [nuclei(BLOCK, count=100, seed=seed)[0] for seed in range(4)]
    for z in range(0, depth, BLOCK[0]):
        for y in range(0, WIDTH, BLOCK[1]):
            for x in range(0, WIDTH, BLOCK[2]):
                picture = pictures[rng.integers(len(pictures))]
                picture = np.flip(picture, tuple(np.flatnonzero(rng.integers(0, 2, 3))))
                if rng.integers(0, 2):
                    picture = picture.swapaxes(1, 2)
                rows = slice(z, min(z + BLOCK[0], depth))
                part = channels(picture, rng)[:, : rows.stop - rows.start]
                volume[:, rows, y : y + BLOCK[1], x : x + BLOCK[2]] = part


def make_model(path: Path, seconds: float) -> None:
    """Train a small network on nuclei that are not in the volume."""
    rng = np.random.default_rng(1)
    made = [nuclei((24, 160, 160), count=45, seed=seed) for seed in (10, 11, 12)]
    model = train(
        [channels(picture, rng) for picture, _ in made],
        [labels for _, labels in made],
        axes="CZYX", ndim=3, unpainted="background", seconds=seconds, seed=0,
        network="unet", network_options={"features": (8, 16)},
    )  # fmt: skip
    model.save(path)


def segment(folder: Path, limit: int) -> Iterator[tuple[str, int, int]]:
    """Run the command; yield its last line, its memory and its highest one, in bytes."""
    command = [sys.executable, "-m", "unet_napari.cli", "segment", str(folder / "volume.zarr")]
    command += ["--model", str(folder / "nuclei.unet"), "--output", str(folder / "labels.zarr")]
    command += ["--axes", "CZYX", "--verbose", "--overwrite"]
    log = folder / "segment.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            stderr=stderr,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
        )
        while process.poll() is None:
            time.sleep(1)
            memory = memory_of(process.pid)
            if memory:
                yield last_line(log), *memory
    if process.returncode:
        sys.exit(f"The command failed:\n{log.read_text()[-2000:]}")


def memory_of(pid: int) -> tuple[int, int] | None:
    """Return the private memory of a process that is present, and all that ever was."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    anonymous, peak = (re.search(rf"{name}:\s+(\d+) kB", status) for name in ("RssAnon", "VmHWM"))
    return (1024 * int(anonymous[1]), 1024 * int(peak[1])) if anonymous and peak else None


def last_line(log: Path) -> str:
    text = log.read_bytes()[-400:].decode(errors="replace")
    lines = [line.strip() for line in re.split(r"[\r\n]+|\x1b\[K", text) if line.strip()]
    return lines[-1] if lines else "starting"


def stage_of(line: str) -> str:
    """Return a progress line without its numbers."""
    return re.sub(r"\s[\d.,:%/]+.*", "", line.partition(": ")[2] or line).strip()


def check_constant(samples: list[tuple[str, int]]) -> Iterator[str]:
    """Yield a line of a table for each stage; exit if memory grew in one."""
    yield "| stage | seconds | highest memory, first half | second half |"
    yield "|---|--:|--:|--:|"
    grown = []
    for stage in dict.fromkeys(stage for stage, _ in samples):
        values = [value for each, value in samples if each == stage]
        if len(values) < 2:
            continue
        half = len(values) // 2
        first, second = max(values[:half]), max(values[half:])
        yield f"| {stage} | {len(values)} | {first / 2**20:.0f} MiB | {second / 2**20:.0f} MiB |"
        if second > GROWTH * first and len(values) >= LONG and stage != "starting":
            grown.append(stage)
    if grown:
        sys.exit(f"Memory grew while {', '.join(grown)}.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gigabytes", type=float, default=20)
    parser.add_argument("--limit", type=float, default=4, help="GiB of memory for the command")
    parser.add_argument("--seconds", type=float, default=60, help="of training")
    parser.add_argument("--keep", action="store_true", help="leave the files there")
    arguments = parser.parse_args()
    folder = arguments.folder / "large_volume"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if not (folder / "nuclei.unet").exists():
            make_model(folder / "nuclei.unet", arguments.seconds)
            print("model trained", flush=True)
        if not (folder / "volume.zarr").exists():
            make_volume(folder / "unfinished.zarr", arguments.gigabytes)
            (folder / "unfinished.zarr").rename(folder / "volume.zarr")
        shape = zarr.open_array(folder / "volume.zarr", mode="r").shape
        stored = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        size = 4 * np.prod(shape, dtype=float)
        print(f"volume {shape} of {size / 1e9:.1f} GB, {stored / 1e9:.1f} GB stored", flush=True)
        samples, highest = [], 0
        started = time.monotonic()
        for line, memory, peak in segment(folder, int(arguments.limit * 2**30)):
            samples.append((stage_of(line), memory))
            highest = max(highest, peak)
            if len(samples) % 15 == 1:
                seconds = time.monotonic() - started
                print(f"{seconds:6.0f} s {memory / 2**20:6.0f} MiB  {line}", flush=True)
        seconds = time.monotonic() - started
        labels = zarr.open_array(folder / "labels.zarr" / "0", mode="r")
        middle = np.unique(labels[shape[1] // 2]).size - 1
        print(*check_constant(samples), sep="\n")
        print(
            f"\n{size / 1e9:.1f} GB in {seconds:.0f} s, peak memory {highest / 2**20:.0f} MiB with "
            f"the pages of mapped files, limit {arguments.limit} GiB; {middle} nuclei in the "
            f"middle slice. {conditions(2)}"
        )
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
