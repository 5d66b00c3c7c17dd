"""Labels find their images by the names of their files."""

from pathlib import Path

import pytest

from unet_napari.cli.pairing import matching_files, matching_masks, training_files
from unet_napari.collection.names import LABEL_SUFFIXES
from unet_napari.errors import ImageError


@pytest.fixture
def files(tmp_path):
    """Make empty files and return their folder."""

    def make(name, *names):
        (tmp_path / name).mkdir()
        for file in names:
            (tmp_path / name / file).touch()
        return tmp_path / name

    return make


def names(pairs):
    return [(image.name, labels.name) for image, labels in pairs]


def test_files_are_paired_by_name(tmp_path):
    for folder, names in {"i": ["b.tif", "a.tiff"], "l": ["a.tif", "b.ome.tif"]}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).touch()
    pairs = matching_files(tmp_path / "i", tmp_path / "l")
    assert [(a.name, b.name) for a, b in pairs] == [("a.tiff", "a.tif"), ("b.tif", "b.ome.tif")]
    (tmp_path / "i" / "c.tif").touch()
    with pytest.raises(ImageError, match="no file of the same name for 1: c"):
        matching_files(tmp_path / "i", tmp_path / "l")


def test_two_files_are_a_pair_whatever_their_names(tmp_path):
    image, labels = tmp_path / "x.tif", tmp_path / "y.tif"
    image.touch()
    labels.touch()
    assert matching_files(image, labels) == [(image, labels)]
    with pytest.raises(ImageError, match="no file or folder"):
        matching_files(tmp_path / "missing", labels)


@pytest.mark.parametrize("suffix", LABEL_SUFFIXES)
def test_one_folder_holds_images_and_labels(files, suffix):
    folder = files("f", f"b{suffix}.ome.tif", "a.tif", "b.tif", f"a{suffix}.tif")
    expected = [("a.tif", f"a{suffix}.tif"), ("b.tif", f"b{suffix}.ome.tif")]
    assert names(matching_files(folder, folder)) == expected


def test_labels_of_another_folder_may_have_a_suffix(files):
    images = files("i", "a.tif", "b.tif", "b_mask.tif")
    labels = files("l", "a_masks.tif", "b.tif", "b_mask_seg.tif")
    expected = [("a.tif", "a_masks.tif"), ("b.tif", "b.tif"), ("b_mask.tif", "b_mask_seg.tif")]
    assert names(matching_files(images, labels)) == expected


@pytest.mark.parametrize(
    ("together", "message"),
    [
        (("a.tif", "b.tif"), "no file there is called like another with _cp_masks"),
        (("a.tif",), "one image and no labels"),
        (("a.tif", "a_mask.tif", "b.tif"), "no file of the same name for 1: b"),
        (("a.tif", "a_mask.tif", "b_mask.tif"), "no file of the same name for 1: b_mask"),
        (("a.tif", "a_mask.tif", "a_seg.tif"), "a.tif has several labels in .*a_mask.tif, a_seg"),
        (("a.tif", "a.tiff", "a_mask.tif"), "a.tif and a.tiff in .* have one name"),
    ],
)
def test_a_folder_whose_files_make_no_pairs_is_refused(files, together, message):
    folder = files("f", *together)
    with pytest.raises(ImageError, match=message):
        matching_files(folder, folder)


def test_a_file_is_not_its_own_label(files):
    image = files("f", "a.tif") / "a.tif"
    with pytest.raises(ImageError, match="no labels"):
        matching_files(image, image)


def test_several_files_are_paired_in_their_order(files):
    images, labels = files("i", "b.tif", "a.tif"), files("l", "1.tif", "2.tif")
    several = [images / "b.tif", images / "a.tif"]
    pairs = training_files(several, [labels / "1.tif", labels / "2.tif"])
    assert names(pairs) == [("b.tif", "1.tif"), ("a.tif", "2.tif")]
    assert names(training_files([images / "b.tif"], [labels / "1.tif"])) == [("b.tif", "1.tif")]
    with pytest.raises(ImageError, match="2 images, but 1 labels: give one for each"):
        training_files(several, [labels])
    with pytest.raises(ImageError, match=r"i is a folder: give several files, or one"):
        training_files([images, images / "a.tif"], [labels / "1.tif", labels / "2.tif"])


def test_masks_are_found_by_name_or_given_in_the_order_of_the_images(files):
    images, masks = files("i", "b.tif", "a.tif"), files("m", "a.tif")
    several = [images / "b.tif", images / "a.tif"]
    assert matching_masks(several, []) == [None, None]
    assert matching_masks(several, [masks]) == [None, masks / "a.tif"]
    listed = [masks / "a.tif", Path("-")]
    assert matching_masks(several, listed) == [masks / "a.tif", None]
    with pytest.raises(ImageError, match="no file of the same name for 1: a"):
        matching_masks(several[:1], [masks])
    with pytest.raises(ImageError, match="2 images, but 1 masks"):
        matching_masks(several, [masks / "a.tif"])
