"""Zarr folders that are damaged, malicious or none at all end in one clear error."""

import json

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, ZstdCodec

from unet_napari.errors import ImageError
from unet_napari.images import read_image
from zarr_images import CZYX, STACK


@pytest.fixture
def unopened(monkeypatch):
    """Fail if zarr is asked to open an array."""

    def opened(*args, **kwargs):
        pytest.fail("zarr opened the array")

    monkeypatch.setattr(zarr, "open_array", opened)


def spoil(path, **changes):
    """Change entries of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "|O", "filters": [{"id": "pickle"}]},
        {"dtype": "|O"},
        {"dtype": [["a", "<i4"]]},
        {"dtype": "<U4"},
        {"dtype": "<c8"},
        {"dtype": None},
    ],
)
def test_what_is_not_numbers_is_refused_before_zarr_opens_it(tmp_path, unopened, changes):
    path = tmp_path / "array.zarr"
    zarr.save_array(str(path), STACK[0], zarr_format=2)
    spoil(path / ".zarray", **changes)
    with pytest.raises(ImageError, match=r"array\.zarr does not hold plain numbers"):
        read_image(path)


@pytest.mark.parametrize(
    "changes",
    [{"filters": [{"id": "pickle"}]}, {"compressor": {"id": "Pickle", "protocol": 5}}],
)
def test_pickles_are_refused_before_zarr_opens_them(tmp_path, unopened, changes):
    path = tmp_path / "array.zarr"
    zarr.save_array(str(path), STACK[0], zarr_format=2)
    spoil(path / ".zarray", **changes)
    with pytest.raises(ImageError, match="Python pickles"):
        read_image(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"codecs": [{"name": "numcodecs.pickle"}]},
        {"data_type": "string"},
        {"data_type": {"name": "struct"}},
        {"data_type": "complex64"},
    ],
)
def test_zarr_3_is_looked_at_too(tmp_path, unopened, changes):
    path = tmp_path / "array.zarr"
    zarr.save_array(str(path), STACK[0], zarr_format=3)
    spoil(path / "zarr.json", **changes)
    with pytest.raises(ImageError, match=r"Python pickles|plain numbers"):
        read_image(path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", "[" * 100_000, '{"node_type": "array", "data_type": "uint8"}'],
    ids=["nothing", "open", "list", "number", "null", "deep", "incomplete"],
)
def test_damaged_metadata(tmp_path, text):
    path = tmp_path / "array.zarr"
    path.mkdir()
    (path / "zarr.json").write_text(text)
    with pytest.raises(ImageError, match=r"array\.zarr"):
        read_image(path)


@pytest.mark.parametrize(
    "multiscales",
    [
        7,
        [7],
        [{}],
        [{"datasets": []}],
        [{"datasets": [{"path": "full"}], "axes": [{}]}],
        [{"datasets": [{"path": "full"}], "axes": [7]}],
        [{"datasets": [{"path": "missing"}], "axes": ["y", "x"]}],
        [{"datasets": [{"path": "full", "coordinateTransformations": [{}]}]}],
        [
            {
                "datasets": [
                    {
                        "path": "full",
                        "coordinateTransformations": [{"type": "scale", "scale": [1]}],
                    }
                ]
            }
        ],
    ],
)
def test_damaged_ome_metadata(ome_zarr, multiscales):
    path = ome_zarr()
    spoil(path / "zarr.json", attributes={"ome": {"multiscales": multiscales}})
    with pytest.raises(ImageError, match=r"image\.zarr"):
        read_image(path)


def test_axes_that_do_not_fit_the_array(ome_zarr):
    with pytest.raises(ImageError, match=r"image\.zarr.*name 3 axes, but the image has 4"):
        read_image(ome_zarr(axes=CZYX[1:], scale=(1, 1, 1)))


def test_a_size_that_no_disk_holds_is_damage(tmp_path):
    path = tmp_path / "array.zarr"
    zarr.create_array(str(path), data=STACK[0], chunks=(1, 20, 30), zarr_format=2)
    header = json.loads((path / ".zarray").read_text())
    (path / ".zarray").write_text(json.dumps(header | {"shape": [10**30, 20, 30]}))
    with pytest.raises(ImageError, match=r"array\.zarr says that its size is .* are damaged"):
        read_image(path)


def test_chunks_too_large_to_decode(tmp_path):
    path = tmp_path / "array.zarr"
    zarr.create_array(str(path), shape=(100, 2**20, 2**20), chunks=(1, 2**16, 2**16), dtype="u1")
    with pytest.raises(ImageError, match="chunks of more than 1 GiB"):
        read_image(path)


def test_a_damaged_chunk_is_an_error_when_it_is_read(tmp_path):
    path = tmp_path / "array.zarr"
    zarr.create_array(str(path), data=STACK[0], chunks=(1, 20, 30))
    (path / "c" / "2" / "0" / "0").write_bytes(b"nonsense")
    image = read_image(path)
    np.testing.assert_array_equal(image.select(Z=1).read()[0], STACK[0, 1])
    with pytest.raises(ImageError, match=r"array\.zarr cannot be read"):
        image.read()


def test_a_file_is_no_zarr(tmp_path):
    path = tmp_path / "array.zarr"
    path.write_text("hello")
    with pytest.raises(ImageError, match="not a TIFF file"):
        read_image(path)


@pytest.mark.parametrize(
    ("codec", "place", "value"),
    [
        ({"compressors": BloscCodec()}, 4, (2**31 - 1).to_bytes(4, "little")),
        ({"compressors": ZstdCodec()}, 4, b"\xe0" + (2**40).to_bytes(8, "little")),
        ({"compressors": numcodecs.LZ4(), "zarr_format": 2}, 0, b"\xff\xff\xff\x7f"),
    ],
    ids=["blosc", "zstd", "lz4"],
)
def test_a_chunk_that_announces_gigabytes_is_refused_before_room_is_made(
    tmp_path, codec, place, value
):
    path = tmp_path / "array.zarr"
    zarr.create_array(str(path), data=STACK[0], chunks=(5, 20, 30), **codec)
    np.testing.assert_array_equal(read_image(path).read()[0], STACK[0])
    chunk = path / ("0.0.0" if "zarr_format" in codec else "c/0/0/0")
    data = bytearray(chunk.read_bytes())
    data[place : place + len(value)] = value
    chunk.write_bytes(data)
    with pytest.raises(ImageError, match=r"announces [0-9]+ bytes, and is damaged"):
        read_image(path).read()


def test_a_chunk_that_says_it_is_longer_than_it_is_never_reaches_the_decoder(tmp_path):
    """Blosc would read beyond the end of it, which ended the process."""
    path = tmp_path / "array.zarr"
    zarr.create_array(str(path), data=STACK[0], chunks=(5, 20, 30), compressors=BloscCodec())
    chunk = path / "c/0/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(ImageError, match="is shorter than it says, and is damaged"):
        read_image(path).read()


def test_an_empty_chunk_in_a_shard_is_no_damage(tmp_path):
    path = tmp_path / "array.zarr"
    data = np.zeros((40, 40), np.uint16)
    data[20:, 20:] = np.arange(400).reshape(20, 20)
    zarr.create_array(
        str(path), data=data, chunks=(20, 20), shards=(40, 40), compressors=BloscCodec()
    )
    image = read_image(path)
    part = slice(22, 36), slice(25, 31)
    np.testing.assert_array_equal(image.read(part)[0], data[part])
    np.testing.assert_array_equal(image.read()[0], data)
