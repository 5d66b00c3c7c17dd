import argparse
from pathlib import Path

import pytest

from unet_napari.cli.values import duration, image_files, integers, memory, pixel_sizes, scene, stem
from unet_napari.errors import ImageError
from unet_napari.system.text import human_time


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("3min", 180), ("3 min", 180), ("1.5h", 5400)]
)
def test_duration(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("2GiB", 2**31), ("500MB", 500 * 2**20), ("1024", 1024), ("1.5k", 1536)]
)
def test_memory(text, size):
    assert memory(text) == size


def test_integers():
    assert integers("auto") is None
    assert integers("64,256,256") == (64, 256, 256)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("0.25", {"Y": 0.25, "X": 0.25}), ("0.5, 0.25", {"Y": 0.5, "X": 0.25}),
     ("2,0.25,0.25", {"Z": 2, "Y": 0.25, "X": 0.25}), ("z=2,x=.5", {"Z": 2, "X": 0.5})],
)  # fmt: skip
def test_pixel_sizes(text, sizes):
    assert pixel_sizes(text) == sizes


@pytest.mark.parametrize(
    ("convert", "text"),
    [*((pixel_sizes, text) for text in ("", "0", "a", "1,2,3,4", "Z=2,0.5", "0.5,Z=2", "C=1",
                                        "Z=1,Z=2", "nan", "Y=", "ZY=1")),
     (duration, "soon"), (duration, "0"), (duration, "3 parsecs"), (memory, "much"),
     (memory, "0"),
     (integers, "a,b"), (integers, "0,5"), (integers, "")],
)  # fmt: skip
def test_what_is_no_value_is_refused(convert, text):
    with pytest.raises(argparse.ArgumentTypeError):
        convert(text)


@pytest.mark.parametrize("name", ["cells.tif", "cells.TIFF", "cells.ome.tif", "cells.zarr"])
def test_stem_takes_double_suffixes_off(name):
    assert stem(Path(name)) == "cells"


def test_stem_keeps_dots_that_belong_to_the_name():
    assert stem(Path("t0.5 µm.tif")) == "t0.5 µm"


@pytest.mark.parametrize(
    ("seconds", "text"), [(45, "45 s"), (180, "3 min"), (4800, "1 h 20 min"), (5400, "1 h 30 min")]
)
def test_time_as_a_person_says_it(seconds, text):
    assert human_time(seconds) == text


def test_a_folder_holds_what_can_be_read_in_it(tmp_path):
    for name in ("b.png", "a.tif", "c.lsm", "._a.tif", "notes.txt", "d.bmp"):
        (tmp_path / name).touch()
    assert [path.name for path in image_files(tmp_path)] == ["a.tif", "b.png", "c.lsm", "d.bmp"]


def test_a_folder_without_images_says_what_can_be_read(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ImageError, match=r"contains no image that can be read\. TIFF, zarr, PNG"):
        image_files(tmp_path)


def test_a_scene_is_a_number_or_a_name():
    assert (scene("3"), scene("Series 3")) == (3, "Series 3")
