"""TIFF files that are damaged, malicious or none at all end in one clear error."""

import gc
import logging
import re
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from unet_napari.errors import ImageError, UnetNapariWarning
from unet_napari.images import read_image

RNG = np.random.default_rng(0)


STACK = RNG.integers(0, 4000, (6, 40, 50), dtype=np.uint16)


@pytest.fixture
def write(write_tiff):
    return write_tiff


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"not a picture", "not a TIFF file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(90), "not a TIFF file"),
        (b"II*\0", "damaged"),
        (b"II*\0" + b"\xff" * 60, "damaged"),
        (b"II*\0\x08\0\0\0\0\0" + bytes(20), "a type of pixels that no program knows"),
    ],
)
def test_what_is_no_tiff(tmp_path, content, message):
    path = tmp_path / "renamed.tif"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=rf"renamed\.tif (is|has) .*{message}"):
        read_image(path)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(ImageError, match=r"none\.tif does not exist"):
        read_image(tmp_path / "none.tif")
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image(tmp_path / ("x" * 5000))


def test_a_file_that_must_not_be_read(write, monkeypatch):
    path = write(STACK)

    def deny(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", deny)
    with pytest.raises(ImageError, match=r"image\.tif cannot be opened: Permission denied"):
        read_image(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_truncated_file_is_refused_when_it_is_opened(write, compression):
    path = write(STACK, compression=compression, imagej=True, metadata={"axes": "ZYX"})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    with pytest.raises(ImageError, match=r"image\.tif is (truncated|damaged)"):
        read_image(path)


READ = """
import sys
from unet_napari.errors import ImageError
from unet_napari.images import read_image
try:
    read_image(sys.argv[1])
except ImageError as error:
    print(error)
"""


def test_a_damaged_file_prints_nothing_besides_our_message(write):
    path = write(STACK, metadata=None)
    path.write_bytes(path.read_bytes()[:-1000])
    command = [sys.executable, "-c", READ, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert done.stderr == ""
    assert "truncated" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_an_imagej_stack_with_one_header_is_truncated(raw_tiff):
    header = b"ImageJ=1.53\nimages=3\nslices=3\n\0"
    path = raw_tiff(8, 8, pixels=bytes(100), description=header)
    with pytest.raises(ImageError, match="truncated: it announces 3 planes"):
        read_image(path)


def test_pages_that_point_in_a_circle(write):
    path = write(STACK[:2], metadata=None)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        place, first = tif.pages.next_page_offset, tif.pages[0].offset
    content[place : place + 4] = first.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"image\.tif is (truncated or )?damaged"):
        read_image(path)


def test_a_damaged_chunk_is_an_error_when_it_is_read(write):
    path = write(STACK, compression="zlib")
    with tifffile.TiffFile(path) as tif:
        start = tif.pages[3].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[start : start + 40] = b"\xff" * 40
    path.write_bytes(content)
    image = read_image(path)
    np.testing.assert_array_equal(image.select(Z=2).read()[0], STACK[2])
    with pytest.raises(ImageError, match=r"image\.tif cannot be read"):
        image.select(Z=3).read()


@pytest.fixture
def little_memory():
    """Let the process have 1 GiB more than it has, so that a bomb would be a MemoryError."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("measures memory through /proc")
    now = int(statm.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**30, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


OME = (
    b'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    b'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="8" '
    b'SizeY="8" SizeZ="1" SizeC="1" SizeT="2147483647"><TiffData/></Pixels></Image></OME>\0'
)


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        (2**31 - 1, {"pixels": b"\0" * 64}, "truncated"),
        (60_000, {"pixels": zlib.compress(bytes(999)), "compression": 8}, "more than its"),
        (60_000, {"pixels": b"\0" * 64, "compression": 5}, "more than its"),
        (60_000, {"pixels": b"\0" * 64, "compression": 50000}, "more than its"),
        (
            8,
            {"pixels": bytes(64), "compression": 51234},
            "number 51234. that tifffile .* does not read here: update",
        ),
        (8, {"pixels": bytes(64), "compression": 8, "tags": {279: (4, 2**32 - 1)}}, "truncated"),
        (8, {"pixels": bytes(64), "tags": {273: (4, 2**32 - 1, 8)}}, "damaged"),
        (8, {"pixels": bytes(64), "tags": {277: (3, 65535)}}, "truncated|damaged|plain|axes"),
        (8, {"pixels": bytes(64), "description": OME}, "announces 2147483647 planes"),
        (8, {"pixels": bytes(64), "description": b'{"shape": [2147483647, 8, 8]}\0'}, "truncated"),
        (0, {"pixels": bytes(64)}, "empty"),
    ],
)
def test_a_bomb_is_refused_before_memory_is_set_aside(
    raw_tiff, little_memory, size, options, message
):
    path = raw_tiff(size, size, **options)
    with pytest.raises(ImageError, match=rf"raw\.tif.*({message})"):
        read_image(path)


def test_a_harmless_raw_file_is_read(raw_tiff):
    path = raw_tiff(8, 4, pixels=bytes(range(32)))
    np.testing.assert_array_equal(read_image(path).read().ravel(), range(32))


def test_an_empty_looking_but_well_compressed_image_is_no_bomb(write):
    black = np.zeros((3000, 4000), np.uint8)
    path = write(black, compression="zlib", rowsperstrip=3000)
    assert path.stat().st_size < 20_000
    assert read_image(path).read().shape == (1, 3000, 4000)


@pytest.mark.parametrize("tile", [(64, 64), None])
def test_a_jpeg_tile_that_says_it_is_huge_is_refused(write, little_memory, tile):
    colours = RNG.integers(0, 255, (128, 128, 3), dtype=np.uint8)
    path = write(colours, photometric="rgb", compression="jpeg", tile=tile)
    read_image(path).read()
    content = bytearray(path.read_bytes())
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = b"\x80\x80\x80\x80"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"image\.tif cannot be read: .*1082146816"):
        read_image(path).read()


REFUSED = {
    "crash-0c7e0e8e11ce787078f00b5b0ca409a167f070e0.tif": "truncated",
    "crash-338516dbd2f0e83caddb8ce256c22db3bd6dc40f.tif": "truncated",
    "garbage_after_header.tif": "damaged",
    "rgb_3D.tif": "75 x 2 x 75 x 75 .*--axes",
    "seek_too_large.tif": "damaged",
    "text_renamed.tif": "not a TIFF file",
    "truncated_60pct.tif": "truncated",
    "zero_bytes.tif": "an empty file",
}
# Fax is read by tifffile 2026.3.3 with imagecodecs 2026.3.6, which is more than images need.
try:
    tifffile.TIFF.DECOMPRESSORS[4]
except KeyError:
    for fax in ("g4_orientation_5.tif", "total-pages-zero.tif"):
        REFUSED[fax] = "update tifffile and imagecodecs"


@pytest.mark.filterwarnings("ignore:.* holds 2 images:unet_napari.errors.UnetNapariWarning")
def test_every_odd_file_is_an_image_or_one_error(shared_data):
    lines = (shared_data / "oddtiff" / "INDEX.tsv").read_text().splitlines()
    assert len(lines) > 50
    for line in lines:
        path, _, verdict = line.split("\t")
        name = path.split("/")[-1]
        if name in REFUSED:
            with pytest.raises(ImageError, match=f"{re.escape(name)}.*{REFUSED[name]}"):
                read_image(shared_data / path)
        else:
            shape = tuple(map(int, verdict.split()[1].split("x")))
            image = read_image(shared_data / path)
            assert image.data.shape == shape, name
            assert np.asarray(image.data[...]).shape == shape, name
    gc.collect()  # an unclosed file would warn


@pytest.mark.parametrize(
    ("name", "axes", "pixel_size"),
    [
        ("NEUBIAS/xyzc_8bit_spheres.tif", "ZCYX", None),
        ("NEUBIAS/xyt_8bit_polyp.tif", "TYX", None),
        ("NEUBIAS/xy_rgb__cells.tif", "YXC", None),
        (
            "NEUBIAS/xyz_8bit__mitotic_plate_calibrated.tif",
            "ZYX",
            {"Z": 3, "Y": 0.0852, "X": 0.0852},
        ),
        ("derived/tczyx.ome.tif", "TCZYX", {"Z": 1.75, "Y": 0.8, "X": 0.8}),
        ("derived/tzcyx_imagej.tif", "TZCYX", {"Z": 1.75, "Y": 0.8, "X": 0.8}),
        ("image-rs/planar-rgb-u8.tif", "CYX", {}),
        ("AdaptiveMotorControlLab/c5image.tif", "ZYX", {}),
    ],
)
def test_real_files_say_what_they_are(shared_data, name, axes, pixel_size):
    image = read_image(shared_data / "oddtiff" / name)
    assert image.axes == axes
    if pixel_size is not None:
        assert image.pixel_size == pytest.approx(pixel_size, rel=1e-3)


def test_damage_anywhere_is_an_image_error(tmp_path, write, caplog):
    """Flip bytes all over a file: right or wrong pixels, or an ImageError; nothing else."""
    caplog.set_level(logging.CRITICAL)
    path = write(
        STACK[:3, :16, :16],
        name="image.ome.tif",
        compression="zlib",
        metadata={"axes": "ZYX", "PhysicalSizeX": 0.5},
    )
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.integers(0, rng.choice([300, len(content)]), 2):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnetNapariWarning)
                image = read_image(path)
            if np.prod(image.data.shape, dtype=float) < 2**24:
                image.select(T=0).read()
            outcomes["read"] += 1
        except ImageError:
            outcomes["refused"] += 1
    gc.collect()
    assert min(outcomes.values()) > 10
