"""Arrays of which only what is painted is kept."""

import pickle

import numpy as np
import pytest

from unet_napari.geometry import Box
from unet_napari.labels.label_blocks import painted_box
from unet_napari.labels.painting import check_labels
from unet_napari.labels.sparse import SparseArray, boxes


@pytest.fixture
def dense():
    labels = np.zeros((7, 300, 700), np.uint16)
    labels[2, 200:280, 250:270] = 5
    labels[2, 0:3, 690:] = 6
    labels[6, 299, 0] = 9
    return labels


@pytest.mark.parametrize(
    "index",
    [
        ...,
        2,
        -1,
        (2, slice(190, 260)),
        (slice(1, 4), 255, slice(240, 260)),
        (slice(None), slice(0, 2), -3),
        (2, ..., slice(255, 257)),
        (6, 299, 0),
        (slice(3, 3),),
    ],
)
def test_a_sparse_array_reads_and_is_written_like_the_dense_one(dense, index):
    sparse = SparseArray.of(dense)
    np.testing.assert_array_equal(sparse[index], dense[index])
    dense[index] = sparse[index] = dense[index] + 3
    np.testing.assert_array_equal(sparse, dense)


def test_only_what_is_painted_is_kept_and_travels(dense):
    sparse = SparseArray.of(dense)
    assert sparse.nbytes < dense.nbytes / 2
    again = pickle.loads(pickle.dumps(sparse))
    np.testing.assert_array_equal(again, dense)
    assert again.dtype == np.uint16


def test_boxes_hold_all_that_is_painted(dense):
    sparse = SparseArray.of(dense)
    for array in (dense, sparse):
        assert sum(int(np.sum(array[box.to_slices()])) for box in boxes(array)) == dense.sum()
        assert (
            sum(int(np.sum(array[(2, *box.to_slices())])) for box in boxes(array, (2,)))
            == dense[2].sum()
        )
    assert list(boxes(sparse, (0,))) == []


def test_a_part_of_an_array_is_set_again(dense):
    sparse = SparseArray.of(dense)
    sparse.put(Box.whole((300, 700)).prepend((2,)), np.zeros((1, 300, 700), np.uint16))
    dense[2] = 0
    np.testing.assert_array_equal(sparse, dense)


def test_an_enormous_array_is_looked_through_by_its_painted_parts():
    enormous = SparseArray((512, 2**18, 2**18), np.uint16)
    cell = np.full((1, 20, 20), 7, np.uint16)
    for z, y in ((3, 100), (500, 200_000)):
        enormous.put(Box((z, y, 5000), (z + 1, y + 20, 5020)), cell * (1 + z % 2))
    painting = check_labels(enormous, enormous.shape, task="cells", ndim=2)
    assert painting.ids == (7, 14)
    assert painting.counts == (400, 400)
    inside = SparseArray(enormous.shape, bool)
    inside.put(Box((3, 90, 4990), (4, 130, 5030)), np.ones((1, 40, 40), bool))
    semantic = check_labels(enormous, enormous.shape, task="semantic", annotated=inside)
    assert semantic.counts == (1200, 400, 400)


def test_the_box_of_what_is_painted_is_that_of_a_dense_array(dense):
    sparse = SparseArray.of(dense)
    for array in (sparse, dense):
        box = painted_box([array], (6,))
        assert box == Box((299, 0), (300, 1))
        assert painted_box([array], (0,)) is None
