"""Files that would keep tifffile busy for hours, or ask for gigabytes, are refused at once."""

import contextlib
import struct
import tracemalloc

import imagecodecs
import numpy as np
import pytest
import tifffile

from unet_napari.errors import ImageError
from unet_napari.images import read_image


def next_directory(data, offset):
    """Return where a little-endian directory says where the next one is."""
    return offset + 2 + 12 * struct.unpack_from("<H", data, offset)[0]


@pytest.mark.parametrize("back_to", [0, 1, 2])
def test_pages_that_go_in_a_circle(tmp_path, back_to):
    path = tmp_path / "circle.tif"
    with tifffile.TiffWriter(path) as tif:
        for size in (8, 9, 10):
            tif.write(np.ones((size, 8), np.uint8), metadata=None)
    with tifffile.TiffFile(path) as tif:
        offsets = [page.offset for page in tif.pages]
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, next_directory(data, offsets[-1]), offsets[back_to])
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"circle\.tif is damaged: its pages point to each other"):
        read_image(path)


def test_a_page_that_claims_gigabytes_asks_for_what_the_file_has(tmp_path, monkeypatch):
    path = tmp_path / "claim.tif"
    stack = np.random.default_rng(0).integers(0, 9, (3, 16, 16), np.uint8)
    tifffile.imwrite(path, stack, compression="zlib", photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[1].tags["StripByteCounts"].offset
    data = bytearray(path.read_bytes())
    struct.pack_into("<HII", data, offset + 2, 4, 1, 2**31)
    path.write_bytes(data)
    asked = []
    read = tifffile.FileHandle.read
    monkeypatch.setattr(
        tifffile.FileHandle, "read", lambda file, size=-1: asked.append(size) or read(file, size)
    )
    image = read_image(path)
    np.testing.assert_array_equal(image.select(Z=0).read()[0], stack[0])
    image.select(Z=1).read()  # zlib stops at the end of its own data
    assert max(asked) <= len(data)


def test_an_index_of_micromanager_that_announces_billions_of_planes(monkeypatch, tmp_path):
    path = tmp_path / "run_MMStack.tif"
    tifffile.imwrite(path, np.ones((8, 8), np.uint8))
    index = np.array([[0, 0, 0, 0, 8], [65535, 65535, 9, 0, 8]], np.uint32)
    found = {"MajorVersion": 0, "Summary": {"Frames": 1}, "IndexMap": index}
    monkeypatch.setattr(tifffile.TiffFile, "micromanager_metadata", found)
    with pytest.raises(ImageError, match="announces 42949672960 planes in its index"):
        read_image(path)


def test_a_picture_that_claims_gigabytes_asks_for_what_the_file_has(tmp_path):
    path = tmp_path / "claim.png"
    data = bytearray(imagecodecs.png_encode(np.arange(4096, dtype=np.uint8).reshape(64, 64)))
    place = data.index(b"IDAT")
    data[place - 4 : place] = (2**31 - 1).to_bytes(4, "big")
    path.write_bytes(data[:-40])
    image = read_image(path)
    tracemalloc.start()
    with contextlib.suppress(ImageError):
        image.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24
