from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from unet_napari.geometry import Box
from unet_napari.labels.background import part_background
from unet_napari.labels.sparse import SparseArray

LABELS = arrays(np.uint16, array_shapes(min_dims=2, max_dims=3), elements=st.integers(0, 4))


@pytest.mark.parametrize("kind", [np.asarray, SparseArray.of])
@given(labels=LABELS, number=st.integers(1, 5))
def test_the_number_is_background_and_no_cell(kind, labels, number):
    cells, known = part_background(kind(labels), None, number)
    assert np.array_equal(cells[...], np.where(labels == number, 0, labels))
    assert np.array_equal(known[...], labels == number)
    assert (cells.shape, cells.dtype) == (labels.shape, labels.dtype)
    assert (known.shape, known.dtype) == (labels.shape, bool)


@pytest.mark.parametrize("kind", [np.asarray, SparseArray.of])
@given(labels=LABELS, data=st.data())
def test_what_was_annotated_otherwise_stays_so(kind, labels, data):
    region = data.draw(arrays(np.uint8, labels.shape, elements=st.integers(0, 1)))
    _, known = part_background(kind(labels), region, 3)
    assert np.array_equal(known[...], (labels == 3) | (region == 1))


def test_sparse_labels_stay_sparse():
    labels = SparseArray((4, 4096, 4096), np.uint16)
    labels.put(Box((2, 0, 0), (3, 8, 8)), np.full((1, 8, 8), 7, np.uint16))
    cells, known = part_background(labels, None, 7)
    assert cells.nbytes == 0
    assert known.nbytes == 256 * 256
    assert list(known.boxes((2,))) == [Box.whole((256, 256))]
