"""The lists that were open are known the next time, the latest first."""

import pytest

from unet_napari.collection.known_lists import KnownList, KnownLists


@pytest.fixture
def folders(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()
    return [str(tmp_path / name) for name in "abc"]


@pytest.fixture
def lists(tmp_path):
    return KnownLists(tmp_path / "images.lists")


def test_the_latest_comes_first_and_each_once(lists, folders):
    a, b, c = folders
    for folder in (a, b, a):
        lists.note(KnownList(folder, c))
    assert [known.folder for known in lists.all()] == [a, b]
    assert str(lists.labels_folder(a)) == c
    assert lists.labels_folder(c) is None


def test_a_list_whose_folder_is_gone_is_forgotten(lists, folders, tmp_path):
    lists.note(KnownList(folders[0], folders[1]))
    (tmp_path / "b").rmdir()
    assert lists.labels_folder(tmp_path / "a") is None
    (tmp_path / "a").rmdir()
    assert lists.all() == []


def test_a_list_that_was_closed_says_so(lists, folders, tmp_path):
    lists.note(KnownList(folders[0], folders[0], "x.tif"))
    lists.close(tmp_path / "b")
    assert lists.all()[0].is_open
    lists.close(tmp_path / "a")
    assert lists.all() == [KnownList(folders[0], folders[0], "x.tif", is_open=False)]


@pytest.mark.parametrize("content", [b"", b"{", b"3", b'[{"folder": 1}]', b'[{"other": "x"}]'])
def test_a_damaged_file_counts_for_nothing(lists, folders, tmp_path, content):
    (tmp_path / "images.lists").write_bytes(content)
    assert lists.all() == []
    lists.note(KnownList(folders[0], folders[0]))
    assert len(lists.all()) == 1
