"""What a user may say of a region, and which pixels of an image that is."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from unet_napari.errors import SettingsError
from unet_napari.geometry import Box
from unet_napari.images import Image
from unet_napari.inference.regions.placed import merged, place_region
from unet_napari.inference.regions.region import ImageRegion
from unet_napari.labels.outlines import Outline

STACK = Image(np.zeros((6, 40, 50), np.uint8), "ZYX", name="stack")
FILM = Image(np.zeros((1, 3, 40, 50), np.uint8), "TCYX", name="still")


def mask_of(region, image=STACK):
    placed = place_region(ImageRegion.of(region), image)
    whole = placed.read(Box.whole(placed.shape))
    for box in placed.pieces:  # nothing lies outside of the pieces
        whole = whole.copy()
        whole[box.to_slices()] = False
    assert not whole.any()
    return placed.read(Box.whole(placed.shape))


def box(*slices, shape=(6, 40, 50)):
    mask = np.zeros(shape, bool)
    mask[slices] = True
    return mask


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Y=10:20,X=:5", box(slice(None), slice(10, 20), slice(0, 5))),
        ("z=2, y=30:, x=49", box(2, slice(30, 40), 49)),
        ({"Y": slice(10, 20), "X": (0, 5), "Z": 3}, box(3, slice(10, 20), slice(0, 5))),
        ("Y=38:99", box(slice(None), slice(38, 40))),
        (
            "Z=0,Y=:3;Z=5,Y=:3",
            box(0, slice(0, 3)) | box(5, slice(0, 3)),
        ),
        ("ZX=(1 10, 1 20.25, 3 20.25, 3 10),Y=7", box(slice(1, 4), 7, slice(10, 21))),
        (box(slice(1, 3), 4, 4), box(slice(1, 3), 4, 4)),
        (box(4, 4, shape=(40, 50)).astype(np.uint8), box(slice(None), 4, 4)),
    ],
)
def test_a_region_is_said_in_many_ways(said, expected):
    found = mask_of(said)
    if isinstance(said, str) and said.startswith("ZX"):  # an edge counts or not
        expected = expected & found
        assert found.sum() >= 2 * 9
    np.testing.assert_array_equal(found, expected)


def test_an_outline_reads_as_it_was_written():
    points = np.array([[3.14159, 4], [30, -0.001], [20, 44.5]])
    drawn = [Outline((1, 2), points, (4,)), Outline((1, 2), points + 5, (None,))]
    region = ImageRegion.from_outlines(drawn, "ZYX")
    assert str(region).startswith("YX=(3.14 4, 30 0, 20 44.5),Z=4;YX=(8.14 9, ")
    again = ImageRegion.parse(str(region))
    assert again == region
    mask = mask_of(again)
    assert mask[4].sum() > mask[0].sum() > 100
    np.testing.assert_array_equal(mask[0], mask[5])


def test_a_single_frame_may_be_named(tmp_path):
    np.testing.assert_array_equal(mask_of("T=0,Y=3", FILM), box(3, slice(None), shape=(40, 50)))
    tifffile.imwrite(tmp_path / "mask.tif", box(7, 8, shape=(40, 50)).astype(np.uint8) * 9)
    for path in (tmp_path / "mask.tif", str(tmp_path / "mask.tif")):
        np.testing.assert_array_equal(mask_of(path, FILM), box(7, 8, shape=(40, 50)))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", "The region is empty: write Y=100:400"),
        ("Y=", "'Y=' is no region: write Y=100:400"),
        ("Y=1:5;", None),
        ("Y=5:5", "holds no pixel"),
        ("Y=-3:5", "is no region"),
        ("Y=1:5,Y=2:3", "is no region"),
        ("YX=(1 2, 3 4)", "at least three corners"),
        ("YX=(1 2, 3 4, 5 6),Y=3", "names an axis twice"),
        ("YX=(1 2, 3 nan, 5 6)", "'3 nan'"),
        ("YX=(1 2, 3, 5 6)", "'3' in"),
        ("nowhere.tif", "'nowhere.tif' is no file"),
        (Path("nowhere.tif"), "is no file"),
        ("Y=90:99", "holds no pixel of 'stack', whose axes ZYX are 6 x 40 x 50 pixels long"),
        ("T=1", "names the axis T, but 'stack' has only Z, Y, X"),
        ({"C": 1}, "its axes are some of T, Z, Y and X, not C"),
        ({"Y": slice(0, 9, 2)}, "in steps of 2"),
        ({"Y": "all"}, "not 'all'"),
        ({}, "not none"),
        (np.zeros((6, 40, 50)), "not an array of float64."),
        (np.zeros((6, 40, 50), bool), "holds no pixel"),
        (np.ones((6, 40, 51), bool), "the shape (6, 40, 51), but the labels of 'stack' have"),
        (7, "not 7"),
    ],
)
def test_what_is_no_region_is_told_in_one_line(said, words):
    if words is None:
        assert mask_of(said).any()
        return
    with pytest.raises(SettingsError) as error:
        mask_of(said)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_pieces_that_are_near_are_one():
    a, b, c = (Box((0, at), (5, at + 5)) for at in (0, 12, 40))
    assert merged([a, c, b], (4, 4)) == [Box((0, 0), (5, 17)), c]
    assert merged([a, c, b], (0, 0)) == [a, b, c]
    chain = [Box((0, at), (5, at + 5)) for at in range(0, 900, 9)]
    assert merged(chain[::-1], (3, 3)) == [Box((0, 0), (5, 896))]
    assert merged(chain[::-1], (2, 2)) == chain
    mask = np.zeros((300, 300), bool)
    mask[10:20, 10:20] = mask[250:260, 240:290] = True
    placed = place_region(ImageRegion.of(mask), Image(np.zeros((300, 300), np.uint8), "YX"))
    assert set(placed.pieces) == {Box((10, 10), (20, 20)), Box((250, 240), (260, 290))}
