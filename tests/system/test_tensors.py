"""Arrays go into a safetensors file as they lie in memory, in an order that never changes."""

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from unet_napari.system.tensors import write_tensors

ARRAYS = {
    "rows": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "small": np.array([1, 255], np.uint8),
    "half": np.array([0.5, -2, 3], np.float16),
    "starts": np.array([0, 7]),
    "empty": np.empty((0, 5), np.float32),
    "é": np.array(1.5, np.float32),
}


def write(path, arrays, metadata):
    with path.open("wb") as file:
        write_tensors(file, arrays, metadata)
    return path


def test_safetensors_reads_what_is_written(tmp_path):
    metadata = {"b": "ö\n\"'", "a": ""}
    path = write(tmp_path / "a", ARRAYS, metadata)
    found = safetensors.numpy.load_file(path)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata() == metadata


def test_equal_arrays_make_equal_files_in_whatever_order_they_come(tmp_path):
    first = write(tmp_path / "a", ARRAYS, {"x": "1", "y": "2"}).read_bytes()
    again = dict(reversed(ARRAYS.items()))
    assert write(tmp_path / "b", again, {"x": "1", "y": "2"}).read_bytes() == first


def test_a_file_without_arrays_is_read(tmp_path):
    path = write(tmp_path / "a", {}, {"position": "{}"})
    assert safetensors.numpy.load_file(path) == {}


def test_a_type_that_is_not_written_is_an_error(tmp_path):
    with pytest.raises(KeyError):
        write(tmp_path / "a", {"x": np.zeros(2, complex)}, {})
