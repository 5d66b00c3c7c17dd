"""A training is made again from what lies beside its model, as Python and as a command."""

import os
import runpy
import shlex
import time

import numpy as np
import pytest
import tifffile

from small_training import SMALL, squares, weights
from unet_napari import Model
from unet_napari.cli import main
from unet_napari.errors import ModelFileError
from unet_napari.images import Image, read_image
from unet_napari.recipes.told import with_notes
from unet_napari.recipes.trained import repeated_training
from unet_napari.training import Pair, TrainConfig, Trainer
from unet_napari.training.start.given import given_start
from unet_napari.training.state.kept_state import KeptState

OPTIONS = {"steps": 6, "seed": 3, "validation": 0.1, "augment": {"elastic": 0.0}}


@pytest.fixture(autouse=True)
def no_models(monkeypatch, tmp_path):
    monkeypatch.setenv("UNET_NAPARI_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("unet_napari.model.info._BUNDLED_FOLDER", tmp_path / "bundled")


def pictures(folder):
    """Two TIFFs, the second with two channels, and their squares to be found."""
    labels = squares((80, 96))
    rng = np.random.default_rng(0)
    first = (labels > 0) + rng.normal(0, 0.2, labels.shape).astype(np.float32)
    tifffile.imwrite(folder / "one.tif", first.astype(np.float32), metadata={"axes": "YX"})
    both = np.stack([first, first[::-1]]).astype(np.float32)
    tifffile.imwrite(folder / "two.tif", both, metadata={"axes": "CYX"})
    return labels.astype(np.uint16)


def trained(folder, pairs, start=None):
    """Train, and leave model and state as the docks do."""
    trainer = Trainer(pairs, TrainConfig(**{**SMALL, **OPTIONS}), given_start(start))
    kept = KeptState(trainer, folder / "mine.state", "mine", folder / "mine.unet")
    for event in trainer.run():
        kept.update(event)
    model = trainer.best_model()
    model.save(folder / "mine.unet")
    return model


def program(recipe, folder, monkeypatch):
    """Run the program, and return the model that it makes."""
    monkeypatch.chdir(folder)
    (folder / "mine.unet").unlink()
    (folder / "program.py").write_text(with_notes(recipe, command=False))
    return runpy.run_path("program.py")["model"]


def again(recipe, folder, monkeypatch):
    """Run the program and the command, and return the models that they make."""
    model = program(recipe, folder, monkeypatch)
    (folder / "mine.unet").unlink()
    assert main(shlex.split(with_notes(recipe, command=True), comments=True)[1:]) == 0
    return model, Model.load(folder / "mine.unet")


def test_images_regions_and_background_of_two_numbers_come_back(tmp_path, monkeypatch):
    labels = pictures(tmp_path)
    one = labels.copy()
    one[:8] = 200
    two = labels[::-1].copy()
    two[-6:] = 65535
    region = np.zeros(labels.shape, bool)
    region[20:60, 10:50] = True
    first = Pair(read_image(tmp_path / "one.tif"), one, region).with_background(200)
    second = Pair(read_image(tmp_path / "two.tif", channel=1), two).with_background(65535)
    model = trained(tmp_path, [first, second])
    recipe = repeated_training(tmp_path / "mine.state")
    assert [pair.image.channel for pair in recipe.pairs] == [None, 1]
    two = f"        read_image({str(tmp_path / 'two.tif')!r}, channel=1),\n    ],\n"
    assert two in recipe.python()
    assert "unlike ways" in with_notes(recipe, command=True)
    assert "bit for bit" in with_notes(recipe, command=False)
    made = program(recipe, tmp_path, monkeypatch)
    assert made.info.task == model.info.task
    np.testing.assert_array_equal(weights(made), weights(model))


def test_the_program_and_the_command_make_the_same_model(tmp_path, monkeypatch, capsys):
    labels = pictures(tmp_path)
    labels[labels > 6] = 0
    labels[:, -9:] = 90
    region = np.zeros(labels.shape, bool)
    region[:40] = True
    image = read_image(tmp_path / "one.tif")
    pairs = [Pair(image, labels, region), Pair(image, labels * (labels < 4))]
    pairs = [pair.with_background(90) for pair in pairs]
    (tmp_path / "models").mkdir()
    trained(tmp_path, pairs[1:]).save(tmp_path / "models" / "first.unet")
    model = trained(tmp_path, pairs, "first")
    state = tmp_path / "mine.state"
    recipe = repeated_training(state)
    assert recipe.start == "first"
    files = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "mine.paint").iterdir()}
    assert len(files) == 3
    assert main(["info", str(tmp_path / "mine.unet"), "--again", "command"]) == 0
    assert capsys.readouterr().out == with_notes(recipe, command=True)
    for other in again(recipe, tmp_path, monkeypatch):
        np.testing.assert_array_equal(weights(other), weights(model))
    first = tmp_path / "models" / "first.unet"
    os.utime(first, (time.time() + 9, time.time() + 9))
    assert "'first' that it started from has changed" in repeated_training(state).remarks[0]
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "mine.paint").iterdir()}
    assert kept == files


def test_what_makes_another_model_is_said(tmp_path):
    labels = pictures(tmp_path)
    pair = Pair(
        Image(np.random.default_rng(1).random(labels.shape), "YX", name="made: here"), labels
    )
    trainer = Trainer([pair], TrainConfig(**{**SMALL, "live": True}))
    kept = KeptState(trainer, tmp_path / "mine.state", "mine", tmp_path / "mine.unet")
    events = trainer.run()
    for _ in range(4):
        next(events)
    trainer.update(0, (0, 0), np.full((3, 3), 77))
    steps = 80
    while trainer.steps < steps:
        next(events)
    kept.stop()
    text = with_notes(repeated_training(tmp_path / "mine.state"), command=False)
    assert "Save the layer 'made: here' as 'made-here.tif' first" in text
    assert "Paint changed while it was trained" in text
    assert f"made {steps} steps" in text
    assert "not the same, but about as good" in text
    assert "schedule='constant'" in text
    assert "warmup=0.625" in text
    assert f"steps={steps}" in text
    assert "bit for bit" not in text.partition("(under Network)")[0]


def test_a_model_without_its_paint_is_refused_in_one_line(tmp_path, capsys):
    with pytest.raises(ModelFileError, match=r"'mine\.state' is missing"):
        repeated_training(tmp_path / "mine.state")
    assert main(["info", "--again", "python"]) != 0
    assert "--again takes a model" in capsys.readouterr().err
