"""From a folder to a table in a real window with a real engine, with a napari that is killed."""

import csv
import signal
import subprocess
import sys

import numpy as np
import tifffile

from unet_napari.images.synthetic import nuclei

PATIENCE = 300_000  # milliseconds; importing torch on a busy machine takes most of it
SIDE = 96

# A napari of its own, which is killed: two images are painted, trained on, all are segmented, the
# worst is corrected, and one more is painted.
PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
import napari
from unet_napari.images.synthetic import nuclei

folder, out = Path(sys.argv[1]), Path(sys.argv[2])
viewer = napari.Viewer(show=False)
_, train = viewer.window.add_plugin_dock_widget("unet-napari", "Train U-Net")
_, segment = viewer.window.add_plugin_dock_widget("unet-napari", "Segment with U-Net")
images = train.images
browser = images.browser

def wait(done, what=lambda: train.status.value + segment.status.value):
    end = time.monotonic() + 280
    while not done():
        assert time.monotonic() < end, what()
        QApplication.processEvents()
        time.sleep(0.01)

def next_image():
    before = browser.name
    images.next.native.click()  # the one click
    wait(lambda: browser.name not in (None, before))

browser.open_folder(folder)
for number in range(2):
    next_image()
    _, truth = nuclei((96, 96), count=12, seed=number)
    layer = train.labels.value
    for cell in range(1, truth.max() + 1):
        layer.data_setitem(np.nonzero(truth == cell), cell)
train.effort.value = "quick"
train.minutes.value = "0.1"
wait(lambda: train.run.enabled)
train.run.native.click()
wait(lambda: not train.busy)
assert "saved" in train.status.value, train.status.value
wait(lambda: segment.model.value is not None)
segment.run_all.native.click()
wait(lambda: not segment.busy)
assert segment.status.value.startswith("Done: 6 of 6 images"), segment.status.value
segment.images.table.sortByColumn(4, Qt.SortOrder.DescendingOrder)
rows = segment.images.table.rows
assert [row.doubt for row in rows] == sorted([row.doubt for row in rows], reverse=True)
worst = next(n for n, row in enumerate(rows) if not row.is_open)
segment.images.table.clicked.emit(segment.images.table.model().index(worst, 0))
wait(lambda: browser.name == rows[worst].name)
found = train.correcting.corrections()
free = np.where(found.labels.data == 0, found.prediction.data, 0)
spot = tuple(int(i) for i in np.argwhere(free)[len(np.argwhere(free)) // 2])
found.take(spot)
kept = {browser.name: found.labels.data.copy()}
browser.open("f.tif" if browser.name != "f.tif" else "e.tif")
wait(lambda: browser.name not in kept)
browser.current.layer.paint((40, 40), 5)
kept[browser.name] = browser.current.layer.data.copy()
np.savez(out, **{name.replace(".", "_"): labels for name, labels in kept.items()})
stored = folder / f"{Path(browser.name).stem}_labels.tif"
wait(lambda: stored.exists() and browser.current.is_settled and not browser.paint.waits)
print("PAINTED", *kept, flush=True)
wait(lambda: False)
"""


def run_and_kill(folder, out):
    """Run the program until everything is painted, kill it, return the names of both images."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), str(out)], stdout=subprocess.PIPE, text=True
    ) as napari:
        said = next((line for line in napari.stdout if line.startswith("PAINTED")), "")
        napari.send_signal(signal.SIGKILL)
    assert said.startswith("PAINTED"), said
    return said.split()[1:]


def test_from_a_folder_to_a_table_with_a_killed_napari(viewer, models_folder, tmp_path, qtbot):
    models_folder.mkdir(exist_ok=True)
    folder, out = tmp_path / "six images", tmp_path / "kept.npz"
    folder.mkdir()
    for number, name in enumerate("abcdef"):
        image, _ = nuclei((SIDE, SIDE), count=12, seed=number)
        tifffile.imwrite(folder / f"{name}.tif", image)
    worst, last = run_and_kill(folder, out)
    kept = np.load(out)

    _, dock = viewer.window.add_plugin_dock_widget("unet-napari", "Train U-Net")
    browser = dock.images.browser
    assert dock.images.told.value.startswith("'six images' was open last.")
    dock.images.reopen.native.click()
    qtbot.waitUntil(lambda: browser.name == last, timeout=PATIENCE)
    np.testing.assert_array_equal(dock.labels.value.data, kept[last.replace(".", "_")])
    qtbot.waitUntil(lambda: dock.run.text == "Continue", timeout=PATIENCE)
    rows = lambda: {row.name: row for row in dock.images.table.rows}  # noqa: E731
    painted = {"a.tif", "b.tif", worst, last}
    qtbot.waitUntil(lambda: {name for name, row in rows().items() if row.painted} == painted)
    assert all(row.objects is not None for row in rows().values())
    browser.open(worst)
    qtbot.waitUntil(lambda: browser.name == worst, timeout=PATIENCE)
    np.testing.assert_array_equal(dock.labels.value.data, kept[worst.replace(".", "_")])
    for number, name in enumerate("ab"):
        _, truth = nuclei((SIDE, SIDE), count=12, seed=number)
        saved = tifffile.imread(folder / f"{name}_labels.tif")
        if f"{name}.tif" != worst:
            np.testing.assert_array_equal(saved, truth)

    (results,) = folder.glob("* results")
    with (results / "objects.csv").open() as table:
        objects = list(csv.DictReader(table))
    counts = {name: sum(row["image"] == name for row in objects) for name in "abcdef"}
    assert {name: rows()[f"{name}.tif"].objects for name in "abcdef"} == counts
