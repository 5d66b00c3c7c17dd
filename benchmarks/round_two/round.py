"""What a living training costs the viewer, in a real shown window.

Run: ``xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/round_two/round.py``.

A window with the Train dock is shown, with nuclei of which a dozen are painted. A live training is
started, and a stroke is painted every few seconds where the prediction is looked at. A timer that
should fire every 5 ms measures how long Qt's event loop is held up. Prints a table in Markdown:
seconds to the first prediction, from a stroke to the first prediction that knows of it, the
event loop, and the memory of napari and the engine after a tenth of the time and at the end.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("UNET_NAPARI_MODELS", tempfile.mkdtemp(prefix="unet-napari-bench-"))
os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp()) / "settings.yaml"))

import numpy as np
import psutil
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

import napari
from napari.layers import Labels
from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari.engine import PaintTaken, PaintUpdate, Preview
from unet_napari.images import nuclei

sys.path.append(str(Path(__file__).parents[1]))
from machine import conditions

PATIENCE = 600.0  # seconds
READY = 10.0  # seconds; by then the engine has started
SIDE, DEPTH = 512, 24  # pixels of the image, and slices of the volume
PAINTED = 12  # cells


class Gaps:
    """Milliseconds between two turns of the event loop."""

    def __init__(self) -> None:
        self.ms: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.ms.append(1000 * (now - self._last))
        self._last = now

    def end(self) -> str:
        """End the measurement; return the 99th percentile and the longest gap."""
        self._timer.stop()
        return f"{np.percentile(self.ms, 99):.0f} / {max(self.ms):.0f}"


def wait(done: Callable[[], bool], seconds: float = PATIENCE) -> float:
    """Let the program run until something is done, or for so long; return how long it took."""
    start = time.perf_counter()
    while not done() and time.perf_counter() - start < seconds:
        QApplication.processEvents()
        time.sleep(0.002)
    return time.perf_counter() - start


def memory(dock: TrainDock) -> tuple[float, float]:
    """Return the MiB that napari and the engine hold."""
    found = []
    for pid in (os.getpid(), dock.job.pid):
        found.append(0.0 if pid is None else psutil.Process(pid).memory_info().rss / 2**20)
    return found[0], found[1]


def layers(viewer: napari.Viewer, ndim: int) -> tuple[Labels, np.ndarray]:
    """Add an image and a dozen painted cells; return the labels layer and all cells."""
    shape = (SIDE, SIDE) if ndim == 2 else (DEPTH, SIDE // 2, SIDE // 2)
    image, truth = nuclei(shape, count=250 if ndim == 2 else 120, seed=1)
    painted = np.where(truth <= PAINTED, truth, 0).astype(np.uint16)
    viewer.add_image((image / image.max() * 255).astype(np.uint8), name="nuclei")
    return viewer.add_labels(painted, name="painted"), truth


def is_predicted(viewer: napari.Viewer) -> bool:
    """Tell whether the live prediction shows anything."""
    found = [layer for layer in viewer.layers if layer.name.endswith("prediction")]
    return any(np.asarray(layer.data).any() for layer in found)


def live(ndim: int, seconds: float, strokes: int) -> list[str]:
    """Train live and paint meanwhile; return the columns of the table."""
    viewer = napari.Viewer()
    viewer.window.resize(1280, 760)
    _, dock = viewer.window.add_plugin_dock_widget("unet-napari", "Train U-Net")
    labels, truth = layers(viewer, ndim)
    wait(lambda: False, READY)
    dock.effort.value = "live"
    told, taken, shown = record(dock)
    dock.run.native.click()
    first = wait(lambda: is_predicted(viewer))
    early: tuple[float, float] | None = None
    gaps, begin, changes, arrivals = Gaps(), time.perf_counter(), [], []
    for number in range(strokes):
        if early is None and time.perf_counter() - begin > seconds / 10:
            early = memory(dock)
        centre = np.argwhere(truth == PAINTED + 1 + number)
        if len(centre) == 0:
            break
        point = tuple(int(at) for at in centre[len(centre) // 2])
        viewer.dims.set_point(range(ndim), point)
        wait(lambda: False, 2.0)
        stroke, sent, known = time.perf_counter(), len(told), len(taken)
        labels.paint(point, PAINTED + 1 + number)
        wait(lambda sent=sent: len(told) > sent, 10)
        arrivals.append(told[-1] - stroke if len(told) > sent else np.inf)
        wait(lambda known=known: len(taken) > known, 20)
        seen = len(shown)
        wait(lambda seen=seen: len(shown) > seen, 30)
        changes.append(time.perf_counter() - stroke)
        wait(lambda n=number: time.perf_counter() - begin > (n + 1) * seconds / strokes)
    loop, late = gaps.end(), memory(dock)
    early = early or late
    status = dock.status.value
    dock.run.native.click()
    wait(lambda: not dock.busy)
    viewer.close()
    return [
        f"{ndim}D",
        f"{first:.1f}",
        f"{np.median(arrivals):.1f} / {max(arrivals):.1f}",
        f"{np.median(changes):.1f} / {max(changes):.1f}",
        loop,
        f"{early[0]:.0f} → {late[0]:.0f}",
        f"{early[1]:.0f} → {late[1]:.0f}",
        f"{len(changes)} strokes in {seconds:.0f} s; {status}",
    ]


def record(dock: TrainDock) -> tuple[list[float], list[float], list[float]]:
    """Note when strokes are sent, when they are in the training, and when predictions come."""
    told: list[float] = []
    taken: list[float] = []
    shown: list[float] = []
    tell = dock.job.tell

    def noted(command: object) -> None:
        tell(command)
        if isinstance(command, PaintUpdate):
            told.append(time.perf_counter())

    def note(event: object) -> None:
        if isinstance(event, PaintTaken):
            taken.append(time.perf_counter())
        elif isinstance(event, Preview):
            shown.append(time.perf_counter())

    dock.job.tell = noted  # type: ignore[method-assign]
    dock.job.reported.connect(note)
    return told, taken, shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0, help="of each training")
    parser.add_argument("--strokes", type=int, default=200)
    parser.add_argument("--ndim", type=int, choices=(2, 3), nargs="*", default=[2, 3])
    arguments = parser.parse_args()
    print(
        f"{conditions(os.cpu_count() or 1)} napari {version('napari')}, PyQt6 {version('PyQt6')}."
    )
    head = (
        "live",
        "first prediction [s]",
        "stroke sent, median / longest [s]",
        "stroke to its prediction, median / longest [s]",
        "event loop p99 / longest [ms]",
        "napari [MiB]",
        "engine [MiB]",
        "",
    )
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for ndim in arguments.ndim:
        row = live(ndim, arguments.seconds, arguments.strokes)
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
