"""Take the pictures of the documentation from the real program.

Run on a virtual screen: ``xvfb-run -a -s "-screen 0 1600x1000x24" python scripts/screenshots.py``;
with ``--data FOLDER`` that of the bundled model on StarDist's sample, of which AP50 is printed.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("UNET_NAPARI_MODELS", tempfile.mkdtemp(prefix="unet-napari-pictures-"))
os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp()) / "settings.yaml"))

import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

import napari
from unet_napari._napari.demo_layers import fill_viewer
from unet_napari.evaluation.objects import evaluate

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
PATIENCE = 600  # seconds


def wait(done: Callable[[], bool] | None = None, seconds: float = PATIENCE) -> None:
    """Let the program run until something is done, or for some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (done is not None and done()):
        QApplication.processEvents()
        time.sleep(0.01)


def picture(viewer: napari.Viewer, name: str) -> None:
    """Save the whole window, canvas included."""
    wait(seconds=0.5)
    viewer.window.screenshot(str(PICTURES / f"{name}.png"), canvas_only=False, flash=False)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", nargs="?", default="2.5", help="of training")
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    if arguments.data is not None:
        segment_nuclei(arguments.data / "stardist_sample")
    else:
        train_and_segment(arguments.minutes)


def segment_nuclei(sample: Path) -> None:
    """Open an image, open the dock, press Run: nothing else is touched."""
    viewer = napari.Viewer()
    viewer.window.resize(1280, 760)
    viewer.open(sample / "images" / "img2d.tif")
    dock, segment = viewer.window.add_plugin_dock_widget("unet-napari", "Segment with U-Net")
    viewer.window._qt_window.resizeDocks([dock], [300], Qt.Orientation.Horizontal)
    wait(lambda: segment.run.enabled)
    segment.run.native.click()
    wait(lambda: segment.run.text == "Segment")
    truth = tifffile.imread(sample / "labels" / "img2d.tif")
    result = evaluate([truth], [viewer.layers[-1].data])
    print(f"AP50 {result.average_precision(0.5):.3f}, {result.predicted_count} objects")
    picture(viewer, "nuclei")
    viewer.close()


def train_and_segment(minutes: str) -> None:
    """Train and segment the example, and save a picture of each state."""
    viewer = fill_viewer(napari.Viewer())
    viewer.window.resize(1280, 760)
    docks = list(viewer.window.dock_widgets.values())
    train = next(dock for dock in docks if "effort" in dir(dock))
    segment = next(dock for dock in docks if dock is not train)
    window = train.native.window()
    holder = train.native.parent()
    window.resizeDocks([holder], [300], Qt.Orientation.Horizontal)
    wait(lambda: "cells" in train.detected.value)
    picture(viewer, "train-ready")

    train.effort.value = "standard"
    train.settings.minutes.value = minutes
    train.run.native.click()
    wait(lambda: train.progress.value > 60 or not train.busy)
    picture(viewer, "train-running")
    wait(lambda: not train.busy)
    picture(viewer, "train-done")

    train.segment.native.click()
    segment.run.native.click()
    wait(lambda: segment.run.text == "Segment")
    picture(viewer, "segment-done")
    viewer.theme = "light"
    picture(viewer, "segment-done-light")
    holder.show()
    holder.raise_()
    picture(viewer, "train-done-light")
    viewer.close()


if __name__ == "__main__":
    main()
