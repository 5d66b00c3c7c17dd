"""Kill a worker at a random moment, again and again; the labels must stay the same.

    python benchmarks/cluster/killed.py            10 minutes

Two workers segment an image of nuclei in many small regions and blocks. In each round one of them
is killed after a random time.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import zarr
from workers import CONFIG, write

from unet_napari.cluster import machines, regions
from unet_napari.cluster.connection import connect_cluster
from unet_napari.cluster.machines import DaskMachines
from unet_napari.images import nuclei, read_image
from unet_napari.inputs import image_for
from unet_napari.model.model import Model

SIDE = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    regions._CHUNK = {2: 64, 3: 32}
    machines._LEAST_BLOCK = 2**16
    chance = random.Random(0)  # noqa: S311  moments, no secrets
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = np.tile(nuclei((512, 512), count=290, seed=0)[0], (SIDE // 512, SIDE // 512))
        zarr.create_array(
            folder / "image.zarr", data=pixels, chunks=(128, 128), dimension_names=["y", "x"]
        )
        model = Model.load("nuclei")
        image = image_for(model, read_image(folder / "image.zarr"))
        started = time.perf_counter()
        write(image, model, folder / "one.zarr", None)
        length = time.perf_counter() - started
        expected = zarr.open_array(folder / "one.zarr" / "0")[...]
        killed = same = left = 0
        for number in range(rounds):
            output = folder / f"{number}.zarr"
            with connect_cluster(workers=2) as client:
                process = chance.choice(list(client.run(os.getpid).values()))
                moment = chance.uniform(0, length)
                timer = threading.Timer(moment, os.kill, (process, signal.SIGKILL))
                timer.start()
                write(image, model, output, DaskMachines(client, image, model, CONFIG))
                killed += timer.finished.is_set()
                timer.cancel()
            same += np.array_equal(zarr.open_array(output / "0")[...], expected)
            left += sum(path.suffix == ".partial" for path in output.rglob("*"))
            print(f"{number + 1}: {killed} killed meanwhile, {same} the same", flush=True)
    print(
        f"{rounds} rounds, in {killed} of which a worker was killed before the end: the same "
        f"labels in {same}, {expected.max()} objects; {left} pieces of chunks left behind."
    )
    sys.exit(same < rounds)


if __name__ == "__main__":
    main()
