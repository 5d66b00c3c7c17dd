"""The making of the model `start`: pictures by program, a training that goes on where it was."""

from __future__ import annotations

import importlib
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from unet_napari import Model
from unet_napari.images import nuclei
from unet_napari.labels.measure import diameters

KINDS = ("blobs", "tissue", "membranes", "filaments")


@pytest.fixture(scope="module")
def scripts():
    """Import the modules of the script."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "scripts")
        yield Namespace(
            **{name: importlib.import_module(name) for name in ("start", "start_data")},
            images=importlib.import_module("start_images"),
        )


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_hold_objects_of_working_size(scripts, kind):
    """Over several pictures of a kind, most objects are as large as a network works with."""
    drawn = [scripts.images.draw(kind, 160, np.random.default_rng(seed)) for seed in range(4)]
    for image, labels in drawn:
        assert image.shape == labels.shape == (160, 160)
        assert (image.dtype, labels.dtype) == (np.float32, np.int32)
        assert np.isfinite(image).all()
        assert image.std() > 0.1
    sizes = np.concatenate([diameters(labels) for _, labels in drawn])
    assert len(sizes) > 20
    assert 6 < np.median(sizes) < 45


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_repeatable_and_varied(scripts, kind):
    first, again, other = (
        scripts.images.draw(kind, 64, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])


def test_tissue_touches_and_blobs_leave_ground(scripts):
    covered = {
        kind: np.mean(
            [scripts.images.draw(kind, 128, np.random.default_rng(s))[1] > 0 for s in range(4)]
        )
        for kind in KINDS
    }
    assert covered["membranes"] > 0.7
    assert covered["blobs"] < 0.6
    assert covered["filaments"] < 0.5


@pytest.fixture
def data(tmp_path):
    """A folder of data with few images of nuclei, one of them as large as in phase contrast."""
    for name, seed, zoom in (("dsb2018_fluo/train", 1, 1), ("usiigaci_phase/train", 2, 4)):
        for part in ("images", "labels"):
            (tmp_path / name / part).mkdir(parents=True)
        picture = [
            np.kron(a, np.ones((zoom, zoom), a.dtype)) for a in nuclei((96, 96), count=9, seed=seed)
        ]
        for part, array in zip(("images", "labels"), picture, strict=True):
            tifffile.imwrite(tmp_path / name / part / "one.tif", array)
    return tmp_path


def test_domains_are_read_at_the_scale_of_a_training(scripts, data):
    small = scripts.start_data.load_domain("fluorescence", data)
    large = scripts.start_data.load_domain("phase", data)
    assert [sample.labels.shape for sample in small] == [(96, 96)]
    assert large[0].labels.shape[0] < 384
    assert 24 <= np.median(diameters(large[0].labels)) < 48
    assert scripts.start_data.load_domain("embryo", data) == []


def test_held_out_images_are_not_read(scripts, data):
    held_out = (Path(__file__).parents[2] / "scripts/nuclei-held-out.txt").read_text().split()[0]
    for part in ("images", "labels"):
        folder = data / "dsb2018_fluo/train" / part
        (folder / "one.tif").rename(folder / f"{held_out}.tif")
    assert scripts.start_data.load_domain("fluorescence", data) == []


@pytest.fixture
def small(scripts, monkeypatch):
    """Make the training so small that it takes a second."""
    options = {**scripts.start.OPTIONS, "features": [4, 8], "strides": [[2, 2]]}
    monkeypatch.setattr(scripts.start, "OPTIONS", options)
    monkeypatch.setattr(scripts.start, "PATCH", (32, 32))
    monkeypatch.setattr(scripts.start, "BATCH", 2)
    return scripts.start


def arguments(data, state, **changes):
    without = [*KINDS, "stained", "brightfield", "embryo", "ovule", "electrons"]
    usual = {"steps": 4, "minutes": None, "without": without, "begin": None, "rate": 1e-3}
    return Namespace(data=data, state=state, **{**usual, **changes})


def test_a_training_goes_on_where_it_was(small, data, tmp_path, monkeypatch):
    """Interrupted after any step and started again, it ends with the same weights."""
    small.train(arguments(data, tmp_path / "whole.pt"))
    learn = small.Run.learn

    def interrupted(run, batch, fraction):
        if run.step == 2:
            run.save()
            raise KeyboardInterrupt
        learn(run, batch, fraction)

    with monkeypatch.context() as patch:
        patch.setattr(small.Run, "learn", interrupted)
        with pytest.raises(KeyboardInterrupt):
            small.train(arguments(data, tmp_path / "parts.pt"))
    small.train(arguments(data, tmp_path / "parts.pt"))
    whole, parts = (
        torch.load(tmp_path / name, weights_only=True) for name in ("whole.pt", "parts.pt")
    )
    assert whole["step"] == parts["step"] == 4
    assert all(torch.equal(value, parts["network"][key]) for key, value in whole["network"].items())


def test_the_model_says_what_it_learned_from(small, data, tmp_path):
    small.train(arguments(data, tmp_path / "state.pt", steps=1))
    small.train(arguments(data, tmp_path / "more.pt", steps=1, begin=tmp_path / "state.pt"))
    small.finish(Namespace(state=tmp_path / "more.pt", output=tmp_path / "start.unet"))
    model = Model.load(tmp_path / "start.unet")
    assert model.name == "start"
    assert model.provenance["notes"]["domains"] == "fluorescence, phase"
    assert model.provenance["notes"]["licence"] == "CC0 1.0, MIT"
