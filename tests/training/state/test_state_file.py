"""A state file comes back as it was, and damage to it is told."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from unet_napari.errors import ModelFileError
from unet_napari.geometry import Box
from unet_napari.labels.sparse import SparseArray
from unet_napari.training.state.state_file import (
    open_state,
    painted_in_state,
    read_state_head,
    state_beside,
    write_state,
)
from unet_napari.training.state.state_head import PairHead, StateHead, TrainingCurve
from unet_napari.training.state.stored_paint import PackedPaint, unpack_paint

IMAGE = PairHead("cells", None, "ab12", (300, 40), 7, (9,))
HEAD = StateHead("cells", "/models/cells.unet", "cells", 2, 30, 4.5, 0.5, "AP50",
                 TrainingCurve(((1, 0.9), (30, 0.1)), ((20, 0.5),)), {"task": "cells"},
                 (IMAGE,))  # fmt: skip


def told(head):
    return json.loads(json.dumps(head, default=vars))


@pytest.fixture
def labels():
    array = np.zeros(IMAGE.shape, np.int32)
    array[290:297, 3] = 70_000
    return array


@pytest.fixture
def path(tmp_path, labels):
    path = tmp_path / "cells.state"
    paint = PackedPaint().pack("labels.0", SparseArray.of(labels))
    weights = {"network.a": np.arange(6, dtype=np.float32).reshape(2, 3)}
    write_state(path, {"head": told(HEAD), "dtypes": ["int32"]}, weights | paint)
    return path


def test_the_head_is_read_as_it_was(path):
    assert read_state_head(path) == HEAD
    assert read_state_head(path).painted == (7,)


def test_paint_is_read_as_it_was(path, labels):
    found, annotated = painted_in_state(path, 0)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found[...], labels)
    assert annotated is None
    with pytest.raises(ModelFileError, match="has 1 images, and none of number 1"):
        painted_in_state(path, 1)


def test_arrays_are_read_by_their_names(path):
    with open_state(path) as file:
        np.testing.assert_array_equal(file.read("network.a"), [[0, 1, 2], [3, 4, 5]])
        assert set(file.read_all("network.")) == {"a"}
        assert file.names >= {"network.a", "labels.0.boxes"}
    with pytest.raises(ModelFileError, match=r"lacks 'network\.b'"), open_state(path) as file:
        file.read("network.b")


def test_a_state_lies_beside_its_model(tmp_path):
    assert state_beside(tmp_path / "my.cells.unet") == tmp_path / "my.cells.state"


def test_another_format_is_told(path):
    content = path.read_bytes()
    with pytest.raises(ModelFileError, match="There is no training to continue"):
        read_state_head(path.with_name("none.state"))
    write_state(path, {"format": 2, "head": {}}, {})
    message = r"cannot be continued: it is of format 2, and this version .* Start over"
    with pytest.raises(ModelFileError, match=message):
        read_state_head(path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelFileError, match="cannot be continued: it is damaged"):
        read_state_head(path)


def test_a_model_is_no_state(path):
    from unet_napari.model.info import find_model

    with pytest.raises(ModelFileError, match="no state of a training"):
        read_state_head(find_model("nuclei"))


def test_every_byte_is_checked(path):
    content = bytearray(path.read_bytes())

    def read_everything():
        read_state_head(path)
        painted_in_state(path, 0)
        with open_state(path) as file:
            file.read("network.a")

    read_everything()
    for place in np.random.default_rng(0).integers(0, len(content), 60):
        damaged = bytearray(content)
        damaged[place] ^= 0x41
        path.write_bytes(damaged)
        try:
            read_everything()
        except ModelFileError:
            continue
        assert content[place] in b" \n", place  # what stands between the parts of a header


@given(
    arrays(np.uint8, array_shapes(min_dims=2, max_dims=3, max_side=9), elements=st.integers(0, 3))
)
def test_any_paint_comes_back(labels):
    packed = PackedPaint().pack("x", SparseArray.of(labels))
    np.testing.assert_array_equal(
        unpack_paint("x", labels.shape, labels.dtype, packed.__getitem__)[...], labels
    )


def test_changed_paint_is_packed_anew():
    labels = SparseArray((300, 300), np.int32)
    box = Box((10, 10), (20, 20))
    labels.put(box, np.full(box.shape, 5))
    packed = PackedPaint()
    packed.pack("x", labels)
    labels.put(box, np.full(box.shape, 6))
    packed.forget(box)
    again = unpack_paint("x", labels.shape, labels.dtype, packed.pack("x", labels).__getitem__)
    assert again[12, 12] == 6
