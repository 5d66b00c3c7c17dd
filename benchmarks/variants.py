"""Train every network of the family for the same time on the same images, and compare.

    python benchmarks/variants.py DATA_FOLDER [--seconds 60]

DATA_FOLDER holds ``dsb2018_small``: 24 images of nuclei to train on, 12 others to test with.
Writes the table "The same minutes for each" of docs/guide/models/networks.md when all are done, and
prints each line as soon as it is known. With the default of a minute each it takes 12 minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import tifffile
import torch
from document import NETWORKS, replace_table
from machine import conditions
from numpy.typing import NDArray

from unet_napari import segment, train
from unet_napari.evaluation.objects import evaluate
from unet_napari.networks.catalogue import CATALOGUE

# The plain U-Net also with the options that the literature names, and the ResNet of least work.
VARIANTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    *(
        (e.title, e.name, {"depth": 18} if e.name == "resnet_unet" else {})
        for e in CATALOGUE.values()
    ),
    ("U-Net, residual blocks", "unet", {"residual": True}),
    ("U-Net, interpolated upsampling", "unet", {"upsampling": "interpolate"}),
    ("U-Net, deep supervision", "unet", {"deep_supervision": True}),
)

HEADER = (
    "| network | weights | steps | AP50, validation | AP50, test | AP75, test | PQ, test | s |",
    "|---|--:|--:|--:|--:|--:|--:|--:|",
)

Images = list[NDArray[Any]]


def load(folder: Path) -> tuple[Images, Images]:
    names = sorted(path.name for path in (folder / "images").glob("*.tif"))
    images = [tifffile.imread(folder / "images" / name) for name in names]
    return images, [tifffile.imread(folder / "labels" / name) for name in names]


def line(title: str, name: str, options: dict[str, Any], seconds: float, data: Path) -> str:
    """Train and test one network; return its line of the table."""
    images, labels = load(data / "train")
    test_images, truth = load(data / "test")
    model = train(
        images, labels, task="cells", ndim=2, unpainted="background", seed=0, device="cpu",
        network=name, network_options=options, seconds=seconds,
    )  # fmt: skip
    started = time.perf_counter()
    found = [segment(image, model, backend="torch", device="cpu") for image in test_images]
    predicting = time.perf_counter() - started
    result = evaluate(truth, found)
    score = model.provenance["score"]
    cells = (
        title,
        f"{model.network.parameter_count:,}",
        str(model.provenance["steps"]),
        "-" if score is None else f"{score:.3f}",
        f"{result.average_precision(0.5):.3f}",
        f"{result.average_precision(0.75):.3f}",
        f"{result.panoptic_quality():.3f}",
        f"{predicting:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seconds", type=float, default=60, help="of training for each")
    parser.add_argument("--document", type=Path, default=NETWORKS, help="to write the table into")
    arguments = parser.parse_args()
    threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
    torch.set_num_threads(threads)
    lines = list(HEADER)
    print("\n".join(lines), flush=True)
    for title, name, options in VARIANTS:
        print(title, file=sys.stderr, flush=True)
        lines.append(
            line(title, name, options, arguments.seconds, arguments.data / "dsb2018_small")
        )
        print(lines[-1], flush=True)
    lines += ["", f"{arguments.seconds:g} s of training each. {conditions(threads)}"]
    replace_table(arguments.document, "variants", lines)
    print(f"wrote {arguments.document}", file=sys.stderr)


if __name__ == "__main__":
    main()
