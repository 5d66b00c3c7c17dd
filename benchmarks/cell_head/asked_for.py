"""What the programs about the decoding of a model are asked for on their command lines."""

from __future__ import annotations

import argparse
from pathlib import Path

from unet_napari import Model
from unet_napari.tasks import CellsTask

__all__ = ["asked_for"]


def asked_for(description: str | None) -> tuple[argparse.Namespace, Model, CellsTask]:
    """Return MODEL, IMAGES and LABELS, the model, and its task, which must find cells."""
    parser = argparse.ArgumentParser(description=description)
    for name in ("model", "images", "labels"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    model = Model.load(arguments.model)
    if not isinstance(task := model.task, CellsTask):
        parser.error(f"{arguments.model} does not find cells.")
    return arguments, model, task
