import csv

import numpy as np
import pytest

from unet_napari.errors import OutputError
from unet_napari.images import Image
from unet_napari.labels import measure as module
from unet_napari.labels.measure import diameters, measure, write_table


@pytest.mark.parametrize("slab", [1, 50, 10**6])
def test_a_table_does_not_depend_on_how_the_image_is_cut(monkeypatch, slab):
    monkeypatch.setattr(module, "_SLAB_PIXELS", slab)
    pixels = np.arange(2 * 6 * 5 * 4).reshape(2, 6, 5, 4)
    labels = np.zeros((6, 5, 4), np.uint32)
    labels[1:5, 2, 1] = 70_000
    labels[0, 0, :] = 2
    image = Image(pixels, "CZYX", {"Z": 2.0, "Y": 0.5, "X": 0.5})
    table = measure(image, labels)
    assert table["label"] == [2, 70_000]
    assert table["pixels"] == [4, 4]
    assert table["size_um3"] == [2.0, 2.0]
    assert table["centre_z"] == [0, 2.5]
    assert table["centre_y"] == [0, 2]
    assert table["centre_x"] == [1.5, 1]
    assert table["mean_c0"] == [1.5, pixels[0, 1:5, 2, 1].mean()]
    assert table["mean_c1"] == [121.5, pixels[1, 1:5, 2, 1].mean()]


def test_an_image_without_objects_or_pixel_size_gives_an_empty_table():
    table = measure(Image(np.zeros((4, 5)), "YX"), np.zeros((4, 5), int))
    assert table == {"label": [], "pixels": [], "centre_y": [], "centre_x": [], "mean": []}


def test_a_table_is_written_whole_or_not_at_all(tmp_path):
    write_table(tmp_path / "t.csv", {"label": [1, 2], "pixels": [10, 20]})
    with (tmp_path / "t.csv").open() as file:
        assert list(csv.reader(file)) == [["label", "pixels"], ["1", "10"], ["2", "20"]]
    with pytest.raises(OutputError, match="nowhere"):
        write_table(tmp_path / "nowhere" / "t.csv", {"label": []})


def test_diameters_are_those_of_discs_and_balls():
    grid = np.indices((41, 41, 41)) - 20
    ball = (grid**2).sum(axis=0) <= 15**2
    labels = np.zeros((41, 90), np.uint32)
    labels[:, :41][ball[20]] = 7
    labels[5:10, 60:65] = 3
    assert diameters(labels) == pytest.approx([2 * 5 / np.pi**0.5, 30], rel=0.01)
    assert diameters(ball.astype(int)) == pytest.approx([30], rel=0.01)
    assert diameters(ball[::3].astype(int), (3.0, 1.0, 1.0)) == pytest.approx([30], rel=0.01)
    assert diameters(np.zeros((4, 4), int)).shape == (0,)
