"""What the real dock has done is copied, and gives the same labels when it is run elsewhere."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QApplication

import unet_napari
from unet_napari.images.synthetic import nuclei

PATIENCE = 180_000  # milliseconds
MODEL = Path(unet_napari.__file__).parent / "models" / "nuclei.unet"


@pytest.fixture
def segment(viewer):
    _, dock = viewer.window.add_plugin_dock_widget("unet-napari", "Segment with U-Net")
    return dock


@pytest.fixture
def image(viewer, tmp_path):
    """A TIFF with axes and pixel size, opened by napari, which drops both."""
    pixels = np.stack([nuclei((96, 128), count=14, seed=seed)[0] for seed in (3, 4)])
    size = {"resolution": (4, 4), "metadata": {"axes": "TYX", "unit": "um"}}
    tifffile.imwrite(tmp_path / "a film.tif", pixels, imagej=True, **size)
    (layer,) = viewer.open(tmp_path / "a film.tif", plugin="napari")
    return layer


def copied(dock, kind):
    dock[f"copy_{kind}"].native.click()
    return QApplication.clipboard().text()


def python(text, folder):
    """Run a program elsewhere, and save the arrays that it makes."""
    save = "\nimport numpy\nnumpy.savez('made.npz', **{'labels': labels} if 'labels' in "
    save += "globals() else {}, **table)\n"
    run([sys.executable, "-c", text + save], folder)
    return dict(np.load(folder / "made.npz"))


def run(words, folder):
    subprocess.run(words, cwd=folder, check=True, capture_output=True, env={**os.environ})


def command(text, folder):
    words = shlex.split(text, comments=True)
    assert words[0] == "unet-napari"
    run([sys.executable, "-m", "unet_napari.cli", *words[1:]], folder)


def test_a_segmentation_and_a_measurement_run_elsewhere_as_in_the_dock(
    segment, viewer, image, tmp_path, qtbot
):
    segment.model.value = str(MODEL)
    segment.min_size.value = 25
    segment.measure.value = True
    qtbot.waitUntil(lambda: segment.run.enabled, timeout=PATIENCE)
    segment.run.native.click()
    qtbot.waitUntil(lambda: segment.run.text == "Segment", timeout=PATIENCE)
    layer = viewer.layers[-1]
    assert layer.data.max() > 3, segment.status.value
    made = python(copied(segment, "python"), tmp_path)
    np.testing.assert_array_equal(made["labels"], layer.data)
    np.testing.assert_array_equal(made["area_um2"], layer.features["area_um2"])
    command(copied(segment, "command"), tmp_path)
    written = tifffile.imread(tmp_path / "a-film-labels.tif")
    np.testing.assert_array_equal(written, layer.data)
    assert (tmp_path / "a-film-labels.csv").exists()

    layer.data_setitem((np.array([0, 0]), np.array([5, 5]), np.array([5, 6])), 999)
    viewer.layers.selection.active = layer
    segment.measure_now.native.click()
    qtbot.waitUntil(lambda: 999 in layer.features["label"].tolist(), timeout=PATIENCE)
    text = copied(segment, "python")
    assert f"Save the layer '{layer.name}' as 'a-film-nuclei.tif' first" in text
    assert "Save the layer" in segment.status.value
    tifffile.imwrite(tmp_path / "a-film-nuclei.tif", layer.data)  # as napari saves it
    made = python(text, tmp_path)
    for name in ("label", "t", "area_um2", "solidity", "intensity_mean"):
        np.testing.assert_array_equal(made[name], layer.features[name], err_msg=name)
    command(copied(segment, "command"), tmp_path)
    assert (tmp_path / "a-film-nuclei.csv").read_text().count("\n") == len(made["label"]) + 1


def test_what_is_missing_is_said(segment, qtbot):
    QApplication.clipboard().setText("mine")
    assert copied(segment, "python") == "mine"
    assert "To segment, choose an image" in segment.status.value


def test_an_image_that_is_no_file_has_to_be_saved_first(segment, viewer):
    viewer.add_image(np.random.default_rng(0).random((60, 70)), name="made: here")
    segment.model.value = str(MODEL)
    text = copied(segment, "command")
    assert "# Save the layer 'made: here' as 'made-here.tif' first" in text
    assert "segment made-here.tif" in text
