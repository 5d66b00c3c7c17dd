import importlib.util
import re

import numpy as np
import pytest
import tifffile
import torch

from command_line import run
from unet_napari import Model
from unet_napari.images import Normalisation, nuclei
from unet_napari.inference.backends import int8
from unet_napari.networks import UNet
from unet_napari.tasks import CellsTask, SemanticTask

needs_int8 = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("openvino", "nncf")),
    reason="needs openvino and nncf",
)


@pytest.fixture
def save(tmp_path):
    """Return a function that saves an untrained model and returns the path."""

    def save(task=None, **options):
        torch.manual_seed(0)
        task = task or CellsTask()
        options = {"in_channels": 1, "features": (16, 32), **options}
        network = UNet(out_channels=task.out_channels, **options)
        return Model(network.eval(), task, Normalisation()).save(tmp_path / "m.unet")

    return save


@pytest.fixture
def model(save):
    return save()


@pytest.mark.parametrize("options", [{}, {"ndim": 3, "features": (4, 8)}, {"in_channels": 3}])
def test_half_is_written_and_reported(save, options, tmp_path, capsys):
    model, output = save(**options), tmp_path / "half.unet"
    assert run("export", model, "--half", "--output", output) == 0
    before, where, half = capsys.readouterr().out.splitlines()
    assert before.endswith("weights in fp32")
    assert where.startswith("measured on synthetic nuclei, in tiles of ")
    share = output.stat().st_size / model.stat().st_size
    assert half.startswith(f"fp16: {output.stat().st_size / 2**20:.1f} MiB ({share:.0%}), ")
    assert share < 0.9
    assert 99 < float(re.search(r"([\d.]+) % of pixels as in fp32", half)[1]) <= 100
    assert 0 < float(re.search(r"probabilities within ([\d.e-]+), ", half)[1]) < 0.01
    assert run("info", output) == 0
    assert capsys.readouterr().out.endswith("weights in fp16\n")


@needs_int8
def test_int8_is_reported_on_the_users_image(save, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("UNET_NAPARI_MODELS", str(tmp_path / "models"))
    model = save(SemanticTask(classes=(1, 2)))
    files = sorted(tmp_path.iterdir())
    image = tmp_path / "image.tif"
    tifffile.imwrite(image, nuclei((100, 120), count=20, seed=0)[0])
    assert run("export", model, "--int8", "--image", image, "--axes", "YX") == 0
    out, _ = capsys.readouterr()
    assert f"measured on {image}, in tiles of 100 x 120 pixels" in out
    assert re.search(
        r"^int8: 0\.\d MiB \(\d+%\), [\d.]+ % of pixels as in fp32, .* [\d.]+ times as fast",
        out,
        re.M,
    )
    assert sorted(tmp_path.iterdir()) == sorted([*files, image, tmp_path / "models"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Say what to export"),
        (["--half"], "belong together"),
        (["--int8", "--output", "b.unet"], "belong together"),
        (["--half", "--output", "m.unet"], "--overwrite"),
        (["--half", "--output", "missing/b.unet"], "missing"),
        (["--half", "--output", "b.unet", "--image", "none.tif"], r"none\.tif"),
        (["--half", "--output", "b.unet", "--image", "rgb.tif"], "3 channels"),
    ],
)
def test_what_cannot_be_done_is_one_line(model, monkeypatch, capsys, words, message):
    monkeypatch.chdir(model.parent)
    colours = np.arange(3072, dtype=np.uint8).reshape(32, 32, 3)
    tifffile.imwrite("rgb.tif", colours, photometric="rgb")
    before = model.read_bytes()
    assert run("export", "m.unet", *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(message, err)
    assert len(err.strip().splitlines()) == 1
    assert model.read_bytes() == before
    assert not (model.parent / "b.unet").exists()


def test_a_missing_package_is_named(model, monkeypatch, capsys):
    monkeypatch.setattr(int8.importlib.util, "find_spec", lambda _: None)
    assert run("export", model, "--int8") == 2
    assert "needs openvino and nncf" in capsys.readouterr().err


def test_overwrite_replaces(model, capsys):
    size = model.stat().st_size
    assert run("export", model, "--half", "--output", model, "--overwrite") == 0
    assert model.stat().st_size < size
