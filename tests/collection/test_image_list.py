"""The images of a folder, what is kept about each, and what is said where something is wrong."""

import json

import numpy as np
import pytest
import tifffile

from unet_napari.collection.image_list import ImageList
from unet_napari.collection.kept_facts import FACTS_NAME
from unet_napari.errors import ImageError, OutputError, UnetNapariWarning


@pytest.fixture
def folder(tmp_path):
    for name in "abc":
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((5, 6), np.uint8))
    return tmp_path


def test_images_come_in_the_order_of_their_names_and_all_take_part(folder):
    images = ImageList(folder)
    assert [listed.name for listed in images] == ["a.tif", "b.tif", "c.tif"]
    assert images["a.tif"].labels == folder / "a_labels.tif"
    assert all(listed.facts.train and not listed.problem for listed in images)
    assert [listed.stored for listed in images] == [None, None, None]


def test_what_is_chosen_is_known_the_next_time(folder):
    images = ImageList(folder)
    images.change({"b.tif": {"train": False}})
    images.note_saved("c.tif", folder / "c_labels.tif", {"background": 65535})
    again = ImageList(folder)
    assert [listed.facts.train for listed in again] == [True, False, True]
    assert again["c.tif"].facts.background == 65535
    assert again["b.tif"].facts.background is None


def test_two_programs_change_different_images_of_one_list(folder):
    first, second = ImageList(folder), ImageList(folder)
    first.change({"a.tif": {"train": False}})
    second.change({"b.tif": {"train": False}})
    first.change({"c.tif": {"train": False}})
    assert not any(listed.facts.train for listed in ImageList(folder))


def test_images_that_come_and_go_while_the_list_is_open(folder):
    images = ImageList(folder)
    (folder / "b.tif").rename(folder / "d.tif")
    images.look_again()
    assert [listed.name for listed in images] == ["a.tif", "b.tif", "c.tif", "d.tif"]
    assert images["b.tif"].problem == "'b.tif' is not in the folder any more."
    assert images["d.tif"].problem == ""
    (folder / "d.tif").rename(folder / "b.tif")
    images.look_again()
    assert images["b.tif"].problem == ""


def test_steps_leave_out_what_cannot_be_used(folder):
    images = ImageList(folder)
    images.note_problem("b.tif", "damaged")
    assert images.step(None, 1).name == "a.tif"
    assert images.step("a.tif", 1).name == "c.tif"
    assert images.step("c.tif", -1).name == "a.tif"
    assert images.step("c.tif", 1) is None
    assert images.step("a.tif", -1) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"version": 2, "images": {}}', b'{"version": 1, "images": {"a.tif": 3}}'],
)
def test_a_damaged_file_of_facts_is_said_and_replaced(folder, content):
    (folder / FACTS_NAME).write_bytes(content)
    with pytest.warns(UnetNapariWarning, match="is damaged or of a newer version"):
        images = ImageList(folder)
    assert all(listed.facts.train for listed in images)
    with pytest.warns(UnetNapariWarning, match="is damaged"):
        images.change({"a.tif": {"train": False}})
    assert json.loads((folder / FACTS_NAME).read_text())["images"]["a.tif"]["train"] is False


def test_folders_that_are_of_no_use_are_named(tmp_path):
    with pytest.raises(ImageError, match="contains no image that can be read"):
        ImageList(tmp_path)
    with pytest.raises(ImageError, match="gone' cannot be listed: No such file"):
        ImageList(tmp_path / "gone")


def test_what_cannot_be_kept_counts_until_the_end(folder, monkeypatch):
    images = ImageList(folder)

    def refuse(*_, **__):
        raise OutputError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr("unet_napari.collection.kept_facts.open_atomic", refuse)
        with pytest.raises(OutputError, match="full"):
            images.change({"a.tif": {"train": False}})
    assert images["a.tif"].facts.train is False
    images.change({"b.tif": {"train": False}})
    assert [listed.facts.train for listed in ImageList(folder)] == [False, False, True]


def test_a_folder_that_cannot_be_written_to_says_what_to_do(folder, monkeypatch):
    images = ImageList(folder)
    images.check_writable()

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("unet_napari.collection.image_list.tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError, match=r"cannot be written to .Permission denied.: choose"):
        images.check_writable()
