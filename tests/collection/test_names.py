"""Which files are images and which are labels, and that labels stay with their image."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet_napari.collection.names import (
    LABEL_SUFFIXES,
    LabelsFolder,
    images_in,
    labels_names,
    numbered,
)

STEMS = st.sampled_from(["a", "b", "cell 1", "cell 2", "a_b"])
IMAGES = st.lists(
    st.builds(
        lambda stem, end: Path("in") / f"{stem}{end}", STEMS, st.sampled_from([".tif", ".png"])
    ),
    unique=True,
    max_size=8,
)


@given(IMAGES, IMAGES)
def test_no_two_images_have_one_labels_file_and_each_keeps_its_own(first, later):
    names = labels_names(first, {})
    assert set(names) == {path.name for path in first}
    assert len({name.casefold() for name in names.values()}) == len(names)
    more = labels_names([*first, *later], names)
    assert {name: more[name] for name in names} == names
    assert len({name.casefold() for name in more.values()}) == len(more)


@given(IMAGES, st.lists(st.tuples(STEMS, st.sampled_from(LABEL_SUFFIXES)), max_size=4))
def test_labels_of_images_are_no_images(tmp_path_factory, images, labels):
    folder = tmp_path_factory.mktemp("images")
    for path in images:
        (folder / path.name).touch()
    for stem, suffix in labels:
        (folder / f"{stem}{suffix}.tif").touch()
    listed = {path.name for path in images_in(folder)}
    stems = {Path(path.name).stem for path in images}
    assert {path.name for path in images} <= listed
    for stem, suffix in labels:
        assert (f"{stem}{suffix}.tif" in listed) == (stem not in stems)


def test_what_is_no_image_is_not_listed(tmp_path):
    for name in ("a.tif", "._a.tif", "notes.txt", "a_labels.tif", "a_labels_2.tif", "b_mask.png"):
        (tmp_path / name).touch()
    assert [path.name for path in images_in(tmp_path)] == ["a.tif", "b_mask.png"]


@pytest.mark.parametrize("suffix", LABEL_SUFFIXES)
def test_labels_of_another_program_are_found(suffix):
    theirs = Path("in") / f"a{suffix}.png"
    ours = Path("in/a_labels.tif")
    assert LabelsFolder({theirs, Path("in/a.tif")}).labels_of(Path("in/a.tif"), ours) == theirs
    assert LabelsFolder({theirs, ours}).labels_of(Path("in/a.tif"), ours) == ours
    assert LabelsFolder({theirs}).labels_of(Path("in/b.tif"), Path("in/b_labels.tif")) is None


def test_in_a_folder_of_their_own_labels_may_have_the_name_of_the_image():
    ours, theirs = Path("out/a_labels.tif"), Path("out/a.tif")
    assert LabelsFolder({theirs}).labels_of(Path("in/a.tif"), ours) == theirs


def test_the_labels_of_one_image_are_not_those_of_another_of_its_name():
    first = Path("in/a_labels.tif")
    second = labels_names([Path("in/a.png"), Path("in/a.tif")], {})["a.tif"]
    assert second == "a.tif_labels.tif"
    assert LabelsFolder({first}).labels_of(Path("in/a.tif"), Path("in") / second) is None


def test_a_number_is_free(tmp_path):
    path = tmp_path / "a_labels.tif"
    assert numbered(path).name == "a_labels_2.tif"
    (tmp_path / "a_labels_2.tif").touch()
    assert numbered(path).name == "a_labels_3.tif"
