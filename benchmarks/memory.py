"""Memory: what the plan foresees against what the process takes, and that it does not grow.

    python benchmarks/memory.py [--quick]

The first table has one prediction per way; "measured" is the peak of a fresh process above what it
took with the model loaded. The second streams volumes of 1, 4 and 16 times the length from
zarr to zarr. The networks are untrained, as weights do not matter here. Linux only.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

MIB = 2**20
FLAT = {"features": [16, 32, 64, 128]}
DEEP = {"ndim": 3, "features": [8, 16, 32]}
# name: network, shape of the image, settings
WAYS: dict[str, tuple[dict[str, Any], tuple[int, ...], dict[str, Any]]] = {
    "2D, one tile": (FLAT, (1024, 1024), {"tile": [1024, 1024], "backend": "torch"}),
    "2D, streamed": (FLAT, (2048, 2048), {"backend": "torch"}),
    "2D, columns": (FLAT, (1024, 4096), {"memory": 112 * MIB, "backend": "torch"}),
    "2D, tiles": (FLAT, (2048, 2048), {"tile": [1024, 1024], "backend": "torch"}),
    "2D, tiles of OpenVINO": (FLAT, (2048, 2048), {"tile": [1024, 1024], "backend": "openvino"}),
    "2D, averaged over 8 variants": (FLAT, (1024, 512), {"backend": "torch", "tta": True}),
    "3D, one tile": (DEEP, (48, 160, 160), {"tile": [48, 160, 160], "backend": "torch"}),
    "3D, streamed": (DEEP, (64, 192, 192), {"backend": "torch"}),
    "3D, columns": (DEEP, (48, 192, 384), {"memory": 160 * MIB, "backend": "torch"}),
    "3D, tiles": (DEEP, (48, 256, 256), {"tile": [48, 160, 160], "backend": "torch"}),
}
CROSS_SECTION = (128, 128)
LENGTHS = (256, 1024, 4096)  # the shortest fills the stream


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the smaller half, in a minute")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(_measure(**json.loads(arguments.child))))
        return
    print(_machine(), end="\n\n")
    print("| way | plan | predicted | measured | predicted / measured |\n|---|---|---|---|---|")
    for name, (network, shape, settings) in WAYS.items():
        if not arguments.quick or "3D" not in name:
            _print_way(name, _run(network=network, shape=shape, settings=settings))
    print("\n| volume, zarr to zarr | predicted | peak above the loaded model |\n|---|---|---|")
    for length in LENGTHS[: 2 if arguments.quick else 3]:
        shape = (length, *CROSS_SECTION)
        settings = {"backend": "torch"}
        found = _run(network=DEEP, shape=shape, settings=settings, zarr=True)
        size = " x ".join(map(str, shape))
        print(f"| {size} | {found['predicted'] / MIB:.0f} MiB | {found['peak'] / MIB:.0f} MiB |")


def _print_way(name: str, found: dict[str, Any]) -> None:
    if "variants" not in name and found["way"] not in name:
        raise SystemExit(f"{name}: the plan was {found['way']}, so this row measures another way.")
    predicted, measured = found["predicted"] / MIB, found["peak"] / MIB
    ratio = predicted / measured
    print(f"| {name} | {found['way']} | {predicted:.0f} MiB | {measured:.0f} MiB | {ratio:.2f} |")


def _run(**job: Any) -> dict[str, Any]:  # noqa: ANN401  what `_measure` takes
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--child", json.dumps(job)]
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(
    network: dict[str, Any], shape: list[int], settings: dict[str, Any], *, zarr: bool = False
) -> dict[str, Any]:
    from unet_napari.images import Image, Normalisation
    from unet_napari.inference import InferenceConfig, predict_steps
    from unet_napari.model.model import Model
    from unet_napari.networks import build_network
    from unet_napari.tasks import CellsTask

    options = {"in_channels": 1, "out_channels": 3, **network}
    model = Model(build_network("unet", options).eval(), CellsTask(), Normalisation())
    config = InferenceConfig.from_dict({"device": "cpu", **settings})
    with tempfile.TemporaryDirectory() as folder:
        pixels, out = _arrays(Path(folder), tuple(shape), zarr=zarr)
        image = Image(pixels, "ZYX"[-len(shape) :])
        # Statistics, imports and threads are there before, whatever the size of the image.
        small = Image(pixels[tuple(slice(16) for _ in shape)], image.axes)
        small_out = _arrays(Path(folder), small.shape, zarr=False)[1]
        for _ in predict_steps(small, model, small_out, InferenceConfig(device="cpu")):
            pass
        model.normalisation.measure(image)
        before = _reset_peak()
        steps = predict_steps(image, model, out, config)
        plan: Any = next(steps).plan
        for _ in steps:
            pass
        return {"predicted": plan.memory, "way": plan.way, "peak": _status("VmHWM") - before}


def _arrays(folder: Path, shape: tuple[int, ...], *, zarr: bool) -> tuple[Any, Any]:
    """Return pixels and room for the maps: memory maps of files, or zarr arrays."""
    import numpy as np

    if zarr:
        import zarr as z

        chunks = (16, *(min(size, 128) for size in shape[1:]))
        pixels = z.create_array(folder / "in", shape=shape, chunks=chunks, dtype="uint16")
        random = np.random.default_rng(0)
        for start in range(0, shape[0], 16):
            pixels[start : start + 16] = random.integers(0, 4000, (16, *shape[1:]), np.uint16)
        out = z.create_array(
            folder / "out", shape=(3, *shape), chunks=(1, *chunks), dtype="float32"
        )
        return pixels, out
    pixels = np.random.default_rng(0).integers(0, 4000, shape, np.uint16)
    out = np.empty((3, *shape), np.float32)
    out.fill(0)  # its pages count before, not as memory of the prediction
    return pixels, out


def _reset_peak() -> int:
    """Begin a new peak; return the bytes that the process has now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def _machine() -> str:
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("torch", "zarr", "numpy"))
    command = " ".join(["python", "benchmarks/memory.py", *sys.argv[1:]])
    return (
        f"`{command}` on {platform.machine()}, {os.cpu_count()} CPU threads, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}"
    )


if __name__ == "__main__":
    main()
