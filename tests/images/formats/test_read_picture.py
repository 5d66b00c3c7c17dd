"""PNG, JPEG and BMP files."""

import warnings

import imagecodecs
import numpy as np
import PIL.Image
import pytest

from unet_napari.errors import ImageError, UnetNapariWarning
from unet_napari.images import read_image

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 255, (20, 24), dtype=np.uint8)
COLOURS = RNG.integers(0, 255, (20, 24, 3), dtype=np.uint8)
OPAQUE = np.full((20, 24, 1), 255, np.uint8)


@pytest.fixture
def save(tmp_path):
    """Save an array as a picture and return the path."""

    def save(array, name="picture.png", **options):
        path = tmp_path / name
        PIL.Image.fromarray(array).save(path, **options)
        return path

    return save


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG"])
def test_grays_and_colours_are_kept(save, suffix):
    gray = read_image(save(GRAY, f"gray{suffix}"))
    assert (gray.axes, gray.name, gray.pixel_size) == ("YX", "gray", {})
    np.testing.assert_array_equal(gray.read()[0], GRAY)
    colours = read_image(save(COLOURS, f"colours{suffix}"))
    assert (colours.axes, colours.channels) == ("YXC", 3)
    np.testing.assert_array_equal(colours.read(), COLOURS.transpose(2, 0, 1))


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_jpeg_is_near(save, suffix):
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    image = read_image(save(smooth, f"smooth{suffix}", quality=95))
    assert np.abs(image.read()[0].astype(int) - smooth).max() <= 4


def test_sixteen_bits_are_kept(tmp_path):
    for name, array, axes in [
        ("gray", GRAY.astype(np.uint16) * 250, "YX"),
        ("colours", COLOURS.astype(np.uint16) * 250, "YXC"),
        ("clear", np.dstack([COLOURS, OPAQUE]).astype(np.uint16) * 257, "YXC"),
    ]:
        path = tmp_path / f"{name}.png"
        path.write_bytes(imagecodecs.png_encode(array))
        image = read_image(path)
        assert (image.axes, image.data.dtype) == (axes, np.uint16)
        np.testing.assert_array_equal(image.data[...], array[..., :3] if axes == "YXC" else array)


def test_one_bit(save):
    path = save(GRAY > 100)
    np.testing.assert_array_equal(read_image(path).read()[0] > 0, GRAY > 100)


def test_transparency_is_left_out(save):
    path = save(np.dstack([COLOURS, OPAQUE]))
    np.testing.assert_array_equal(read_image(path).data[...], COLOURS)
    path = save(np.dstack([GRAY, GRAY]), "half.png")
    image = read_image(path)
    with pytest.warns(UnetNapariWarning, match=r"half\.png: its transparency is left out"):
        np.testing.assert_array_equal(image.read()[0], GRAY)


def test_numbers_of_colours_are_labels(tmp_path):
    numbers = GRAY % 5
    picture = PIL.Image.fromarray(numbers).convert("P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 200, 30, 90])
    for name in ("labels.png", "labels.bmp"):
        picture.save(tmp_path / name)
        with pytest.warns(UnetNapariWarning, match=rf"{name} takes its colours from a table"):
            image = read_image(tmp_path / name)
        np.testing.assert_array_equal(image.read()[0], numbers)


def test_a_table_of_grays_is_looked_up(tmp_path):
    picture = PIL.Image.fromarray(GRAY % 3).convert("P")
    picture.putpalette([90, 90, 90, 10, 10, 10, 200, 200, 200])
    picture.save(tmp_path / "few.png")
    expected = np.array([90, 10, 200], np.uint8)[GRAY % 3]
    np.testing.assert_array_equal(read_image(tmp_path / "few.png").read()[0], expected)


def test_nothing_is_decoded_at_opening(save, monkeypatch):
    path = save(GRAY)
    monkeypatch.setattr(PIL.Image.Image, "load", lambda _: pytest.fail("decoded"))
    image = read_image(path)
    assert (image.shape, image.data.dtype) == ((20, 24), np.uint8)


def test_the_content_decides_and_not_the_name(save):
    path = save(GRAY)
    renamed = path.rename(path.with_suffix(".tif"))
    np.testing.assert_array_equal(read_image(renamed).read()[0], GRAY)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_a_damaged_picture_is_an_error(save, suffix):
    path = save(COLOURS, f"damaged{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match=rf"damaged\{suffix} is a .*damaged"):
        read_image(path).read()
    path.write_bytes(content[:12])
    with pytest.raises(ImageError, match=rf"damaged\{suffix} is a .* picture and damaged"):
        read_image(path)


def test_damage_anywhere_is_an_image_error(save):
    outcomes = {"read": 0, "refused": 0}
    for suffix in (".png", ".jpg", ".bmp"):
        path = save(COLOURS, f"picture{suffix}")
        content = path.read_bytes()
        for _ in range(60):
            damaged = bytearray(content)
            for place in RNG.integers(0, RNG.choice([60, len(content)]), 3):
                damaged[place] = RNG.integers(256)
            path.write_bytes(damaged)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UnetNapariWarning)
                    read_image(path, axes=None).data[...]
                outcomes["read"] += 1
            except ImageError:
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 10


@pytest.mark.parametrize("side", [12_000, 60_000])
def test_a_picture_that_would_fill_the_memory_is_refused(save, side):
    path = save(COLOURS)
    content = bytearray(path.read_bytes())
    content[16:24] = side.to_bytes(4, "big") * 2
    content[29:33] = imagecodecs.zlib_crc32(bytes(content[12:29])).to_bytes(4, "big")
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"too large for a picture file.*TIFF or zarr"):
        read_image(path)


@pytest.mark.parametrize("name", ["scan.gif", "slide.vsi", "volume.nii.gz", "stack.ims"])
def test_other_formats_are_told_what_can_be_read(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"GIF89a" + bytes(100))
    with pytest.raises(ImageError, match=r"PNG.*Fiji.*Tiff.*napari") as caught:
        read_image(path)
    assert 'pip install "unet-napari[bioio]"' in str(caught.value)
