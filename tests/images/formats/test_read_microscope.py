"""Files of microscopes: what is made of what bioio and oirfile say; what is said without them."""

import sys
import types
from collections import namedtuple

import numpy as np
import pytest

from unet_napari.errors import ImageError, UnetNapariWarning
from unet_napari.images import read_image

da = pytest.importorskip("dask.array")
RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 4000, (1, 2, 3, 20, 24), dtype=np.uint16)
Size = namedtuple("Size", "Z Y X")


class BioImage:
    """What is used of bioio's class, over arrays of the test's own."""

    images: dict
    order = "TCZYX"
    size = Size(1.5, 0.2, 0.25)
    computed: list

    def __init__(self, path, reader):
        self.scenes = tuple(self.images)
        self.set_scene(0)

    def set_scene(self, index):
        self.array = self.images[self.scenes[index]]

    @property
    def dask_data(self):
        def block(block_info=None):
            where = block_info[None]["array-location"]
            self.computed.append(where)
            return self.array[tuple(slice(*part) for part in where)]

        chunks = tuple((1,) * n for n in self.array.shape[:2]) + self.array.shape[2:]
        return da.map_blocks(block, chunks=chunks, dtype=self.array.dtype, meta=self.array[:0])

    @property
    def dims(self):
        return types.SimpleNamespace(order=self.order)

    @property
    def physical_pixel_sizes(self):
        return self.size


@pytest.fixture
def bioio(monkeypatch):
    """Put a bioio of the test's own in the place of the real one."""
    fake = type("BioImage", (BioImage,), {"images": {"first": STACK}, "computed": []})
    monkeypatch.setitem(sys.modules, "bioio", types.SimpleNamespace(BioImage=fake))
    for name in ("bioio_czi", "bioio_lif", "bioio_nd2"):
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(Reader=name))
    return fake


@pytest.fixture
def file(tmp_path):
    def file(name):
        path = tmp_path / name
        path.write_bytes(b"whatever the microscope wrote")
        return path

    return file


@pytest.mark.parametrize("name", ["a.czi", "a.lif", "a.ND2"])
def test_axes_channels_and_pixel_size_are_taken(bioio, file, name):
    image = read_image(file(name))
    assert (image.axes, image.channels, image.shape) == ("CZYX", 2, (3, 20, 24))
    assert (image.name, image.pixel_size) == ("a", {"Z": 1.5, "Y": 0.2, "X": 0.25})
    assert bioio.computed == []
    np.testing.assert_array_equal(image.select(C=1).read()[0], STACK[0, 1])
    assert len(bioio.computed) == 1


def test_unknown_sizes_are_unknown(bioio, file):
    bioio.size = Size(0.0, None, None)
    assert read_image(file("a.czi")).pixel_size == {}


def test_colours_are_channels(bioio, file):
    bioio.images = {"first": STACK[:, :1, :1, ..., np.newaxis].repeat(3, axis=-1)}
    bioio.order = "TCZYXS"
    image = read_image(file("a.czi"))
    assert (image.axes, image.channels) == ("YXC", 3)
    np.testing.assert_array_equal(image.read()[2], STACK[0, 0, 0])


def test_one_of_several_images_is_chosen(bioio, file):
    path = file("many.lif")
    bioio.images = {"first": STACK, "second": STACK[..., :10, :12] + 1}
    with pytest.warns(UnetNapariWarning, match=r"many\.lif holds 2 images \(first, second\)"):
        assert read_image(path).shape == (3, 20, 24)
    for scene in (1, "second"):
        image = read_image(path, scene=scene)
        np.testing.assert_array_equal(image.read(), STACK[0, ..., :10, :12] + 1)
    for scene in (2, -1, "third"):
        with pytest.raises(ImageError, match=r"no image .*but 2: first, second"):
            read_image(path, scene=scene)


def test_a_damaged_file_is_one_error(bioio, file):
    def fail(self, path, reader):
        raise RuntimeError("not enough\n  data")

    bioio.__init__ = fail
    with pytest.raises(ImageError, match=r"a\.czi is damaged or .*: not enough data"):
        read_image(file("a.czi"))


class OirFile:
    """What is used of oirfile's class."""

    sizes = {"Z": 3, "C": 2, "Y": 20, "X": 24}  # noqa: RUF012
    coord_scales = {"Z": 0.5, "Y": 0.1, "X": 0.1}  # noqa: RUF012
    dtype = np.dtype(np.uint16)

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def asarray(self):
        return STACK[0].swapaxes(0, 1)


def test_oir_is_read(monkeypatch, file):
    monkeypatch.setitem(sys.modules, "oirfile", types.SimpleNamespace(OirFile=OirFile))
    image = read_image(file("a.oir"))
    assert (image.axes, image.pixel_size) == ("ZCYX", {"Z": 0.5, "Y": 0.1, "X": 0.1})
    np.testing.assert_array_equal(image.read(), STACK[0])


@pytest.mark.parametrize("name", ["a.czi", "a.lif", "a.nd2", "a.oir"])
def test_what_is_not_installed_is_named_with_the_remedy(monkeypatch, file, name):
    for module in ("bioio", "oirfile"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImageError, match=r"(bioio|oirfile).* is not installed.*Fiji") as caught:
        read_image(file(name))
    assert 'pip install "unet-napari[bioio]"' in str(caught.value)


def test_a_file_that_bioio_really_reads(tmp_path):
    pytest.importorskip("bioio_czi")
    czi = pytest.importorskip("pylibCZIrw.czi")
    path = tmp_path / "real.czi"
    with czi.create_czi(str(path)) as document:
        for c, channel in enumerate(STACK[0]):
            for z, plane in enumerate(channel):
                document.write(plane[..., np.newaxis], plane={"C": c, "Z": z, "T": 0})
        document.write_metadata("real", scale_x=2.5e-7, scale_y=2e-7, scale_z=1e-6)
    image = read_image(path)
    assert image.axes == "CZYX"
    assert image.pixel_size == pytest.approx({"Z": 1.0, "Y": 0.2, "X": 0.25})
    np.testing.assert_array_equal(image.read(), STACK[0])
