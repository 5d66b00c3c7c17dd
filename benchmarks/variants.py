"""Train every network of the family for the same time on the same images, and compare.

    python benchmarks/variants.py DATA_FOLDER [--seconds 120]

DATA_FOLDER holds ``dsb2018_small``: 24 images of nuclei to train on, 12 others to score.
Prints the table of docs/networks.md, "The same minutes for each".
"""

import argparse
import sys
import time
from pathlib import Path

import tifffile

from unet_napari import segment, train
from unet_napari.metrics import evaluate
from unet_napari.networks.catalogue import CATALOGUE

# The plain U-Net also with the options that the literature names.
VARIANTS = [(name, {}) for name in CATALOGUE] + [
    ("unet", {"residual": True}),
    ("unet", {"upsampling": "interpolate"}),
    ("unet", {"deep_supervision": True}),
]


def load(folder: Path) -> tuple[list, list]:
    names = sorted(path.name for path in (folder / "images").glob("*.tif"))
    read = [[tifffile.imread(folder / side / n) for n in names] for side in ("images", "labels")]
    return read[0], read[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seconds", type=float, default=120)
    arguments = parser.parse_args()
    images, labels = load(arguments.data / "dsb2018_small" / "train")
    test_images, truth = load(arguments.data / "dsb2018_small" / "test")
    print("| network | options | steps | validation AP50 | test AP50 | test AP75 | predict, s |")
    print("|---|---|---|---|---|---|---|")
    for name, options in VARIANTS:
        print(name, options, file=sys.stderr, flush=True)
        model = train(
            images, labels, task="cells", ndim=2, unpainted="background", seed=0, network=name,
            network_options=options, seconds=arguments.seconds,
        )  # fmt: skip
        started = time.perf_counter()
        found = [segment(image, model, backend="torch") for image in test_images]
        seconds = time.perf_counter() - started
        result = evaluate(truth, found)
        said = ", ".join(f"{key}={value}" for key, value in options.items()) or "as chosen"
        known = model.provenance
        print(
            f"| {name} | {said} | {known['steps']} | {known['score'] or 0:.3f} | "
            f"{result.average_precision(0.5):.3f} | {result.average_precision(0.75):.3f} | "
            f"{seconds:.1f} |",
            flush=True,
        )
