"""The model that comes with the package: what it is, what it finds, and where it finds nothing."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from unet_napari import segment
from unet_napari.errors import UnetNapariWarning
from unet_napari.evaluation.objects import average_precision
from unet_napari.inference.config import DEFAULT_MODEL
from unet_napari.model.description import describe_model
from unet_napari.model.info import find_model, read_info, read_storage


def test_it_is_small_and_says_where_it_comes_from():
    path = find_model(DEFAULT_MODEL)
    assert path.stat().st_size < 10e6
    assert read_storage(path).precision == "fp16"
    said = describe_model(read_info(path))
    assert "CC0" in said
    assert "Data Science Bowl 2018" in said


def test_it_is_the_file_of_a_release():
    """Every other version would stay in the history (docs/guide/models/model-file.md)."""
    path = find_model(DEFAULT_MODEL)
    words = dict(line.split() for line in path.with_suffix(".txt").read_text().splitlines())
    assert words.keys() == {"release", "sha256"}
    assert words["release"].replace(".", "").isdecimal()
    assert words["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_its_script_writes_only_outside_the_repository():
    root = Path(__file__).parents[1]
    output = root / "src/unet_napari/models/nuclei.unet"
    command = [sys.executable, root / "scripts/nuclei.py", "mean", output, "a.unet"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert "lies in the repository" in answer.stderr


def test_it_is_what_segments_where_no_model_is_named(shared_data):
    image = tifffile.imread(shared_data / "stardist_sample/images/img2d.tif")
    truth = tifffile.imread(shared_data / "stardist_sample/labels/img2d.tif")
    # Measured: 0.945, see docs/guide/accuracy.md. No warning either: it knows such images.
    assert average_precision(truth, segment(image, device="cpu"), 0.5) > 0.80


def test_it_warns_of_what_is_no_image_of_nuclei(shared_data):
    phase = tifffile.imread(shared_data / "usiigaci_phase/train/images/set01.tif")
    bright = tifffile.imread(next((shared_data / "dsb2018_brightfield/images").glob("*.tif")))
    grey = bright[..., :3].mean(axis=2) if bright.ndim == 3 else bright
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(256, 256)), 2)
    for image in (phase[:256, :256], grey[:256, :256], smooth):
        with pytest.warns(UnetNapariWarning, match="Check the result"):
            segment(image, device="cpu")


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((200, 200), np.uint8),
        np.full((200, 200), 1000, np.uint16),
        np.random.default_rng(0).normal(1000, 30, (256, 256)).astype(np.uint16),
        np.random.default_rng(0).poisson(1, (256, 256)).astype(np.uint16),
        np.random.default_rng(0).integers(0, 256, (256, 256)).astype(np.uint8),
    ],
    ids=["empty", "constant", "camera noise", "few photons", "any value"],
)
def test_where_there_is_nothing_it_finds_nothing(image):
    assert segment(image, device="cpu").max() == 0
