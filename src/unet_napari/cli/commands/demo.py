"""``unet-napari demo``: the main job, on an example that the package brings along."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.cli.progress_bar import ProgressLine
from unet_napari.cli.system import has_display
from unet_napari.cli.values import duration
from unet_napari.system.text import human_time

if TYPE_CHECKING:
    import numpy as np

    from unet_napari.cli.values import Subparsers
    from unet_napari.model.model import Model

__all__ = ["add_demo_command"]


def add_demo_command(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "demo", help="the main job on an example: in napari, or without a display in the terminal"
    )
    add = parser.add_argument
    add("--headless", action="store_true", help="stay in the terminal though there is a display")
    add("--output", type=Path, default=Path("unet-napari-demo"), metavar="DIR")
    add("--time", type=duration, default=90.0, dest="seconds", metavar="90s", help="of training")
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    if not arguments.headless and has_display() and find_spec("napari") is not None:
        from unet_napari._napari.demo_layers import open_demo

        open_demo()
        return
    _in_the_terminal(arguments.output, arguments.seconds)


def _in_the_terminal(folder: Path, seconds: float) -> None:
    from unet_napari.api import segment
    from unet_napari.evaluation.objects import average_precision
    from unet_napari.images import nuclei

    image, truth = nuclei((512, 512), count=120, seed=1)
    painted = truth.copy()
    painted[:, painted.shape[1] // 2 :] = 0
    print(f"An image of {truth.max()} synthetic nuclei; those of the left half are painted.")
    model = _train(image, painted, seconds)
    labels = segment(image, model)
    right = slice(painted.shape[1] // 2, None)
    score = average_precision(truth[:, right], labels[:, right], 0.5)
    print(f"{labels.max()} objects found; AP50 {score:.2f} on the half that was never painted.")
    _write(folder, image, labels, model)
    print(f"Labels, overlay picture and model are in {folder}/")


def _train(image: np.ndarray, painted: np.ndarray, seconds: float) -> Model:
    from unet_napari.api import train
    from unet_napari.training.events import Step, TrainEvent

    line = ProgressLine("training")

    def show(event: TrainEvent) -> None:
        if isinstance(event, Step):
            left = human_time(event.seconds_left or 0)
            line.show(f"step {event.step} · loss {event.loss:.3f} · {left} left")

    return train(image, painted, task="cells", ndim=2, seconds=seconds, on_event=show)


def _write(folder: Path, image: np.ndarray, labels: np.ndarray, model: Model) -> None:
    from unet_napari.images import open_output
    from unet_napari.images.thumbnail import overlay, write_png

    folder.mkdir(parents=True, exist_ok=True)
    with open_output(
        folder / "labels.tif",
        shape=labels.shape,
        dtype="uint32",
        axes="YX",
        pixel_size={},
        overwrite=True,
        labels=True,
    ) as out:
        out[...] = labels
    write_png(folder / "overlay.png", overlay(image, labels))
    model.save(folder / "demo.unet")
