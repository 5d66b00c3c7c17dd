"""Which models may be a start, and which of the user's go first."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from unet_napari.images import Normalisation
from unet_napari.model.info import ListedModel, ModelInfo
from unet_napari.training.start.familiar import Wanted, familiar_models

INFO = ModelInfo(
    name="cells",
    task={"name": "cells"},
    network={"name": "unet", "options": {}},
    normalisation=Normalisation().to_dict(),
    channels=1,
    ndim=2,
    parameters=1,
    pixel_size={"Y": 0.25, "X": 0.25},
    halo=None,
    diameter=20.0,
    provenance={},
)
WANTED = Wanted("cells", 2, 1, 22.0, {"Y": 0.25, "X": 0.25})


@pytest.fixture
def listed(tmp_path):
    """Return a model of the list; the age of its file is in days."""

    def make(name, *, bundled=False, age=0, damaged=False, **changes):
        path = tmp_path / f"{name}.unet"
        path.touch()
        os.utime(path, (0, 1e9 - 86400 * age))
        info = None if damaged else replace(INFO, **changes)
        return ListedModel(name, path, info, "damaged" if damaged else None, bundled)

    return make


def names(models, wanted=WANTED):
    return [model.name for model in familiar_models(wanted, models)]


def test_only_what_fits_is_familiar(listed):
    models = [
        listed("good"),
        listed("broken", damaged=True),
        listed("volumes", ndim=3),
        listed("colours", channels=3),
        listed("classes", task={"name": "semantic"}),
        listed("scaled", normalisation={**INFO.normalisation, "high": 95.0}),
    ]
    assert names(models) == ["good"]


def test_classes_may_start_from_cells(listed):
    models = [listed("cells"), listed("classes", task={"name": "semantic"})]
    assert names(models, replace(WANTED, task="semantic")) == ["cells", "classes"]


def test_of_many_models_of_the_user_the_two_most_familiar_are_tried(listed):
    models = [
        *[listed(f"large {number}", diameter=80.0) for number in range(20)],
        listed("old", age=9),
        listed("new", age=1),
        listed("newer", age=0.5),
        listed("coarse", pixel_size={"Y": 2.0, "X": 2.0}),
        listed("nuclei", bundled=True, diameter=90.0),
    ]
    assert names(models) == ["nuclei", "newer", "new"]


def test_what_is_not_known_is_no_hindrance(listed):
    models = [listed("unknown", diameter=None, pixel_size={}), listed("far", diameter=160.0)]
    assert names(models) == ["unknown", "far"]
    assert names(models, replace(WANTED, diameter=None, pixel_size={})) == ["unknown", "far"]
