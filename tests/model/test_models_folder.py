"""Models by name and path: the user's own, those of the package, damaged ones."""

import json

import pytest

from model_infos import GOOD
from unet_napari.errors import ModelFileError, OutputError, UnetNapariWarning
from unet_napari.model import info
from unet_napari.model.file import write_model_file
from unet_napari.model.info import (
    find_model,
    list_models,
    models_folder,
)


def save(path, info=GOOD, weights=None, thumbnail=None):
    write_model_file(path, json.dumps(info.to_dict()), weights or {}, thumbnail)
    return path


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Return the bundled and the user's folder of models, both empty."""
    bundled, own = tmp_path / "bundled", tmp_path / "own"
    bundled.mkdir()
    monkeypatch.setattr(info, "_BUNDLED_FOLDER", bundled)
    monkeypatch.setenv("UNET_NAPARI_MODELS", str(own))
    monkeypatch.setattr(info.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    return bundled, own


def test_models_are_found_by_name_and_own_ones_first(folders):
    bundled, own = folders
    own.mkdir()
    assert find_model(save(bundled / "nuclei.unet")) == bundled / "nuclei.unet"
    assert find_model("nuclei") == bundled / "nuclei.unet"
    save(own / "nuclei.unet")
    save(own / "my cells.v2.unet")
    assert find_model("nuclei") == own / "nuclei.unet"
    assert find_model("my cells.v2") == own / "my cells.v2.unet"


@pytest.mark.usefixtures("folders")
def test_models_are_found_by_path(tmp_path, monkeypatch):
    path = save(tmp_path / "elsewhere.unet")
    assert find_model(str(path)) == path
    monkeypatch.chdir(tmp_path)
    assert find_model("elsewhere.unet").samefile(path)


@pytest.mark.parametrize(
    "name", ["absent", "../own/a", "", ".", "<img src=x>", "a\0b", "*", "~", "x" * 5000]
)
def test_a_name_is_only_text_and_an_unknown_one_lists_the_known(folders, name):
    bundled, own = folders
    own.mkdir()
    save(own / "a.unet")
    save(bundled / "b.unet")
    with pytest.raises(ModelFileError, match="'a', 'b'"):
        find_model(name)


def test_listing_shows_damaged_models_as_such(folders):
    bundled, own = folders
    own.mkdir()
    save(bundled / "b.unet")
    (own / "a.unet").write_bytes(b"no model")
    (own / "notes.txt").write_bytes(b"no model either")
    (own / "folder.unet").mkdir()
    damaged, good = list_models()
    assert (damaged.name, damaged.info) == ("a", None)
    assert "a.unet" in damaged.problem
    assert (good.name, good.info, good.problem) == ("b", GOOD, None)


def test_bundled_models_come_after_the_users_own_which_hide_them(folders):
    bundled, own = folders
    own.mkdir()
    for folder, names in ((bundled, ("a", "nuclei")), (own, ("nuclei", "z"))):
        for name in names:
            save(folder / f"{name}.unet")
    listed = [(model.name, model.bundled) for model in list_models()]
    assert listed == [("nuclei", False), ("z", False), ("a", True)]
    assert find_model("nuclei") == own / "nuclei.unet"


def test_listing_without_any_folder_is_empty(folders):
    folders[0].rmdir()
    assert list_models() == []


def test_the_models_folder_is_made_when_it_is_needed(folders):
    _, own = folders
    assert models_folder() == own
    assert own.is_dir()


def test_an_unwritable_home_means_another_place_and_is_said(folders, tmp_path, monkeypatch):
    (tmp_path / "blocked").write_text("a file where a folder should be")
    monkeypatch.setenv("UNET_NAPARI_MODELS", str(tmp_path / "blocked" / "models"))
    with pytest.warns(UnetNapariWarning, match="blocked"):
        folder = models_folder()
    assert folder.parent == tmp_path / "temporary"
    save(folder / "kept.unet")
    assert find_model("kept") == folder / "kept.unet"
    monkeypatch.setattr(info, "_is_own", lambda _: False)
    with pytest.raises(OutputError, match="neither"):
        models_folder()


def test_the_default_folder_is_the_systems(monkeypatch):
    monkeypatch.delenv("UNET_NAPARI_MODELS", raising=False)
    preferred, _ = info._user_folders()
    assert preferred.is_absolute()
    assert "unet-napari" in preferred.parts
