"""Which names are images, and what is left of them without their endings."""

import importlib.util

import pytest

from unet_napari.images.formats.names import image_stem, is_image_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tif", True),
        ("a.OME.TIFF", True),
        ("a.ome.zarr", True),
        ("a.lsm", True),
        ("a.png", True),
        ("a.JPG", True),
        ("a.bmp", True),
        ("._a.tif", False),
        (".DS_Store", False),
        ("a.txt", False),
        ("a.csv", False),
        ("tif", False),
    ],
)
def test_images_are_known_by_their_names(name, expected):
    assert is_image_name(name) == expected


@pytest.mark.parametrize("installed", [True, False])
def test_files_of_microscopes_count_where_bioio_is_installed(monkeypatch, installed):
    found = object() if installed else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: found)
    assert is_image_name("a.czi") == installed


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.tif", "a"),
        ("a.b.ome.TIF", "a.b"),
        ("a.ome.zarr", "a"),
        ("a.png", "a"),
        ("a.czi", "a"),
        (".tif", ".tif"),
        ("plain", "plain"),
    ],
)
def test_a_stem_has_no_ending(name, stem):
    assert image_stem(name) == stem
