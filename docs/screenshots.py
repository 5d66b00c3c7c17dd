"""Take the pictures of the documentation from the real program.

Run on a virtual screen: ``xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots.py``.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("UNET_NAPARI_MODELS", tempfile.mkdtemp(prefix="unet-napari-pictures-"))
os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp()) / "settings.yaml"))

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

import napari
from unet_napari._napari.demo import fill_viewer

PICTURES = Path(__file__).parent / "images"
MINUTES = sys.argv[1] if len(sys.argv) > 1 else "1.5"
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
    """Train and segment the example, and save a picture of each state."""
    PICTURES.mkdir(exist_ok=True)
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

    train.settings.minutes.value = MINUTES
    train.run.native.click()
    wait(lambda: train.progress.value > 60 or train.run.text == "Train")
    picture(viewer, "train-running")
    wait(lambda: train.run.text == "Train")
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
