"""How long the viewer keeps its user waiting while the engine works, in a real shown window.

Run: ``xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/responsiveness.py``.

A window with both docks is shown. A timer that should fire every 5 ms measures how long Qt's
event loop is held up: while a dock is opened, while a model is trained on the example, and while
a dask layer of 10 GB is segmented by an engine that is ready, first what is in view, then as a
whole, which is stopped after a while. Prints a table in Markdown.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("UNET_NAPARI_MODELS", tempfile.mkdtemp(prefix="unet-napari-bench-"))
os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp()) / "settings.yaml"))

import dask.array
import numpy as np
from machine import conditions
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

import napari
from unet_napari.images import nuclei

SLICES, SIDE = 596, 4096  # 10 GB of 8 bits
PATIENCE = 600.0  # seconds
READY = 10.0  # seconds; by then the engine has started


class Gaps:
    """Seconds between two turns of the event loop."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self._last = now

    def row(self, what: str, note: str) -> str:
        """End the measurement; return a line of the table."""
        self._timer.stop()
        ms = 1000 * np.array(self.seconds)
        p50, p99 = np.percentile(ms, [50, 99])
        return f"| {what} | {p50:.0f} | {p99:.0f} | {ms.max():.0f} | {len(ms)} | {note} |"


def wait(done: Callable[[], bool], seconds: float = PATIENCE) -> float:
    """Let the program run until something is done; return how long that took."""
    start = time.perf_counter()
    while not done():
        if time.perf_counter() - start > seconds:
            raise TimeoutError(f"nothing after {seconds:.0f} s")
        QApplication.processEvents()
        time.sleep(0.002)
    return time.perf_counter() - start


def pause(seconds: float) -> None:
    """Let the program run for a while."""
    end = time.perf_counter() + seconds
    wait(lambda: time.perf_counter() > end)


def open_dock(viewer: napari.Viewer, title: str) -> tuple[Any, str]:
    """Open a dock, and wait until its engine is ready; return it, and a line of the table."""
    gaps = Gaps()
    _, dock = viewer.window.add_plugin_dock_widget("unet-napari", title)
    pause(READY)
    return dock, gaps.row(f"opening {title}", f"and {READY:.0f} s more")


def large_layer() -> dask.array.Array:
    """Return 10 GB of nuclei, made slice by slice when somebody looks."""
    tile, _ = nuclei((512, 512), count=250, seed=1)
    tile = (tile / tile.max() * 255).astype(np.uint8)
    plane = np.tile(tile, (SIDE // 512, SIDE // 512))

    def make(block_info: dict) -> np.ndarray:
        z = block_info[None]["array-location"][0][0]
        return np.roll(plane, z, axis=1)[np.newaxis]

    chunks = ((1,) * SLICES, (SIDE,), (SIDE,))
    return dask.array.map_blocks(make, chunks=chunks, dtype=np.uint8)


def train(viewer: napari.Viewer, minutes: float) -> list[str]:
    """Train a model on the example, and measure."""
    dock, opening = open_dock(viewer, "Train U-Net")
    image, labels = nuclei((512, 512), count=250, seed=1)
    viewer.add_image((image / image.max() * 255).astype(np.uint8), name="nuclei")
    viewer.add_labels(labels.astype(np.uint16), name="painted")
    dock.settings.minutes.value = str(minutes)  # and not live, which has no end
    wait(lambda: dock.run.enabled)
    dock.run.native.click()
    wait(lambda: bool(dock.plot.loss.points))
    gaps = Gaps()
    wait(lambda: not dock.busy)
    print(f"<!-- {dock.status.value} -->")
    return [opening, gaps.row("training, with the live prediction", dock.status.value)]


def segment(viewer: napari.Viewer, seconds: float) -> list[str]:
    """Segment a layer of 10 GB, what is in view and the whole, and measure."""
    dock, opening = open_dock(viewer, "Segment with U-Net")
    viewer.layers.clear()
    layer = viewer.add_image(
        large_layer(), name="large", contrast_limits=(0, 255), axis_labels=("z", "y", "x")
    )
    viewer.dims.set_point(0, 0)
    viewer.scene.camera.zoom = 2
    pause(2)
    dock.image.value = layer
    wait(lambda: dock.run.enabled)
    name = f"large · {dock.model.value}"
    rows = [opening]

    dock.scope.value = "view"
    gaps = Gaps()
    dock.run.native.click()
    took = wait(lambda: dock.run.text == "Segment")
    note = f"labels after {took:.1f} s, {np.count_nonzero(viewer.layers[name].data[0]):,} pixels"
    rows.append(gaps.row("10 GB, what is in view", note))

    viewer.layers.remove(name)
    dock.scope.value = "whole"
    gaps = Gaps()
    dock.run.native.click()
    appeared = wait(lambda: name in viewer.layers)
    filled = viewer.layers[name].data
    first = appeared + wait(lambda: bool(filled[0, ::16, ::16].any()))
    pause(max(0.0, seconds - first))
    status = dock.status.value
    dock.run.native.click()
    stopped = wait(lambda: dock.run.text == "Segment")
    gone = "layer gone" if name not in viewer.layers else "LAYER STILL THERE"
    note = (
        f"layer after {appeared:.1f} s, first labels after {first:.1f} s; Stop took "
        f"{stopped:.2f} s, {gone}; {status}"
    )
    rows.append(gaps.row(f"10 GB, whole, {seconds:.0f} s of it", note))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="of training")
    parser.add_argument("--seconds", type=float, default=60.0, help="of segmenting the whole")
    arguments = parser.parse_args()
    viewer = napari.Viewer()
    viewer.window.resize(1280, 760)
    rows = train(viewer, arguments.minutes) + segment(viewer, arguments.seconds)
    print(
        f"{conditions(os.cpu_count() or 1)} napari {version('napari')}, PyQt6 {version('PyQt6')}."
    )
    print("\n| while | p50 [ms] | p99 [ms] | longest [ms] | turns | |\n|---|---|---|---|---|---|")
    print("\n".join(rows))
    viewer.close()


if __name__ == "__main__":
    main()
