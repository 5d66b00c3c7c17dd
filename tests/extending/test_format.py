"""File formats that are added outside the package: this one file is all that they take."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.format import open_memmap

from unet_napari.cli.outputs import output_files
from unet_napari.errors import ImageError, OutputError
from unet_napari.images import check_image_output, open_output, read_image
from unet_napari.images.formats.names import is_image_name, way_out
from unet_napari.images.formats.table import (
    INPUT_FORMATS,
    OUTPUT_FORMATS,
    InputFormat,
    OutputFormat,
    find_output_format,
    output_suffixes,
)
from unet_napari.registry import load_object

IMAGE = np.arange(3 * 8 * 9, dtype=np.uint16).reshape(3, 8, 9)


def recognise_npy(path):
    """Tell by its first bytes whether a file is one of NumPy's."""
    return path.is_file() and path.read_bytes()[:6] == b"\x93NUMPY"


def open_npy(path):
    """Open a file of NumPy's, with what is said beside it."""
    try:
        data = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise ImageError(f"{path} is damaged") from error
    facts = json.loads(path.with_suffix(".json").read_text())
    return data, facts["axes"], facts["pixel_size"]


def create_npy(path, shape, dtype, axes, pixel_size):
    """Create a file of NumPy's."""
    del axes, pixel_size
    return open_memmap(path, "w+", dtype, tuple(shape))


@pytest.fixture(autouse=True)
def npy_format():
    """Add the two formats for the time of a test."""
    INPUT_FORMATS.add(
        InputFormat(
            "npy",
            ("NPY",),
            (".npy",),
            opens=f"{__name__}:open_npy",
            recognises=f"{__name__}:recognise_npy",
        )
    )
    OUTPUT_FORMATS.add(OutputFormat("npy", (".npy",), creates=f"{__name__}:create_npy"))
    yield
    INPUT_FORMATS.remove("npy")
    OUTPUT_FORMATS.remove("npy")


def test_an_image_of_the_new_format_is_read_whatever_its_name(tmp_path):
    for name in ("a.npy", "b.dat"):
        np.save(tmp_path / "a.npy", IMAGE)
        (tmp_path / "a.npy").rename(tmp_path / name)
        facts = {"axes": "ZYX", "pixel_size": {"Z": 2.0, "Y": 0.5, "X": 0.5}}
        (tmp_path / name).with_suffix(".json").write_text(json.dumps(facts))
        image = read_image(tmp_path / name)
        np.testing.assert_array_equal(image.read(), IMAGE[None])
        assert image.axes == "ZYX"
        assert image.pixel_size == facts["pixel_size"]


def test_folders_and_messages_know_it():
    assert is_image_name("cells.npy")
    assert "TIFF, zarr, PNG, JPEG, BMP and NPY images can be read, and CZI" in way_out()
    assert output_suffixes() == ".tif, .ome.tif, .zarr or .npy"


def test_a_result_of_the_new_format_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "labels.npy"
    assert output_files([tmp_path / "a.tif"], path) == [path]
    options = {"shape": IMAGE.shape, "dtype": "u2", "axes": "ZYX", "pixel_size": {}}
    with open_output(path, **options) as out:
        for z, plane in enumerate(IMAGE):
            out[z] = plane
        assert not path.exists()
    np.testing.assert_array_equal(np.load(path), IMAGE)
    with pytest.raises(OutputError, match="exists already"):
        check_image_output(path, overwrite=False)

    class StoppedError(Exception):
        pass

    with pytest.raises(StoppedError), open_output(path, **options, overwrite=True):
        raise StoppedError
    np.testing.assert_array_equal(np.load(path), IMAGE)
    assert list(tmp_path.iterdir()) == [path]


def test_an_ending_without_a_format_lists_those_that_there_are(tmp_path):
    with pytest.raises(OutputError, match=r"written as \.tif, \.ome\.tif, \.zarr or \.npy"):
        check_image_output(tmp_path / "a.png", overwrite=False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tif", "tiff"),
        ("a.TIFF", "tiff"),
        ("a.ome.tif", "ome-tiff"),
        ("a.b.ome.tiff", "ome-tiff"),
        ("a.ome.zarr", "zarr"),
        (".tif", None),
        ("a.jpg", None),
    ],
)
def test_the_longest_ending_decides(tmp_path, name, expected):
    form = find_output_format(tmp_path / name)
    assert (None if form is None else form.name) == expected


def test_the_code_of_every_format_is_there():
    for form in INPUT_FORMATS.values():
        what = f"the input format {form.name!r}"
        assert callable(load_object(form.opens, what))
        assert not form.recognises or callable(load_object(form.recognises, what))
        assert all(suffix == suffix.lower() for suffix in form.suffixes)
    for form in OUTPUT_FORMATS.values():
        for code in filter(None, (form.creates, form.replaces, form.narrows)):
            assert callable(load_object(code, f"the output format {form.name!r}"))


def test_the_guide_names_every_format():
    guide = (Path(__file__).parents[2] / "docs/guide/images.md").read_text(encoding="utf-8")
    for form in INPUT_FORMATS.values():
        if form.name != "npy":
            assert all(title.lower() in guide.lower() for title in form.titles)
    for form in OUTPUT_FORMATS.values():
        if form.name != "npy":
            assert f"`{form.suffixes[0]}`" in guide
