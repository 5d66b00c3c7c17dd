"""TIFF files of all kinds: what they say of themselves, and what is read of them."""

import gc
from pathlib import Path

import numpy as np
import pytest
import tifffile

from unet_napari.errors import ImageError, UnetNapariWarning
from unet_napari.images import as_image, read_image

RNG = np.random.default_rng(0)


STACK = RNG.integers(0, 4000, (6, 40, 50), dtype=np.uint16)


@pytest.fixture
def write(write_tiff):
    return write_tiff


def test_imagej_axes_and_pixel_size(write):
    path = write(
        STACK.reshape(3, 2, 40, 50),
        imagej=True,
        resolution=(4, 5),
        metadata={"axes": "ZCYX", "unit": "um", "spacing": 1.5},
    )
    image = read_image(path)
    assert image.axes == "ZCYX"
    assert image.pixel_size == pytest.approx({"Z": 1.5, "Y": 0.2, "X": 0.25})
    assert (image.name, image.source) == ("image", path)
    np.testing.assert_array_equal(image.read()[1], STACK[1::2])


def test_an_imagej_file_in_pixels_has_no_size(write):
    path = write(STACK, imagej=True, resolution=(1, 1), metadata={"axes": "ZYX", "unit": "pixel"})
    assert read_image(path).pixel_size == {}


def test_ome_axes_and_pixel_size(write):
    path = write(
        STACK.reshape(3, 2, 40, 50),
        name="image.ome.tif",
        metadata={
            "axes": "TZYX",
            "PhysicalSizeX": 250,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeZ": 2,
        },
    )
    with pytest.warns(UnetNapariWarning, match="along Y is not known"):
        image = read_image(path)
    assert image.axes == "TZYX"
    assert image.pixel_size == pytest.approx({"Z": 2, "X": 0.25})
    assert image.name == "image"
    np.testing.assert_array_equal(image.select(T=2).read()[0], STACK[4:])


def test_the_resolution_of_a_printer_is_no_pixel_size(write):
    path = write(STACK[0], resolution=(72, 72), resolutionunit="INCH")
    assert read_image(path).pixel_size == {}


def test_what_the_user_says_wins(write):
    path = write(STACK, imagej=True, metadata={"axes": "TYX", "unit": "um"}, resolution=(4, 4))
    assert read_image(path).frames == 6
    image = read_image(path, axes="zyx", pixel_size={"Z": 2})
    assert (image.axes, image.pixel_size) == ("ZYX", {"Z": 2, "Y": 0.25, "X": 0.25})


def test_pages_of_a_plain_file_are_planes(write):
    assert read_image(write(STACK[:2], metadata=None)).axes == "ZYX"


def test_more_axes_of_a_plain_file_are_asked_for(write):
    path = write(STACK.reshape(3, 2, 40, 50))
    with pytest.raises(ImageError, match=r"image\.tif: .* 3 x 2 x 40 x 50 .*--axes"):
        read_image(path)
    assert read_image(path, axes="ZCYX").channels == 2


@pytest.mark.parametrize(("planar", "axes"), [("contig", "YXC"), ("separate", "CYX")])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_rgb_is_three_channels(write, planar, axes, compression):
    colours = RNG.integers(0, 255, (40, 50, 3), dtype=np.uint8)
    stored = colours if planar == "contig" else colours.transpose(2, 0, 1)
    path = write(stored, photometric="rgb", planarconfig=planar, compression=compression)
    image = read_image(path)
    assert image.axes == axes
    np.testing.assert_array_equal(image.read(), colours.transpose(2, 0, 1))
    np.testing.assert_array_equal(read_image(path, channel=1).read()[0], colours[..., 1])


def test_a_missing_channel_is_named(write):
    with pytest.raises(ImageError, match=r"image\.tif: .*1 channel.*no channel 3"):
        read_image(write(STACK), channel=3)


def test_palette_and_inverted_images_keep_their_values(write):
    values = STACK[0].astype(np.uint8)
    colours = RNG.integers(0, 2**16, (3, 256), dtype=np.uint16)
    palette = write(values, photometric="palette", colormap=colours)
    np.testing.assert_array_equal(read_image(palette).read()[0], values)
    inverted = write(values, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(inverted).read()[0], values)


def test_uncompressed_pixels_are_mapped(write):
    assert isinstance(read_image(write(STACK)).data, np.memmap)


@pytest.mark.parametrize("options", [{"compression": "lzw"}, {"tile": (16, 32)}], ids=str)
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_only_the_chunks_of_a_region_are_decoded(write, options, byteorder, bigtiff, monkeypatch):
    path = write(STACK, **options, byteorder=byteorder, bigtiff=bigtiff, rowsperstrip=8)
    image = read_image(path)
    seen = []
    original = tifffile.FileHandle.read
    monkeypatch.setattr(
        tifffile.FileHandle, "read", lambda self, n=-1: seen.append(n) or original(self, n)
    )
    region = (slice(2, 4), slice(9, 15), slice(3, 30))
    np.testing.assert_array_equal(image.read(region)[0], STACK[region])
    assert 0 < len(seen) <= 2
    assert sum(seen) < STACK.nbytes / 6


def test_a_pyramid_is_read_at_full_resolution(tmp_path):
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(STACK[0], subifds=1, tile=(16, 16), photometric="minisblack")
        tif.write(STACK[0, ::2, ::2], subfiletype=1, tile=(16, 16), photometric="minisblack")
    np.testing.assert_array_equal(read_image(path).read()[0], STACK[0])


def test_an_image_in_several_ome_files_is_whole(tmp_path):
    names = ["t0.ome.tif", "t1.ome.tif"]
    data = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:{t}</UUID></TiffData>'
        for t, name in enumerate(names)
    )
    for t, name in enumerate(names):
        xml = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:{t}"><Image ID="Image:0"><Pixels ID="Pixels:0" Type="uint16" '
            'DimensionOrder="XYCZT" SizeX="50" SizeY="40" SizeZ="1" SizeC="1" SizeT="2" '
            f'PhysicalSizeX="0.5" PhysicalSizeY="0.5">{data}</Pixels></Image></OME>'
        )
        tifffile.imwrite(
            tmp_path / name, STACK[t], photometric="minisblack", metadata=None, description=xml
        )
    image = read_image(tmp_path / names[0])
    assert (image.axes, image.pixel_size) == ("TYX", {"Y": 0.5, "X": 0.5})
    for t in range(2):
        np.testing.assert_array_equal(image.select(T=t).read()[0], STACK[t])

    (tmp_path / names[1]).unlink()
    with pytest.warns(UnetNapariWarning, match="1 of 2 planes are missing"):
        image = read_image(tmp_path / names[0])
    assert not image.select(T=1).read().any()


def test_images_of_different_shape_in_one_file(tmp_path):
    path = tmp_path / "two.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(STACK[0], photometric="minisblack")
        tif.write(STACK[0, :20], photometric="minisblack")
    with pytest.warns(UnetNapariWarning, match=r"two\.tif holds 2 images"):
        image = read_image(path)
    np.testing.assert_array_equal(image.read()[0], STACK[0])


OPEN_FILES = Path("/proc/self/fd")


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="counts open files through /proc")
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_the_file_is_closed_with_the_last_reader(write, compression):
    path = write(STACK, compression=compression)

    def times_open():
        return sum(file.is_symlink() and file.readlink() == path for file in OPEN_FILES.iterdir())

    image = read_image(path).select(Z=1)
    image.read()
    assert times_open() == 1
    del image
    gc.collect()
    assert times_open() == 0


@pytest.mark.parametrize("dtype", ["c8", "c16"])
def test_complex_pixels_are_refused(write, dtype):
    with pytest.raises(ImageError, match=r"image\.tif does not hold plain numbers"):
        read_image(write(STACK[0].astype(dtype)))


def test_unicode_spaces_and_long_names(write):
    path = write(STACK, name="Zellkerne für Jürgen 核 " + "x" * 180 + ".tif")
    np.testing.assert_array_equal(as_image(str(path)).read()[0], STACK)
