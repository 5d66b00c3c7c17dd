"""What was painted: described where it can be learned from, refused by name where not."""

import numpy as np
import pytest

from unet_napari.errors import LabelsError
from unet_napari.labels import check_labels, split_components


def painted(*ids, shape=(20, 20)):
    """Give one 3 x 3 square for each id, side by side."""
    labels = np.zeros(shape, np.int64)
    for number, label in enumerate(ids):
        row, column = divmod(number, shape[-1] // 5)
        labels[..., 5 * row : 5 * row + 3, 5 * column : 5 * column + 3] = label
    return labels


class Lazy:
    """An array that can only be sliced, and counts what is read at once."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.largest = 0

    def __getitem__(self, index):
        part = self.array[index]
        self.largest = max(self.largest, part.size)
        return part


def test_classes_are_described():
    painting = check_labels(painted(1, 2, 5), (20, 20), task="semantic")
    assert painting.ids == (1, 2, 5)
    assert painting.counts == (9, 9, 9)
    assert painting.unpainted == "ignore"
    assert painting.describe() == "2D, 3 classes, sparse, 6.8 % painted"


def test_cells_are_described():
    painting = check_labels(painted(1, 7, shape=(4, 20, 20)), (4, 20, 20), task="cells")
    assert painting.describe() == "3D, 2 cells, sparse, 4.5 % painted"
    assert painting.unpainted == "nearby"
    assert painting.problem is None
    dense = check_labels(painted(1), (20, 20), task="cells", unpainted="background")
    assert dense.describe() == "2D, 1 cell, 2.2 % painted"


def test_zero_is_a_class_where_it_is_background():
    painting = check_labels(painted(255), (20, 20), task="semantic", unpainted="background")
    assert painting.ids == (0, 255)
    assert painting.counts == (391, 9)
    assert not painting.sparse


def test_zero_is_a_class_inside_an_annotated_region():
    region = np.zeros((20, 20), bool)
    region[:4, :4] = True
    painting = check_labels(painted(3), (20, 20), task="semantic", annotated=region)
    assert painting.ids == (0, 3)
    assert painting.counts == (7, 9)
    assert painting.sparse


def test_unpainted_pixels_are_judged_by_the_annotated_region():
    whole = np.ones((20, 20), bool)
    painting = check_labels(painted(3), (20, 20), task="cells", unpainted="ignore", annotated=whole)
    assert not painting.sparse
    assert painting.unpainted == "ignore"


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (painted(), {"task": "cells"}, "Nothing is painted yet: paint some cells"),
        (painted(), {"task": "semantic"}, "each class with a label number of its own"),
        (painted(-2), {"task": "cells"}, "negative number -2"),
        (painted(1) * 0.5, {"task": "cells"}, "hold 0.5, which is no label number"),
        (np.full((20, 20), np.nan), {"task": "cells"}, "hold nan"),
        (painted(1) * 1j, {"task": "cells"}, "whole numbers, not complex128"),
        (painted(1).astype(str), {"task": "cells"}, "whole numbers, not <U"),
        (painted(4), {"task": "semantic"}, "Only class 4 is painted: paint at least one other"),
        (painted(4), {"task": "cells", "unpainted": "ignore"}, "mark a fully annotated region"),
        (np.arange(400).reshape(20, 20) * 3, {"task": "semantic"}, None),
    ],
)
def test_what_cannot_be_learned_from_is_refused_by_name(labels, options, message):
    if message is None:  # many classes, but not too many
        assert len(check_labels(labels, (20, 20), **options).ids) == 399
        return
    with pytest.raises(LabelsError, match=message):
        check_labels(labels, (20, 20), **options)


def test_too_many_classes_are_refused():
    labels = np.arange(1, 1602).reshape(1, 1601)
    with pytest.raises(LabelsError, match='choose the task "cells"'):
        check_labels(labels, labels.shape, task="semantic")


def test_shapes_that_differ_are_both_named():
    with pytest.raises(LabelsError, match="labels have the shape 20 x 20 but the image has 20 x 3"):
        check_labels(painted(1), (20, 3), task="cells")
    with pytest.raises(LabelsError, match="region has the shape 2 x 2"):
        check_labels(painted(1), (20, 20), task="cells", annotated=np.ones((2, 2)))


@pytest.mark.parametrize("dtype", [bool, np.uint8, ">i4", np.float32, np.uint64])
def test_every_dtype_of_whole_numbers_is_accepted(dtype):
    painting = check_labels(painted(1).astype(dtype), (20, 20), task="cells")
    assert painting.ids == (1,)
    assert painting.counts == (9,)


def test_ids_may_be_huge():
    painting = check_labels(painted(1, 2**31 - 1, 2**40), (20, 20), task="cells")
    assert painting.ids == (1, 2**31 - 1, 2**40)


def test_a_cell_in_several_pieces_is_kept_and_named():
    painting = check_labels(painted(6, 8, 6, 8, 6), (20, 20), task="cells")
    assert painting.problem == "Cell 6 (and 1 more) is in 3 pieces; they are kept as one cell."
    assert not painting.splittable
    assert painting.ids == (6, 8)


def test_a_slip_of_the_brush_is_no_piece():
    labels = np.zeros((20, 20), int)
    labels[:5, :5] = 1
    labels[10, 10] = 1
    assert check_labels(labels, (20, 20), task="cells").problem is None


def test_a_mask_can_be_split_with_one_click():
    mask = painted(255, 255, 255, 255, 255)
    painting = check_labels(mask, (20, 20), task="cells")
    assert painting.splittable
    assert "5 pieces, as in a mask" in painting.problem
    split = split_components(mask)
    assert split.dtype == np.uint32
    assert check_labels(split, (20, 20), task="cells").describe().startswith("2D, 5 cells")
    np.testing.assert_array_equal(split > 0, mask > 0)


def test_touching_cells_of_different_ids_stay_apart_when_split():
    split = split_components(np.array([[1, 1, 2, 0, 2]]))
    assert split.tolist() == [[1, 1, 2, 0, 3]]


def test_an_id_may_be_used_again_in_another_slice():
    labels = np.zeros((3, 20, 20), int)
    labels[0, :5, :5] = labels[2, 10:15, 10:15] = 1
    assert check_labels(labels, labels.shape, task="cells", ndim=2).problem is None
    assert check_labels(labels, labels.shape, task="cells", ndim=3).splittable


def test_lazy_labels_are_read_in_blocks():
    lazy = Lazy(np.zeros((5, 1024, 2048), np.uint8))
    lazy.array[3, 100:110, 200:210] = 9
    lazy.array[0, :2, :2] = 4
    painting = check_labels(lazy, lazy.shape, task="semantic")
    assert dict(zip(painting.ids, painting.counts, strict=True)) == {4: 4, 9: 100}
    assert lazy.largest <= 2**22


def test_one_slice_larger_than_a_block_is_read_in_blocks_too():
    lazy = Lazy(np.zeros((2, 2100, 2100), np.uint8))
    lazy.array[:, -1, -1] = 3
    lazy.array[0, 0, 0] = 1
    painting = check_labels(lazy, lazy.shape, task="semantic")
    assert painting.counts == (1, 2)
    assert lazy.largest <= 2**22
