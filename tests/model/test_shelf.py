"""The files of the user's models are renamed, duplicated and removed, with all beside them."""

import pytest
import torch

from unet_napari import Model
from unet_napari.errors import ModelFileError, OutputError, SettingsError
from unet_napari.images import Normalisation
from unet_napari.model.info import find_model, list_models
from unet_napari.model.names import Claim
from unet_napari.model.shelf import duplicate_model, files_of_model, remove_model, rename_model
from unet_napari.model.versions import keep_version, versions_of
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The user's models: 'cells' with version, state and paint, and 'other'; one is bundled."""
    monkeypatch.setenv("UNET_NAPARI_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("unet_napari.model.info._BUNDLED_FOLDER", tmp_path / "bundled")
    torch.manual_seed(0)
    options = {"in_channels": 1, "out_channels": 3, "features": (4, 6)}
    model = Model(build_network("unet", options).eval(), CellsTask(), Normalisation())
    for place in ("models/cells", "models/other", "bundled/nuclei"):
        path = tmp_path / f"{place}.unet"
        path.parent.mkdir(exist_ok=True)
        model.save(path)
    keep_version(tmp_path / "models/cells.unet")
    (tmp_path / "models/cells.state").write_bytes(b"where it stopped")
    (tmp_path / "models/cells.paint").mkdir()
    return tmp_path / "models"


def names():
    return [model.name for model in list_models()]


def test_a_model_is_renamed_with_what_lies_beside_it(folder):
    before = (folder / "cells.unet").read_bytes()
    path = rename_model(folder / "cells.unet", "round cells")
    assert path == folder / "round cells.unet"
    assert path.read_bytes() == before
    assert [version.number for version in versions_of(path)] == [1]
    assert path.with_suffix(".state").read_bytes() == b"where it stopped"
    assert sorted(file.name for file in folder.iterdir()) == [
        "other.unet", "round cells.paint", "round cells.state", "round cells.unet",
        "round cells.versions",
    ]  # fmt: skip


def test_a_name_that_is_taken_or_none_changes_nothing(folder):
    before = sorted(file.name for file in folder.iterdir())
    with pytest.raises(ModelFileError, match="There is a model 'other' already"):
        rename_model(folder / "cells.unet", "other")
    with pytest.raises(SettingsError, match="a name with letters"):
        rename_model(folder / "cells.unet", " /..")
    with pytest.raises(ModelFileError, match="There is a model 'other' already"):
        duplicate_model(folder / "cells.unet", "other")
    assert rename_model(folder / "cells.unet", "cells") == folder / "cells.unet"
    assert sorted(file.name for file in folder.iterdir()) == before


def test_a_rename_that_fails_half_way_is_taken_back(folder, monkeypatch):
    before = sorted(file.name for file in folder.iterdir())
    (folder / "new.state").mkdir()  # a file cannot take the name of a folder
    with pytest.raises(OutputError, match="'cells' cannot be renamed"):
        rename_model(folder / "cells.unet", "new")
    (folder / "new.state").rmdir()
    assert sorted(file.name for file in folder.iterdir()) == before


def test_a_model_that_is_being_trained_stays(folder):
    claim = Claim("cells", again=True)
    try:
        for do in (
            lambda path: rename_model(path, "new"),
            lambda path: remove_model(path, lambda _: True),
        ):
            with pytest.raises(SettingsError, match="is being trained elsewhere"):
                do(folder / "cells.unet")
    finally:
        claim.release()
    assert (folder / "cells.unet").exists()


def test_a_duplicate_is_a_model_of_its_own(folder):
    path = duplicate_model(find_model("nuclei"), "my nuclei")
    assert path.read_bytes() == find_model("nuclei").read_bytes()
    assert names() == ["cells", "my nuclei", "other", "nuclei"]
    assert files_of_model(path) == (path,)


def test_what_is_removed_is_the_model_with_all_that_lies_beside_it(folder):
    removed = []
    remove_model(folder / "cells.unet", lambda path: not removed.append(path.name))
    assert removed == ["cells.unet", "cells.state", "cells.paint", "cells.versions"]
    assert not list(folder.glob(".*"))  # nobody holds the name


def test_without_a_trash_nothing_is_deleted(folder):
    with pytest.raises(OutputError, match="cannot be moved to the trash, so it was not deleted"):
        remove_model(folder / "cells.unet", lambda _: False)
    assert (folder / "cells.unet").exists()


def test_a_bundled_model_stays_as_it_is(folder):
    with pytest.raises(ModelFileError, match="comes with unet-napari and cannot be renamed"):
        rename_model(find_model("nuclei"), "mine")
    with pytest.raises(ModelFileError, match="comes with unet-napari and cannot be deleted"):
        remove_model(find_model("nuclei"), lambda _: True)
