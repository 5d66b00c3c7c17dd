"""How long the viewer keeps its user waiting while the engine works, in a real shown window.

Run: ``xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/responsiveness.py``.

A window with both docks is shown. A timer that should fire every 5 ms measures how long Qt's
event loop is held up: while a dock is opened, while a model is trained on the example, and while
a dask layer of 10 GB is segmented by an engine that is ready, first what is in view, then as a
whole, which is stopped after a while. Prints a table in Markdown.
"""

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "round_two"))
from window import Gaps, Held, about, nuclei_layer, open_dock, shown, wait

# What was imported above has set napari's environment.
import dask.array  # isort: skip
import numpy as np  # isort: skip

import napari  # isort: skip
from unet_napari.images import nuclei  # isort: skip

SLICES, SIDE = 596, 4096  # 10 GB of 8 bits


def row(what: str, held: Held, note: str) -> str:
    """Return a line of the table."""
    return (
        f"| {what} | {held.p50:.0f} | {held.p99:.0f} | {held.longest:.0f} | {held.turns} | {note} |"
    )


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
    truth = nuclei_layer(viewer, (512, 512), 250)
    viewer.add_labels(truth.astype(np.uint16), name="painted")
    dock.settings.minutes.value = str(minutes)  # and not live, which has no end
    wait(lambda: dock.run.enabled)
    dock.run.native.click()
    wait(lambda: bool(dock.plot.loss.points))
    gaps = Gaps()
    wait(lambda: not dock.busy)
    print(f"<!-- {dock.status.value} -->")
    done = row("training, with the live prediction", gaps.end(), dock.status.value)
    return [row("opening Train U-Net", opening, ""), done]


def segment(viewer: napari.Viewer, seconds: float) -> list[str]:
    """Segment a layer of 10 GB, what is in view and the whole, and measure."""
    dock, opening = open_dock(viewer, "Segment with U-Net")
    viewer.layers.clear()
    layer = viewer.add_image(
        large_layer(), name="large", contrast_limits=(0, 255), axis_labels=("z", "y", "x")
    )
    viewer.dims.set_point(0, 0)
    viewer.scene.camera.zoom = 2
    wait(seconds=2)
    dock.image.value = layer
    wait(lambda: dock.run.enabled)
    name = f"large · {dock.model.value}"
    rows = [row("opening Segment with U-Net", opening, "")]

    dock.scope.value = "view"
    gaps = Gaps()
    dock.run.native.click()
    took = wait(lambda: dock.run.text == "Segment")
    note = f"labels after {took:.1f} s, {np.count_nonzero(viewer.layers[name].data[0]):,} pixels"
    rows.append(row("10 GB, what is in view", gaps.end(), note))

    viewer.layers.remove(name)
    dock.scope.value = "whole"
    gaps = Gaps()
    dock.run.native.click()
    appeared = wait(lambda: name in viewer.layers)
    filled = viewer.layers[name].data
    first = appeared + wait(lambda: bool(filled[0, ::16, ::16].any()))
    wait(seconds=max(0.0, seconds - first))
    status = dock.status.value
    dock.run.native.click()
    stopped = wait(lambda: dock.run.text == "Segment")
    gone = "layer gone" if name not in viewer.layers else "LAYER STILL THERE"
    note = (
        f"layer after {appeared:.1f} s, first labels after {first:.1f} s; Stop took "
        f"{stopped:.2f} s, {gone}; {status}"
    )
    rows.append(row(f"10 GB, whole, {seconds:.0f} s of it", gaps.end(), note))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="of training")
    parser.add_argument("--seconds", type=float, default=60.0, help="of segmenting the whole")
    arguments = parser.parse_args()
    viewer = shown()
    rows = train(viewer, arguments.minutes) + segment(viewer, arguments.seconds)
    print(about())
    print("\n| while | p50 [ms] | p99 [ms] | longest [ms] | turns | |\n|---|---|---|---|---|---|")
    print("\n".join(rows))
    viewer.close()


if __name__ == "__main__":
    main()
