"""Labels as files: what is read is what was saved, and nobody's newer labels are lost."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari.collection.paint_file import (
    PaintTarget,
    PaintToSave,
    load_paint,
    stamp,
)
from unet_napari.errors import LabelsError
from unet_napari.images import Image

SIZES = {"T": 2, "Z": 3, "Y": 4, "X": 5}


def image_of(axes, pixel_size=None):
    return Image(np.zeros([SIZES[axis] for axis in axes], np.uint8), axes, pixel_size or {})


@settings(deadline=None)
@given(
    st.sampled_from(["YX", "ZYX", "TYX", "TZYX"]),
    st.sampled_from([np.uint8, np.uint16, np.uint32, np.int64]),
    st.integers(1, 2**31),
)
def test_what_is_read_is_what_was_saved(tmp_path_factory, axes, dtype, highest):
    path = tmp_path_factory.mktemp("labels") / "a_labels.tif"
    labels = np.zeros([SIZES[axis] for axis in axes], dtype)
    labels[..., 1, 2] = min(highest, np.iinfo(dtype).max)
    PaintTarget(path, None).save(PaintToSave(labels, axes, {"Y": 0.5, "X": 0.5}))
    read = load_paint(path, image_of(axes))
    assert read.dtype == (np.uint16 if labels.max() < 2**16 else np.uint32)
    np.testing.assert_array_equal(read, labels)


def test_axes_in_another_order_are_saved_in_ours(tmp_path):
    path = tmp_path / "a_labels.tif"
    labels = np.arange(3 * 2 * 4 * 5, dtype=np.uint16).reshape(3, 2, 4, 5)
    PaintTarget(path, None).save(PaintToSave(labels, "ZTYX", {}))
    np.testing.assert_array_equal(load_paint(path, image_of("TZYX")), labels.swapaxes(0, 1))


def test_a_file_of_ours_is_replaced_and_one_of_others_is_not(tmp_path):
    path = tmp_path / "a_labels.tif"
    labels = np.zeros((4, 5), np.uint16)
    target = PaintTarget(path, stamp(path))
    for number in (1, 2):
        labels[0, 0] = number
        target.save(PaintToSave(labels, "YX", {}))
        assert tifffile.imread(path)[0, 0] == number
    assert not target.moved
    tifffile.imwrite(path, np.full((4, 5), 9, np.uint16))
    for number in (3, 4):
        labels[0, 0] = number
        target.save(PaintToSave(labels, "YX", {}))
    assert target.moved
    assert target.path == tmp_path / "a_labels_2.tif"
    assert tifffile.imread(path)[0, 0] == 9
    assert tifffile.imread(target.path)[0, 0] == 4
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a_labels.tif", "a_labels_2.tif"]


def test_a_file_that_appears_meanwhile_is_not_written_over(tmp_path):
    path = tmp_path / "a_labels.tif"
    target = PaintTarget(path, stamp(path))
    tifffile.imwrite(path, np.full((4, 5), 9, np.uint16))
    target.save(PaintToSave(np.ones((4, 5), np.uint16), "YX", {}))
    assert tifffile.imread(path)[0, 0] == 9


@pytest.mark.parametrize("number", [-1, 2**33])
def test_numbers_that_no_label_has_are_refused_and_nothing_is_written(tmp_path, number):
    path = tmp_path / "a_labels.tif"
    with pytest.raises(LabelsError, match="cannot hold labels below 0 or above 4294967295"):
        PaintTarget(path, None).save(PaintToSave(np.full((4, 5), number), "YX", {}))
    assert list(tmp_path.iterdir()) == []


def test_labels_of_another_shape_or_kind_are_refused_by_name(tmp_path):
    path = tmp_path / "a_labels.tif"
    tifffile.imwrite(path, np.zeros((7, 5), np.uint16))
    with pytest.raises(LabelsError, match=r"'a_labels.tif' has the shape 7 x 5, but labels of"):
        load_paint(path, image_of("YX"))
    tifffile.imwrite(path, np.full((4, 5), 0.5, np.float32))
    with pytest.raises(LabelsError, match="whole numbers"):
        load_paint(path, image_of("YX"))
