"""What was painted: described where it can be learned from, refused by name where not."""

import numpy as np
import pytest

from unet_napari.errors import LabelsError
from unet_napari.labels.label_blocks import number_ids
from unet_napari.labels.painting import check_labels, split_components


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


def test_each_frame_of_a_movie_is_a_picture_of_its_own():
    movie = np.stack([np.roll(painted(1, 2), 6 * frame, axis=0) for frame in range(3)])
    assert check_labels(movie, movie.shape, task="cells", ndim=2).problem is None
    stacks = np.stack([np.stack([movie[0]] * 4), np.stack([movie[2]] * 4)])  # TZYX
    for ndim in (2, 3, None):
        painting = check_labels(stacks, stacks.shape, task="cells", ndim=ndim)
        assert painting.ids == (1, 2)
        assert painting.problem is None


def test_single_slices_of_a_cell_are_no_pieces():
    stack = np.zeros((9, 20, 20), int)
    stack[[1, 4, 7]] = painted(1, 2)
    assert check_labels(stack, stack.shape, task="cells", ndim=3).problem is None


def test_the_section_of_a_bent_cell_may_be_in_pieces_in_some_slices():
    stack = np.stack([painted(5)] * 3 + [painted(5, 0, 5)])
    assert check_labels(stack, stack.shape, task="cells", ndim=2).problem is None
    mask = np.stack([painted(5, 0, 5)] * 3)
    assert check_labels(mask, mask.shape, task="cells", ndim=2).splittable


def test_a_time_series_of_stacks_can_be_split():
    mask = np.stack([np.stack([painted(255, 255)] * 2)] * 3)
    split = split_components(mask)
    assert len(np.unique(split)) == 1 + 2 * 3
    assert check_labels(split, split.shape, task="cells", ndim=3).problem is None
    assert len(np.unique(split_components(mask, 2))) == 1 + 2 * 2 * 3


def background_of_one(cells):
    return np.where(cells > 0, cells + 1, 1)


def test_a_background_with_a_number_is_asked_about():
    labels = background_of_one(painted(1, 2, 3, 4, 5, 6, 7))
    for shape in ((20, 20), (3, 20, 20)):
        frames = np.broadcast_to(labels, shape)
        problem = check_labels(frames, shape, task="cells", ndim=2).problem
        assert problem.startswith("Cell 1 covers 84 % of the image and touches all others: is it")
    sparse = painted(1, 2, 3)
    assert check_labels(sparse, sparse.shape, task="cells").problem is None


def test_an_inverted_mask_is_asked_about():
    mask = painted(1, 1, 1, 1) == 0
    problem = check_labels(mask, mask.shape, task="cells").problem
    assert problem.startswith("Cell 1 covers 91 % of the image around 4 spots")


def test_one_large_cell_among_others_is_no_background():
    labels = np.ones((20, 20), int)
    labels[:, 12] = 0
    labels[:, 13:16], labels[:, 16:] = 2, 3
    assert check_labels(labels, labels.shape, task="cells").problem is None


def test_kinds_of_pixels_painted_as_cells_are_asked_about():
    problem = check_labels(painted(1, 2, 1, 2), (20, 20), task="cells").problem
    assert "learn classes of pixels" in problem
    many = check_labels(painted(*range(1, 13)), (20, 20), task="semantic").problem
    assert many.startswith("12 classes are painted: if every number is one cell")
    assert check_labels(painted(1, 2), (20, 20), task="semantic").problem is None


def stripes(width, count=10):
    return np.broadcast_to(np.repeat(np.arange(1, count + 1), width), (30, width * count)).copy()


@pytest.mark.parametrize(
    ("width", "named"),
    # Of those at the border, two pixels wide, nobody knows where they end.
    [(1, "Cell 1 and 9 more are only"), (2, "Cell 2 and 7 more are only"), (3, None)],
)
def test_touching_cells_without_a_middle_are_named(width, named):
    labels = stripes(width)
    problem = check_labels(labels, labels.shape, task="cells", unpainted="background").problem
    assert problem is None if named is None else problem.startswith(named)
    apart = np.insert(labels, np.arange(width, labels.shape[1], width), 0, axis=1)
    assert check_labels(apart, apart.shape, task="cells").problem is None


def test_flat_cells_on_top_of_each_other_are_named():
    flat = np.repeat(np.arange(1, 5), 1)[:, None, None] * np.ones((1, 12, 12), int)
    assert "Cell 1 and 3 more" in check_labels(flat, flat.shape, task="cells").problem
    thick = np.repeat(flat, 3, axis=0)
    assert check_labels(thick, thick.shape, task="cells").problem is None
    side = np.zeros((9, 12, 12), int)  # one painted slice; nobody says that the cells are flat
    side[4, :, :6], side[4, :, 6:] = 1, 2
    assert check_labels(side, side.shape, task="cells").problem is None
    options = {"task": "cells", "unpainted": "background"}
    assert "Cell 1 and 1 more" in check_labels(side, side.shape, **options).problem
    assert check_labels(side, side.shape, spacing=(4, 1, 1), **options).problem is None


def test_a_few_slivers_among_many_cells_are_let_pass():
    labels = np.kron(np.arange(1, 101).reshape(10, 10), np.ones((6, 6), int))
    labels[18, :6], labels[18, 6:12] = 101, 102  # the first rows of two cells
    assert check_labels(labels, labels.shape, task="cells").problem is None


def test_all_but_a_rim_is_not_called_sparse():
    labels = np.zeros((40, 40), int)
    labels[4:36, 4:36] = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((8, 8), int))
    painting = check_labels(labels, labels.shape, task="cells")
    assert painting.nearly_complete
    assert painting.describe() == "2D, 16 cells, all but a rim, 64.0 % painted"
    for others in (np.where(labels % 2, labels, 0), np.stack([labels, 0 * labels])):
        painting = check_labels(others, others.shape, task="cells", ndim=2)
        assert not painting.nearly_complete
        assert painting.sparse
    complete = check_labels(labels, labels.shape, task="cells", unpainted="background")
    assert not complete.nearly_complete


def test_of_sparse_labels_no_more_than_what_is_painted_is_looked_at_whole():
    lazy = Lazy(np.zeros((3000, 3000), np.uint8))
    lazy.array[1500:1510, 900:910] = 1
    assert check_labels(lazy, lazy.shape, task="cells").ids == (1,)
    assert lazy.largest <= 2**22


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.uint64, np.float64])
@pytest.mark.parametrize("largest", [9, 2**31])
def test_ids_are_numbered_in_their_order(dtype, largest):
    ids = np.array([[0, 7, 9], [9, 7, 7]]).astype(dtype)
    if dtype in (np.uint64, np.float64):
        ids[ids == 9] = largest
    values, numbers = number_ids(ids)
    np.testing.assert_array_equal(values[numbers], ids)
    assert values.tolist() == sorted(set(ids.ravel().tolist()))
    assert number_ids(ids[:0])[1].shape == (0, 3)
