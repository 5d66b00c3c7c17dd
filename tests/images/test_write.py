"""Results appear whole or not at all, and read back as they were meant."""

import errno
import os
import uuid

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unet_napari.errors import OutputError
from unet_napari.images import open_output, read_image
from unet_napari.images.formats import write_tiff
from written_images import ARRAY, SUFFIXES, write


@pytest.mark.filterwarnings("ignore:.*pixel size along:unet_napari.errors.UnetNapariWarning")
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(
    suffix=st.sampled_from(SUFFIXES),
    dtype=st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"]),
    axes=st.sampled_from(["YX", "ZYX", "TYX", "CYX", "TCYX", "TZYX", "CZYX", "TCZYX"]),
    sizes=st.dictionaries(st.sampled_from("ZYX"), st.floats(1e-3, 1e3)),
    data=st.data(),
)
def test_what_is_written_reads_back(tmp_path, suffix, dtype, axes, sizes, data):
    """Except that TIFF readers drop axes of length 1, so there are none here."""
    shape = tuple(data.draw(st.integers(2, 7), label=axis) for axis in axes)
    array = np.random.default_rng(0).integers(0, 120, shape).astype(dtype)
    path = tmp_path / f"{uuid.uuid4()}{suffix}"
    write(path, array, axes, sizes)
    image = read_image(path)
    assert image.axes == axes
    assert image.pixel_size == pytest.approx(
        {axis: size for axis, size in sizes.items() if axis in axes}, rel=1e-5
    )
    assert image.data.dtype == dtype
    np.testing.assert_array_equal(np.asarray(image.data[...]), array)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_parts_are_written_and_the_rest_is_0(tmp_path, suffix):
    path = tmp_path / f"Zellkerne für Jürgen 核{suffix}"
    expected = np.zeros((3, 20, 30), np.uint32)
    with open_output(path, shape=(3, 20, 30), dtype="u4", axes="ZYX", pixel_size={}) as out:
        assert (out.shape, out.dtype) == ((3, 20, 30), np.uint32)
        out[1:3, 5:9, :10] = 2**31
        expected[1:3, 5:9, :10] = 2**31
        part = out[1:, 4:6]
        np.testing.assert_array_equal(part, expected[1:, 4:6])
        part[:] = 7  # a copy
    np.testing.assert_array_equal(read_image(path).read()[0], expected)
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "dtype", "flavour"),
    [
        ("a.tif", "u2", "imagej"),
        ("a.tiff", "f4", "imagej"),
        ("a.tif", "u4", "ome"),
        ("a.ome.tif", "u2", "ome"),
        ("A.OME.TIF", "u2", "ome"),
    ],
)
def test_fiji_can_open_a_tiff(tmp_path, name, dtype, flavour):
    write(tmp_path / name, ARRAY.astype(dtype), pixel_size={"Z": 2.0, "Y": 0.5, "X": 0.25})
    with tifffile.TiffFile(tmp_path / name) as tif:
        assert tif.series[0].kind == flavour
        assert tif.series[0].axes == "ZYX"
        if flavour == "imagej":
            assert (tif.imagej_metadata["unit"], tif.imagej_metadata["spacing"]) == ("um", 2.0)
            assert tif.pages[0].tags["XResolution"].value == (4, 1)


def test_ome_zarr_has_axes_and_scale(tmp_path):
    write(tmp_path / "a.zarr", pixel_size={"Z": 2.0, "Y": 0.5, "X": 0.25})
    ome = zarr.open_group(str(tmp_path / "a.zarr"), mode="r").attrs["ome"]
    image = ome["multiscales"][0]
    assert ome["version"] == "0.5"
    assert image["axes"] == [
        {"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"
    ]
    assert image["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [2.0, 0.5, 0.25]}
    ]


def test_zarr_holds_types_that_tiff_cannot(tmp_path):
    array = ARRAY.astype(np.int64) << 40
    write(tmp_path / "a.zarr", array)
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr").read()[0], array)
    with pytest.raises(ValueError, match=r"cannot read int64 pixels; write to \.zarr"):
        write(tmp_path / "a.tif", array)
    assert [child.name for child in tmp_path.iterdir()] == ["a.zarr"]


def test_large_files_are_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr(write_tiff, "_LARGEST_CLASSIC", 1000)
    write(tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.is_bigtiff
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").read()[0], ARRAY)


def test_memory_does_not_grow_with_the_result(tmp_path):
    """A result of 1 GiB, of which only what is written takes memory."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = tmp_path / "long.zarr"
    with open_output(path, shape=(1024, 1024, 1024), dtype="u1", axes="ZYX", pixel_size={}) as out:
        out[512, 100:200, 100:200] = 3
    assert read_image(path).read((slice(512, 513), slice(99, 101), slice(100, 101))).tolist() == [
        [[[0], [3]]]
    ]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 * 1024


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_existing_result_is_replaced_only_when_asked(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write(path)
    with pytest.raises(OutputError, match=rf"a{suffix} exists already; use --overwrite"):
        write(path, ARRAY + 1)
    np.testing.assert_array_equal(read_image(path).read()[0], ARRAY)
    write(path, ARRAY[:2] + 1, overwrite=True)
    np.testing.assert_array_equal(read_image(path).read()[0], ARRAY[:2] + 1)
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("axes", "shape"), [("XY", (9, 9)), ("ZYX", (9, 9)), ("ZCYX", (2, 2, 9, 9)), ("YY", (9, 9))]
)
def test_axes_have_one_order(tmp_path, axes, shape):
    with (
        pytest.raises(ValueError, match="do not fit a result"),
        open_output(tmp_path / "a.tif", shape=shape, dtype="u1", axes=axes, pixel_size={}),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


LABELS = np.arange(2 * 3 * 20 * 30, dtype=np.uint32).reshape(2, 3, 20, 30)


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("YX", (60, 60)), ("ZYX", (6, 20, 30)), ("TYX", (6, 20, 30)), ("TZYX", (2, 3, 20, 30))],
)
def test_labels_open_in_imagej_with_pixel_size_and_time(tmp_path, axes, shape):
    labels, sizes = LABELS.reshape(shape), {"Z": 1.0, "Y": 0.25, "X": 0.5}
    write(tmp_path / "labels.tif", labels, axes, sizes, labels=True)
    with tifffile.TiffFile(tmp_path / "labels.tif") as tif:
        series, header = tif.series[0], tif.imagej_metadata
        assert (series.kind, series.axes, series.dtype) == ("imagej", axes, np.uint16)
        assert header.get("frames", 1) == (shape[0] if "T" in axes else 1)
        assert header.get("slices", 1) == (shape[-3] if "Z" in axes else 1)
        assert (header["unit"], header.get("spacing")) == ("um", 1.0 if "Z" in axes else None)
        tags = tif.pages.first.tags
        assert (tags["XResolution"].value, tags["YResolution"].value) == ((2, 1), (4, 1))
        assert tags["ResolutionUnit"].value == 1
    image = read_image(tmp_path / "labels.tif")
    assert image.axes == axes
    assert image.pixel_size == {axis: size for axis, size in sizes.items() if axis in axes}
    np.testing.assert_array_equal(image.data[...], labels)
    assert [child.name for child in tmp_path.iterdir()] == ["labels.tif"]


@pytest.mark.parametrize("place", [0, -1])
def test_labels_beyond_16_bits_keep_their_numbers_and_the_pixel_size(tmp_path, monkeypatch, place):
    monkeypatch.setattr("unet_napari.images.formats.write_tiff._COPIED_LABELS", 1000)
    labels = LABELS[0].copy()
    labels.flat[place] = 70_000
    write(tmp_path / "labels.tif", labels, "ZYX", {"Z": 2.0, "Y": 0.25, "X": 0.5}, labels=True)
    with tifffile.TiffFile(tmp_path / "labels.tif") as tif:
        page = tif.pages.first
        assert (page.dtype, page.resolutionunit) == (np.uint32, 3)
        assert page.resolution == pytest.approx((20_000, 40_000))
    image = read_image(tmp_path / "labels.tif")
    assert image.pixel_size == {"Z": 2.0, "Y": 0.25, "X": 0.5}
    np.testing.assert_array_equal(image.data[...], labels)
    assert [child.name for child in tmp_path.iterdir()] == ["labels.tif"]


def test_labels_stay_wide_where_the_disk_is_full(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unet_napari.images.formats.write_tiff.narrow_labels", full)
    write(tmp_path / "labels.tif", LABELS[0], "ZYX", {}, labels=True)
    image = read_image(tmp_path / "labels.tif")
    assert image.data.dtype == np.uint32
    np.testing.assert_array_equal(image.data[...], LABELS[0])


@pytest.mark.parametrize("name", ["labels.ome.tif", "labels.zarr"])
def test_other_formats_keep_32_bits(tmp_path, name):
    write(tmp_path / name, LABELS[0], "ZYX", {}, labels=True)
    assert read_image(tmp_path / name).data.dtype == np.uint32
