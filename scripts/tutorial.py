"""Take the pictures of docs/tutorial.md from the real program: one round, from paint to thresholds.

Run on a virtual screen: ``xvfb-run -a -s "-screen 0 1600x1000x24" python scripts/tutorial.py``.
It prints what the program says at each step.
"""

from pathlib import Path
from types import SimpleNamespace

from screenshots import wait  # sets napari's environment, so it comes first

import numpy as np  # isort: skip
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea
from scipy import ndimage

import napari
from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari._napari.widgets.fold import Fold
from unet_napari.images import nuclei

PICTURES = Path(__file__).parents[1] / "docs" / "pictures" / "round"
SIZE, SIDE, CELLS, PAINTED = (1180, 700), 288, 48, 12
DIRT = 5  # bright specks that are no cells


def picture(viewer: napari.Viewer, name: str) -> None:
    """Save the whole window in 256 colours, a third of the bytes."""
    wait(seconds=0.8)
    pixels = viewer.window.screenshot(canvas_only=False, flash=False)
    image = Image.fromarray(pixels).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(PICTURES / f"{name}.png", optimize=True)


def drag(viewer: napari.Viewer, *points: np.ndarray) -> None:
    """Press the mouse at the first point, move along the others, and release it."""
    event = SimpleNamespace(button=1, modifiers=(), handled=False, is_dragging=True)
    for number, point in enumerate(points):
        event.position, event.pos = tuple(map(float, point)), np.array(point) * 4
        event.type = "mouse_press" if number == 0 else "mouse_move"
        (mouse_press_callbacks if number == 0 else mouse_move_callbacks)(viewer, event)
    event.type = "mouse_release"
    mouse_release_callbacks(viewer, event)


class Round:
    """A window with nuclei and a few specks of dirt, and the Train dock."""

    def __init__(self) -> None:
        image, self.truth = nuclei((SIDE, SIDE), count=CELLS, seed=5)
        self.image = image.astype(float)
        rows, columns = np.mgrid[:SIDE, :SIDE]
        rng = np.random.default_rng(3)
        for _ in range(DIRT):
            y, x = rng.uniform(0.42 * SIDE, SIDE - 30), rng.uniform(30, SIDE - 30)
            speck = np.hypot(rows - y, columns - x) < rng.uniform(4, 6)
            self.image[speck & (self.truth == 0)] = np.percentile(image, 99.5)
        self.image = ndimage.gaussian_filter(self.image, 0.8)
        self.viewer = napari.Viewer()
        self.viewer.window.resize(*SIZE)
        limits = tuple(np.percentile(self.image, (1, 99)).tolist())
        self.viewer.add_image(self.image.astype(np.uint16), name="nuclei", contrast_limits=limits)
        holder, self.dock = self.viewer.window.add_plugin_dock_widget("unet-napari", "Train U-Net")
        window = self.viewer.window._qt_window
        window.resizeDocks([holder], [320], Qt.Orientation.Horizontal)
        self.dock.new.native.click()
        self.labels = self.dock.labels.value
        wait(seconds=1.0)
        self.viewer.reset_view()

    @property
    def train(self) -> TrainDock:
        """The dock."""
        dock: TrainDock = self.dock
        return dock

    @property
    def found(self) -> np.ndarray:
        """What is predicted."""
        name = "nuclei · prediction"
        known = name in self.viewer.layers
        return np.asarray(self.viewer.layers[name].data) if known else np.zeros_like(self.truth)

    def free(self) -> dict[int, np.ndarray]:
        """Return the pixels of the predicted cells that nothing is painted on, by number."""
        found, painted = self.found, np.asarray(self.labels.data)
        cells = {}
        for number in np.unique(found[found > 0]).tolist():
            mask = found == number
            if not painted[mask].any():
                cells[number] = np.argwhere(mask)
        return cells

    def say(self, step: str) -> None:
        """Print what the dock says."""
        print(f"{step}: {self.train.status.value} | {self.train.corrected.value}", flush=True)


def paint(round_: Round) -> None:
    """Paint a dozen cells that lie in the middle, as with a brush."""
    middle = np.argsort(
        [
            np.hypot(*(np.argwhere(round_.truth == number).mean(0) - SIDE / 2))
            for number in range(1, CELLS + 1)
        ]
    )
    for number, cell in enumerate(middle[:PAINTED] + 1, start=1):
        pixels = np.nonzero(round_.truth == cell)
        round_.labels.data_setitem(pixels, number)
    round_.labels.selected_label = PAINTED + 1
    round_.labels.mode = "paint"
    wait(lambda: "12 cells" in round_.train.detected.value)
    round_.say("paint")
    picture(round_.viewer, "paint")


def learn(round_: Round) -> None:
    """Train live until most cells are predicted."""
    dock = round_.train
    dock.run.native.click()
    wait(lambda: len(round_.free()) >= CELLS // 3 and len(dock.plot.loss.points) > 20)
    round_.labels.mode = "pan_zoom"
    round_.say("live")
    picture(round_.viewer, "live")


def correct(round_: Round) -> None:
    """Take cells, reject a speck, and split a cell and merge it again."""
    tools, viewer = round_.train.correcting.tools, round_.viewer
    tools.buttons["take"].click()
    loop = [(20, 20), (20, SIDE - 20), (SIDE // 3, SIDE - 20), (SIDE // 3, 20)]
    drag(viewer, *map(np.array, loop))
    round_.say("take")
    picture(viewer, "take")

    tools.buttons["reject"].click()
    cells = round_.free()
    overlap = {n: (round_.truth[tuple(p.T)] > 0).mean() for n, p in cells.items()}
    speck = min(overlap, key=lambda n: overlap[n])
    drag(viewer, cells[speck][len(cells[speck]) // 2])
    print(f"the rejected one lies in a true cell by {overlap[speck]:.2f}")
    round_.say("reject")
    picture(viewer, "reject")

    tools.buttons["split"].click()
    cells = round_.free()
    joined = {n: np.sort(np.bincount(round_.truth[tuple(p.T)])[1:])[-2:] for n, p in cells.items()}
    two = max(joined, key=lambda n: joined[n][0] if len(joined[n]) > 1 else 0)
    pixels = cells[two]
    ids = np.bincount(round_.truth[tuple(pixels.T)], minlength=CELLS + 1)
    ids[0] = 0
    centres = [pixels[round_.truth[tuple(pixels.T)] == n].mean(0) for n in np.argsort(-ids)[:2]]
    along = centres[1] - centres[0] if np.isfinite(centres).all() else np.array([1.0, 0.0])
    across = 25 * np.array([-along[1], along[0]]) / max(np.hypot(*along), 1)
    middle = pixels.mean(0) if not np.isfinite(centres).all() else np.mean(centres, axis=0)
    drag(viewer, middle - across, middle, middle + across)
    print(f"the split one held {sorted(ids[ids > 0].tolist())[-2:]} pixels of true cells")
    round_.say("split")
    picture(viewer, "split")
    tools.choose("")


def doubt(round_: Round) -> None:
    """Go to the next doubtful cell, and mark all of them."""
    queue = round_.train.correcting.tools.queue
    wait(seconds=8.0)  # a prediction that knows of the corrections
    queue.next()
    wait(lambda: "Doubt" in round_.train.corrected.value, seconds=60.0)
    while "painted" in round_.train.corrected.value:  # the split cell, which is not learned yet
        queue.next()
    round_.viewer.scene.camera.zoom *= 2
    round_.say("doubt")
    picture(round_.viewer, "doubt")
    queue.close()
    round_.viewer.reset_view()


def stop(round_: Round) -> None:
    """Stop, which keeps the best model; the button goes on."""
    dock = round_.train
    dock.run.native.click()
    wait(lambda: not dock.busy and dock.run.text == "Continue")
    round_.say("stop")
    picture(round_.viewer, "stopped")


def thresholds(round_: Round) -> None:
    """Segment the image, and fit the thresholds to the paint."""
    round_.train.segment.native.click()
    holder, segment = round_.viewer.window.add_plugin_dock_widget(
        "unet-napari", "Segment with U-Net"
    )
    window = round_.viewer.window._qt_window
    window.resizeDocks([holder], [320], Qt.Orientation.Horizontal)
    wait(lambda: segment.run.enabled)
    segment.run.native.click()
    wait(lambda: segment.run.text == "Segment")
    for fold in segment.native.findChildren(Fold):
        if "Result" in fold.headline.text():
            fold.headline.click()
    segment["fit_thresholds"].native.click()
    wait(lambda: "Fitted" in segment.status.value or segment.status.is_error)
    wait(seconds=3.0)
    for area in holder.findChildren(QScrollArea):
        area.verticalScrollBar().setValue(0)
    print(f"thresholds: {segment.status.value}")
    picture(round_.viewer, "thresholds")


def main() -> None:
    """Play the round."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    round_ = Round()
    for step in (paint, learn, correct, doubt, stop, thresholds):
        step(round_)
    round_.viewer.close()


if __name__ == "__main__":
    main()
