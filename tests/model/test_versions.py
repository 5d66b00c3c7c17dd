"""A model has versions, and going back loses nothing."""

import pytest

from unet_napari.errors import ModelFileError
from unet_napari.model.model import Model
from unet_napari.model.versions import Version, go_back, keep_version, versions_of


def save(model, path, score, painted=""):
    model.provenance = {"score": score, "score_name": "AP50", "painted": painted}
    return model.save(path)


@pytest.fixture
def small_model():
    from unet_napari.images import Normalisation
    from unet_napari.networks import build_network
    from unet_napari.tasks import CellsTask

    options = {"in_channels": 1, "out_channels": 3, "features": (2, 2)}
    return Model(build_network("unet", options), CellsTask(), Normalisation())


@pytest.fixture
def path(small_model, tmp_path):
    return save(small_model, tmp_path / "cells.unet", 0.1, "3 cells")


def score_of(path):
    return Model.load(path).provenance["score"]


def test_a_version_says_what_it_was(path):
    kept = keep_version(path)
    assert kept == versions_of(path)[0]
    assert kept == Version(1, path.parent / "cells.versions" / "1.unet", 0.1, "AP50",
                           path.stat().st_mtime, "3 cells")  # fmt: skip
    assert kept.path.read_bytes() == path.read_bytes()


def test_a_model_that_is_not_there_has_no_versions(tmp_path):
    assert keep_version(tmp_path / "none.unet") is None
    assert versions_of(tmp_path / "none.unet") == ()
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_already_is_not_kept_twice(path):
    assert keep_version(path) == keep_version(path)
    assert [version.number for version in versions_of(path)] == [1]


def test_the_last_ten_are_kept_newest_first(small_model, path):
    for score in range(12):
        keep_version(path)
        save(small_model, path, score)
    assert [version.number for version in versions_of(path)] == list(range(12, 2, -1))
    assert [version.score for version in versions_of(path)] == [float(n) for n in range(10, 0, -1)]


def test_going_back_keeps_what_the_model_is_now(small_model, path):
    keep_version(path)
    save(small_model, path, 0.7)
    go_back(path, 1)
    assert score_of(path) == 0.1
    assert [(version.number, version.score) for version in versions_of(path)] == [
        (2, 0.7),
        (1, 0.1),
    ]
    go_back(path, 2)
    assert score_of(path) == 0.7


def test_going_back_to_the_oldest_of_ten_does_not_lose_it(small_model, path):
    for score in range(10):
        keep_version(path)
        save(small_model, path, score)
    go_back(path, 1)
    assert score_of(path) == 0.1
    assert [version.number for version in versions_of(path)] == [11, 10, 9, 8, 7, 6, 5, 4, 3, 1]


def test_a_version_that_there_is_not_is_told(path):
    keep_version(path)
    with pytest.raises(ModelFileError, match=r"'cells.unet' has no version 4. There are: 1\."):
        go_back(path, 4)


def test_a_damaged_version_is_left_out_and_never_taken(small_model, path):
    kept = keep_version(path)
    save(small_model, path, 0.7)
    kept.path.write_bytes(kept.path.read_bytes()[:100])
    assert versions_of(path) == ()
    with pytest.raises(ModelFileError, match="cannot be used"):
        go_back(path, 1)
    assert score_of(path) == 0.7


def test_what_is_no_model_is_no_version(tmp_path):
    path = tmp_path / "cells.unet"
    path.write_bytes(b"notes")
    assert keep_version(path) is None
    assert list(tmp_path.iterdir()) == [path]
