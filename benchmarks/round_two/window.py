"""What the benchmarks of the viewer share: a shown window, and how long its event loop is held up.

Import it before napari, whose settings and models it keeps apart from the user's.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("UNET_NAPARI_MODELS", tempfile.mkdtemp(prefix="unet-napari-bench-"))
os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp()) / "settings.yaml"))

import numpy as np
import psutil

sys.path.append(str(Path(__file__).parents[1]))
from machine import conditions
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

import napari
from unet_napari.images import nuclei

__all__ = ["Gaps", "Held", "about", "cpu_seconds", "nuclei_layer", "open_dock", "shown", "wait"]

PATIENCE = 600.0  # seconds
READY = 10.0  # seconds; by then the engine has started


class Held(NamedTuple):
    """Milliseconds between two turns of the event loop: percentiles, the longest, how many."""

    p50: float
    p99: float
    longest: float
    turns: int


class Gaps:
    """Measures how long a timer that should fire every 5 ms is kept waiting."""

    def __init__(self) -> None:
        self._ms: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self._ms.append(1000 * (now - self._last))
        self._last = now

    def end(self) -> Held:
        """End the measurement."""
        self._timer.stop()
        p50, p99 = np.percentile(self._ms, [50, 99])
        return Held(float(p50), float(p99), max(self._ms), len(self._ms))


def wait(done: Callable[[], bool] | None = None, seconds: float | None = None) -> float:
    """Let the program run until something is done, or for so many seconds; return how long.

    Raises
    ------
    TimeoutError
        If no seconds are given, and it is not done after ten minutes.
    """
    start = time.perf_counter()
    while done is None or not done():
        taken = time.perf_counter() - start
        if seconds is None and taken > PATIENCE:
            raise TimeoutError(f"nothing after {PATIENCE:.0f} s")
        if seconds is not None and taken > seconds:
            break
        QApplication.processEvents()
        time.sleep(0.002)
    return time.perf_counter() - start


def shown() -> napari.Viewer:
    """Return a viewer with a shown window of a usual size."""
    viewer = napari.Viewer()
    viewer.window.resize(1280, 760)
    return viewer


def open_dock(viewer: napari.Viewer, title: str) -> tuple[Any, Held]:
    """Open a dock, and wait until its engine is ready; return it, and how the window was held."""
    gaps = Gaps()
    _, dock = viewer.window.add_plugin_dock_widget("unet-napari", title)
    wait(seconds=READY)
    return dock, gaps.end()


def nuclei_layer(viewer: napari.Viewer, shape: tuple[int, ...], count: int) -> np.ndarray:
    """Add an image of nuclei, of 8 bits; return the truth about it."""
    image, truth = nuclei(shape, count=count, seed=1)
    viewer.add_image((image / image.max() * 255).astype(np.uint8), name="nuclei")
    return truth


def cpu_seconds(pid: int | None) -> float:
    """Return the CPU time that a process has taken."""
    if pid is None:
        return 0.0
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def about() -> str:
    """Return the machine, its load, and the versions of what the window is made of."""
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
    versions = f"napari {version('napari')}, PyQt6 {version('PyQt6')}"
    return f"{conditions(threads)} {versions}. Load of the machine: {load}."
