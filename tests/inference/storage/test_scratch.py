"""Arrays in files are written and read like arrays in memory."""

import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari.errors import ResourceError
from unet_napari.inference.storage import scratch
from unet_napari.inference.storage.scratch import DiskArray, Room


@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(1, 9), min_size=2, max_size=4).map(tuple),
    rows=st.integers(0, 1),
    dtype=st.sampled_from([np.uint8, np.uint32]),
    data=st.data(),
)
def test_boxes_are_those_of_an_array(shape, rows, dtype, data):
    with tempfile.TemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(scratch, "_BYTES_MAPPED", data.draw(st.integers(1, 200)))
        array, expected = DiskArray(file, shape, dtype, rows), np.zeros(shape, dtype)
        for value in range(1, 4):
            starts = [data.draw(st.integers(0, size - 1)) for size in shape]
            box = tuple(
                slice(a, data.draw(st.integers(a + 1, n)))
                for a, n in zip(starts, shape, strict=True)
            )
            values = np.arange(expected[box].size).reshape(expected[box].shape) + value
            array[box] = values
            expected[box] = values
            np.testing.assert_array_equal(array[box], expected[box])
        np.testing.assert_array_equal(array[()], expected)


def test_only_what_does_not_fit_the_memory_lies_on_disk():
    with Room(1000) as place:
        assert isinstance(place.array((30, 30), np.uint8), np.ndarray)
        second = place.array((2, 30, 30), np.uint8, rows=1)
        assert isinstance(second, DiskArray)
        second[:, :, 3:4] = np.full((2, 30, 1), 7)
        assert second[()].sum() == 2 * 30 * 7


def test_too_little_disk_is_named(monkeypatch):
    free = type("Usage", (), {"free": 100})
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda _: free)
    with Room(0) as place, pytest.raises(ResourceError, match="TMPDIR"):
        place.array((30, 30), np.uint8)
