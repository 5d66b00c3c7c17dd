"""The model file: what its reader refuses."""

import contextlib
import json
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from unet_napari.errors import ModelFileError, OutputError
from unet_napari.model.file import open_model_file, write_model_file
from unet_napari.model.schema import LARGEST_DESCRIPTION

DESCRIPTION = '{"format":1,"name":"Zellkerne \u00b5"}'
WEIGHTS = {
    "encoder.weight": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3),
    "batches": np.array(7, np.int64),
    "half": np.array([0.5, -2], np.float16),
    "empty": np.zeros((0, 3), np.float32),
}
PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def read_all(path):
    with open_model_file(path) as file:
        assert file.table().keys() == file.weights().keys()
        return file.description(), file.weights(), file.thumbnail()


def assert_same(found, description=DESCRIPTION, weights=WEIGHTS, picture=PICTURE):
    assert found[0] == description
    assert found[1].keys() == weights.keys()
    for name, array in weights.items():
        assert found[1][name].dtype == array.dtype
        np.testing.assert_array_equal(found[1][name], array, strict=True)
    np.testing.assert_array_equal(found[2], picture)


def header_of(data):
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def with_header(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.unet"
    write_model_file(path, DESCRIPTION, WEIGHTS, PICTURE)
    return path


def test_every_part_comes_back(path):
    assert_same(read_all(path))


def test_safetensors_reads_it_with_names_that_say_what_is_what(path):
    tensors = safetensors.numpy.load_file(path)
    assert tensors.keys() == {"thumbnail", *(f"network.{name}" for name in WEIGHTS)}
    np.testing.assert_array_equal(tensors["network.half"], WEIGHTS["half"])
    np.testing.assert_array_equal(tensors["thumbnail"], PICTURE)


def test_a_file_written_by_safetensors_is_read(path, tmp_path):
    metadata = header_of(path.read_bytes())[0]["__metadata__"]
    assert json.loads(metadata["unet-napari"])["name"] == "Zellkerne \u00b5"
    safetensors.numpy.save_file(
        safetensors.numpy.load_file(path), tmp_path / "again.unet", metadata
    )
    assert_same(read_all(tmp_path / "again.unet"))


def test_every_array_is_aligned_to_its_type(path):
    header, _ = header_of(path.read_bytes())
    start = int.from_bytes(path.read_bytes()[:8], "little") + 8
    for name, entry in header.items():
        if name != "__metadata__":
            width = {"I64": 8, "F32": 4, "F16": 2, "U8": 1}[entry["dtype"]]
            assert (start + entry["data_offsets"][0]) % width == 0


def test_the_thumbnail_may_be_absent(tmp_path):
    write_model_file(tmp_path / "plain.unet", DESCRIPTION, WEIGHTS)
    assert read_all(tmp_path / "plain.unet")[2] is None


def test_equal_parts_make_equal_files(path, tmp_path):
    write_model_file(tmp_path / "again.unet", DESCRIPTION, dict(reversed(WEIGHTS.items())), PICTURE)
    assert (tmp_path / "again.unet").read_bytes() == path.read_bytes()


def test_no_bit_can_flip_unnoticed(path):
    write_model_file(path, '{"é":[]}', {"a": WEIGHTS["half"]}, PICTURE[:1, :1])
    good = path.read_bytes()
    for position in range(8 * len(good)):
        bad = bytearray(good)
        bad[position // 8] ^= 1 << position % 8
        path.write_bytes(bad)
        with pytest.raises(ModelFileError):
            read_all(path)


def test_no_truncation_goes_unnoticed(path):
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(ModelFileError):
            read_all(path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda good: b"#!/bin/sh\n" + good, id="prefix"),
        pytest.param(lambda good: good + b"\0", id="appended"),
        pytest.param(lambda good: good + good, id="twice"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\x80\x04cos\nsystem\n(S'true'\ntR.", id="pickle"),
        pytest.param(lambda _: bytes(range(256)) * 2, id="noise"),
        pytest.param(lambda _: with_header(b"[" * 100_000), id="deep"),
        pytest.param(lambda _: with_header(b"[1, 2]"), id="list"),
        pytest.param(lambda _: with_header(b'{"a": 1}'), id="number"),
        pytest.param(lambda _: with_header(b"{}"), id="nothing"),
    ],
)
def test_a_file_that_is_something_else_is_refused(path, change):
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ModelFileError, match=r"model\.unet.*A model is a \.unet file"):
        read_all(path)


def test_a_file_of_the_form_before_the_first_release_is_called_so(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.json", "{}")
    with pytest.raises(ModelFileError, match=r"before the first release.*train the model again"):
        read_all(path)


def test_a_safetensors_file_of_others_is_called_so(path):
    safetensors.numpy.save_file(WEIGHTS, path)
    with pytest.raises(ModelFileError, match="holds no description of a model"):
        read_all(path)


@pytest.mark.parametrize(
    "checksums", ["", "[]", "null", "{}", "[" * 5000, '{"description": 5}', '{"weights": []}']
)
def test_damaged_checksums_are_refused(path, checksums):
    header, data = header_of(path.read_bytes())
    header["__metadata__"]["crc32"] = checksums
    path.write_bytes(with_header(header, data))
    with pytest.raises(ModelFileError, match="checksum"):
        read_all(path)


@pytest.mark.parametrize(
    "foreign", ["../evil", "/evil", "C:\\evil", "weight", "network", "Thumbnail", "m\u00f6glich"]
)
def test_names_that_are_no_part_of_a_model_are_refused_and_nothing_is_extracted(
    path, tmp_path, monkeypatch, foreign
):
    monkeypatch.chdir(tmp_path)
    header, data = header_of(path.read_bytes())
    end = len(data)
    header[foreign] = {"dtype": "U8", "shape": [4], "data_offsets": [end, end + 4]}
    path.write_bytes(with_header(header, data + b"evil"))
    with pytest.raises(ModelFileError, match="no part of a model"):
        read_all(path)
    assert list(tmp_path.rglob("*")) == [path]


def test_names_that_are_there_twice_are_refused(path):
    header, data = header_of(path.read_bytes())
    text = json.dumps(header)
    entry = json.dumps({"network.half": header["network.half"]})[1:-1]
    for doubled in (text[:-1] + ", " + entry + "}", "{" + entry + ", " + text[1:]):
        path.write_bytes(with_header(doubled.encode(), data))
        with contextlib.suppress(ModelFileError):
            assert_same(read_all(path))  # the same entry twice says nothing new
    other = entry.replace("[2]", "[1]").replace('"F16"', '"F32"')
    path.write_bytes(with_header((text[:-1] + ", " + other + "}").encode(), data))
    with pytest.raises(ModelFileError):
        read_all(path)


def peak_of_refusal(path, match=None):
    tracemalloc.start()
    with pytest.raises(ModelFileError, match=match):
        read_all(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("size", [0, 1, 1 << 20, 1 << 30, 1 << 62, (1 << 64) - 1])
def test_a_false_size_of_the_header_is_refused_unallocated(path, size):
    path.write_bytes(struct.pack("<Q", size) + path.read_bytes()[8:])
    assert peak_of_refusal(path) < 1 << 20


@pytest.mark.parametrize("size", [1, 5, 1 << 30, 1 << 62, (1 << 64) - 1])
def test_a_false_size_of_a_tensor_is_refused_unallocated(path, size):
    good = header_of(path.read_bytes())
    for change in (
        {"shape": [size, 3]},
        {"data_offsets": [0, size]},
        {"shape": [size], "data_offsets": [0, 4 * size]},
    ):
        header = good[0] | {"network.encoder.weight": good[0]["network.encoder.weight"] | change}
        path.write_bytes(with_header(header, good[1]))
        assert peak_of_refusal(path) < 1 << 20


def test_tensors_that_overlap_are_refused(path):
    header, data = header_of(path.read_bytes())
    header["network.half"]["data_offsets"] = [0, 4]
    path.write_bytes(with_header(header, data))
    with pytest.raises(ModelFileError):
        read_all(path)


def test_a_bloated_header_is_refused_unread(path):
    header, data = header_of(path.read_bytes())
    path.write_bytes(with_header(json.dumps(header).encode() + b" " * (4 << 20), data))
    assert peak_of_refusal(path, "its header is said to have") < 1 << 20
    header["__metadata__"]["unet-napari"] = " " * (2 << 20)
    path.write_bytes(with_header(header, data))
    with pytest.raises(ModelFileError, match="at most 1,048,576"):
        read_all(path)


def test_a_hundred_thousand_tensors_are_refused_unread(path):
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = header_of(path.read_bytes())[0]["__metadata__"]
    many = {"__metadata__": header} | {f"network.{n}": entry for n in range(100_000)}
    path.write_bytes(with_header(many))
    assert peak_of_refusal(path, "its header is said to have") < 1 << 20


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((1025, 1, 3), np.uint8),
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((), np.uint8),
    ],
)
def test_an_impossible_thumbnail_is_refused(path, tmp_path, picture):
    with pytest.raises(OutputError, match="thumbnail"):
        write_model_file(tmp_path / "bad.unet", DESCRIPTION, WEIGHTS, picture)
    metadata = header_of(path.read_bytes())[0]["__metadata__"]
    safetensors.numpy.save_file({"thumbnail": picture}, path, metadata)
    with (
        open_model_file(path) as file,
        pytest.raises(ModelFileError, match="its thumbnail is no small RGB picture, but"),
    ):
        file.thumbnail()


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    many = {f"{n:0200}": np.zeros(0, np.float32) for n in range(5000)}
    with pytest.raises(OutputError, match="too many layers"):
        write_model_file(tmp_path / "a.unet", DESCRIPTION, many)
    assert list(tmp_path.iterdir()) == []
    most = {f"{n:0100}": np.zeros(0, np.float32) for n in range(5200)}
    write_model_file(tmp_path / "a.unet", "\u00e9" * (LARGEST_DESCRIPTION // 2), most)
    assert len(read_all(tmp_path / "a.unet")[1]) == 5200


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    with pytest.raises(ModelFileError, match="There is no model file"):
        read_all(tmp_path / "absent.unet")
    with pytest.raises(ModelFileError, match="not a file"):
        read_all(tmp_path)
    with pytest.raises(ModelFileError, match="null character"):
        read_all(Path("a\0b"))
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_all(tmp_path / ("long" * 100))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.unet")
        with pytest.raises(ModelFileError, match="not a file"):
            read_all(tmp_path / "pipe.unet")
