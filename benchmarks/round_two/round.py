"""What the second round costs the viewer, in a real shown window.

Run: ``xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/round_two/round.py``.

A window with the Train dock is shown, with nuclei of which a dozen are painted. A live training is
started, and a stroke is painted every few seconds where the prediction is looked at. A timer that
should fire every 5 ms measures how long Qt's event loop is held up. Prints a table in Markdown:
seconds to the first prediction, and the CPU seconds of the engine for it; from a stroke to the
first prediction that knows of it; the event loop; and the memory of napari and the engine, with
``--memory-every`` after every so many strokes.

``--sliders`` segments a megapixel instead, moves the sliders, and prints the milliseconds until the
labels have followed.
"""

import argparse
import itertools
import os
import time
from collections.abc import Callable

from window import Gaps, about, cpu_seconds, nuclei_layer, open_dock, shown, wait

# What was imported above has set napari's environment.
import numpy as np  # isort: skip
import psutil  # isort: skip

import napari  # isort: skip
from napari.layers import Labels  # isort: skip
from unet_napari._napari.docks.train_dock import TrainDock  # isort: skip
from unet_napari.engine import PaintTaken, PaintUpdate, Preview  # isort: skip

SIDE, DEPTH = 512, 24  # pixels of the image, and slices of the volume
PAINTED = 12  # cells
MEGAPIXEL = (1024, 1024)


def memory(dock: TrainDock) -> tuple[float, float]:
    """Return the MiB that napari and the engine hold."""
    found = []
    for pid in (os.getpid(), dock.job.pid):
        found.append(0.0 if pid is None else psutil.Process(pid).memory_info().rss / 2**20)
    return found[0], found[1]


def layers(viewer: napari.Viewer, ndim: int) -> tuple[Labels, np.ndarray]:
    """Add an image and a dozen painted cells; return the labels layer and all cells."""
    shape = (SIDE, SIDE) if ndim == 2 else (DEPTH, SIDE // 2, SIDE // 2)
    truth = nuclei_layer(viewer, shape, 250 if ndim == 2 else 120)
    painted = np.where(truth <= PAINTED, truth, 0).astype(np.uint16)
    return viewer.add_labels(painted, name="painted"), truth


def is_predicted(viewer: napari.Viewer) -> bool:
    """Tell whether the live prediction shows anything."""
    found = [layer for layer in viewer.layers if layer.name.endswith("prediction")]
    return any(np.asarray(layer.data).any() for layer in found)


def live(ndim: int, seconds: float, strokes: int, every: int) -> list[str]:
    """Train live and paint meanwhile; return the columns of the table."""
    viewer = shown()
    dock, _ = open_dock(viewer, "Train U-Net")
    labels, truth = layers(viewer, ndim)
    dock.effort.value = "live"
    wait(lambda: dock.run.enabled)
    told, taken, shown_at = record(dock)
    before = cpu_seconds(dock.job.pid)
    dock.run.native.click()
    first = wait(lambda: is_predicted(viewer))
    cpu = cpu_seconds(dock.job.pid) - before
    gaps, begin, changes, arrivals = Gaps(), time.perf_counter(), [], []
    held = [memory(dock)]
    for number in range(strokes):
        centre = np.argwhere(truth == PAINTED + 1 + number)
        if len(centre) == 0:
            break
        point = tuple(int(at) for at in centre[len(centre) // 2])
        viewer.dims.set_point(range(ndim), point)
        wait(seconds=2.0)
        stroke, sent, known = time.perf_counter(), len(told), len(taken)
        labels.paint(point, PAINTED + 1 + number)
        wait(lambda sent=sent: len(told) > sent, 10)
        arrivals.append(told[-1] - stroke if len(told) > sent else np.inf)
        wait(lambda known=known: len(taken) > known, 20)
        seen = len(shown_at)
        wait(lambda seen=seen: len(shown_at) > seen, 30)
        changes.append(time.perf_counter() - stroke)
        if (number + 1) % every == 0:
            held.append(memory(dock))
        left = (number + 1) * seconds / strokes - (time.perf_counter() - begin)
        wait(seconds=max(0.0, left))
    loop = gaps.end()
    held.append(memory(dock))
    status, took = dock.status.value, time.perf_counter() - begin
    dock.run.native.click()
    wait(lambda: not dock.busy)
    viewer.close()
    return [
        f"{ndim}D",
        f"{first:.1f}",
        f"{cpu:.1f}",
        f"{np.median(arrivals):.1f} / {max(arrivals):.1f}",
        f"{np.median(changes):.1f} / {max(changes):.1f}",
        f"{loop.p99:.0f} / {loop.longest:.0f}",
        " → ".join(f"{mib:.0f}" for mib, _ in held),
        " → ".join(f"{mib:.0f}" for _, mib in held),
        f"{len(changes)} strokes in {took:.0f} s; {status}",
    ]


def record(dock: TrainDock) -> tuple[list[float], list[float], list[float]]:
    """Note when strokes are sent, when they are in the training, and when predictions come."""
    told: list[float] = []
    taken: list[float] = []
    seen: list[float] = []
    tell: Callable[[object], None] = dock.job.tell

    def noted(command: object) -> None:
        tell(command)
        if isinstance(command, PaintUpdate):
            told.append(time.perf_counter())

    def note(event: object) -> None:
        if isinstance(event, PaintTaken):
            taken.append(time.perf_counter())
        elif isinstance(event, Preview):
            seen.append(time.perf_counter())

    dock.job.tell = noted  # type: ignore[method-assign]
    dock.job.reported.connect(note)
    return told, taken, seen


def sliders(moves: int) -> list[str]:
    """Segment a megapixel and move the sliders; return the columns of a table."""
    viewer = shown()
    dock, _ = open_dock(viewer, "Segment with U-Net")
    nuclei_layer(viewer, MEGAPIXEL, 900)
    dock.model.value = "nuclei"
    wait(lambda: dock.run.enabled)
    dock.run.native.click()
    wait(lambda: dock.run.text == "Segment" and "Done" in dock.status.value)
    found = dock.status.value
    fields = dock.settings.thresholds.sliders
    ms, before = [], cpu_seconds(dock.job.pid)
    names = itertools.cycle(["foreground_threshold", "seed_threshold"])
    values = itertools.cycle([0.35, 0.45, 0.55, 0.65, 0.5])
    for name, value in itertools.islice(zip(names, values, strict=False), moves):
        wait(seconds=0.5)  # the one before has been followed everywhere
        dock.status.say("")
        begin = time.perf_counter()
        fields[name].value = value
        wait(lambda: "thresholds" in dock.status.value, 30)
        ms.append(1000 * (time.perf_counter() - begin))
    cpu = (cpu_seconds(dock.job.pid) - before) / max(1, moves)
    viewer.close()
    size = MEGAPIXEL[0] * MEGAPIXEL[1] / 1e6
    return [
        f"{np.median(ms) / size:.0f} / {max(ms) / size:.0f}",
        f"{1000 * cpu / size:.0f}",
        f"{moves} moves; {found}",
    ]


def table(head: tuple[str, ...]) -> None:
    """Print the head of a table."""
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0, help="of each training")
    parser.add_argument("--strokes", type=int, default=200)
    parser.add_argument("--memory-every", type=int, default=50, help="strokes")
    parser.add_argument("--ndim", type=int, choices=(2, 3), nargs="*", default=[2, 3])
    parser.add_argument("--sliders", type=int, default=0, metavar="MOVES", help="measure these")
    arguments = parser.parse_args()
    print(about())
    if arguments.sliders:
        table(
            (
                "slider to labels, median / longest [ms per megapixel]",
                "CPU of the engine, all of it [ms per megapixel]",
                "",
            )
        )
        print("| " + " | ".join(sliders(arguments.sliders)) + " |")
        return
    table(
        (
            "live",
            "first prediction [s]",
            "CPU of the engine for it [s]",
            "stroke sent, median / longest [s]",
            "stroke to its prediction, median / longest [s]",
            "event loop p99 / longest [ms]",
            "napari [MiB]",
            "engine [MiB]",
            "",
        )
    )
    for ndim in arguments.ndim:
        row = live(ndim, arguments.seconds, arguments.strokes, arguments.memory_every)
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
