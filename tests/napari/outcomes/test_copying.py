"""What the real dock has done is copied, and gives the same labels when it is run elsewhere."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import tifffile
from qtpy.QtWidgets import QApplication

import unet_napari
from unet_napari._napari.layers.background_paint import reserve_background
from unet_napari.images.synthetic import nuclei
from unet_napari.model.info import read_info

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


def python(text, folder, after=""):
    """Run a program elsewhere, and save the arrays that it makes."""
    save = "\nimport numpy\nnumpy.savez('made.npz', **{'labels': labels} if 'labels' in "
    save += "globals() else {}, **table)\n"
    run([sys.executable, "-c", text + save + after], folder)
    return dict(np.load(folder / "made.npz"))


def run(words, folder):
    subprocess.run(words, cwd=folder, check=True, capture_output=True, env={**os.environ})


def both(text, command, folder):
    """Run a program elsewhere, then a command; return the arrays that the program makes."""
    name, *words = shlex.split(command, comments=True)
    assert name == "unet-napari"
    after = f"from unet_napari.cli import main\nassert main({words!r}) == 0\n"
    return python(text, folder, after)


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
    made = both(copied(segment, "python"), copied(segment, "command"), tmp_path)
    np.testing.assert_array_equal(made["labels"], layer.data)
    np.testing.assert_array_equal(made["area_um2"], layer.features["area_um2"])
    written = tifffile.imread(tmp_path / "a-film-labels.tif")
    np.testing.assert_array_equal(written, layer.data)
    assert (tmp_path / "a-film-labels.csv").exists()

    before = layer.data.copy()
    viewer.add_shapes([[[20, 10], [20, 90], [80, 100], [70, 15]]], shape_type="polygon")
    segment.scope.value = "region"  # of a layer with two axes: in all frames
    viewer.layers.remove(layer)
    segment.run.native.click()
    qtbot.waitUntil(lambda: segment.run.text == "Segment", timeout=PATIENCE)
    layer = viewer.layers["a film · nuclei"]
    for frame, whole in zip(layer.data, before, strict=True):
        kept = np.unique(whole[frame > 0])
        assert 2 < len(kept) < whole.max(), segment.status.value
        np.testing.assert_array_equal(frame > 0, np.isin(whole, kept) & (whole > 0))
    made = python(copied(segment, "python"), tmp_path)
    np.testing.assert_array_equal(made["labels"], layer.data)

    qtbot.waitUntil(lambda: len(layer.features) == len(made["area"]))

    layer.data_setitem((np.array([0, 0]), np.array([5, 5]), np.array([5, 6])), 999)
    viewer.layers.selection.active = layer
    segment.measure_now.native.click()
    qtbot.waitUntil(lambda: 999 in layer.features["label"].tolist(), timeout=PATIENCE)
    text = copied(segment, "python")
    assert f"Save the layer '{layer.name}' as 'a-film-nuclei.tif' first" in text
    assert "Save the layer" in segment.status.value
    tifffile.imwrite(tmp_path / "a-film-nuclei.tif", layer.data)  # as napari saves it
    made = both(text, copied(segment, "command"), tmp_path)
    for name in ("label", "t", "area_um2", "solidity", "intensity_mean"):
        np.testing.assert_array_equal(made[name], layer.features[name], err_msg=name)
    assert (tmp_path / "a-film-nuclei.csv").read_text().count("\n") == len(made["label"]) + 1


def test_a_training_runs_elsewhere_as_in_the_dock(viewer, image, tmp_path, models_folder, qtbot):
    _, dock = viewer.window.add_plugin_dock_widget("unet-napari", "Train U-Net")
    assert "no training to copy yet" in said(dock, "python", "no training", qtbot)
    truth = np.stack([nuclei((96, 128), count=14, seed=seed)[1] for seed in (3, 4)])
    paint = viewer.add_labels(np.where(truth < 9, truth, 0).astype(np.uint16), name="my paint")
    paint.data_setitem((np.array([0, 0, 1]), np.array([2, 2, 90]), np.array([5, 6, 90])),
                       reserve_background(paint))  # fmt: skip
    dock.annotated.value = viewer.add_shapes(
        [[[0, 0, 0], [0, 0, 40], [0, 40, 40], [0, 40, 0]]], shape_type="polygon"
    )
    for name, text in {"steps": "6", "patch": "48", "batch": "2", "seed": "7"}.items():
        dock[name].value = text
    dock.augmentation.value = "gentle"
    qtbot.waitUntil(lambda: dock.run.enabled, timeout=PATIENCE)
    dock.run.native.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=PATIENCE)
    made = models_folder / "a film cells.unet"
    assert read_info(made).provenance["steps"] == 6, dock.status.value
    paint.data = np.zeros_like(truth, np.uint16)  # what is copied is what was trained on
    text = said(dock, "python", "Copied as Python", qtbot)
    assert "the same weights, bit for bit" in dock.status.value
    words = shlex.split(said(dock, "command", "Copied as a command", qtbot), comments=True)
    both = (
        f"{text}\nimport os, sys\nos.rename({made.name!r}, 'program.unet')\n"
        f"from unet_napari.cli import main\nsys.exit(main({words[1:]!r}))"
    )
    run([sys.executable, "-c", both], tmp_path)
    for name in ("program.unet", made.name):
        other = tmp_path / name
        assert read_info(other).task == read_info(made).task
        weights = safetensors.numpy.load_file(other)
        for key, array in safetensors.numpy.load_file(made).items():
            np.testing.assert_array_equal(weights[key], array, err_msg=f"{name} {key}")


def said(dock, kind, text, qtbot):
    """Copy, wait until the line says so, and return the line or what was copied."""
    dock[f"copy_{kind}"].native.click()
    qtbot.waitUntil(lambda: text in dock.status.value, timeout=PATIENCE)
    return QApplication.clipboard().text() if "Copied" in text else dock.status.value


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
