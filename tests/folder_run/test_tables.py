"""The table of all objects, the sheet, and the small pictures on it."""

import csv
import io

import numpy as np
import pytest
from imagecodecs import png_decode

from unet_napari.errors import OutputError
from unet_napari.folder_run.contact_sheet import ContactSheet
from unet_napari.folder_run.finishing import count_labelled
from unet_napari.folder_run.image_line import ImageLine, list_table
from unet_napari.folder_run.object_rows import ObjectRows
from unet_napari.folder_run.small_picture import small_picture
from unet_napari.folder_run.spool import open_spool
from unet_napari.folder_run.tables import FolderTables
from unet_napari.images import Image
from unet_napari.images.divided import Divided
from unet_napari.labels.label_axes import labels_on

FIRST = {"label": [1, 2], "area": [5, 7.5]}
FILM = {"t": [0, 1], "label": [1, 1], "area": [float("nan"), 3]}


def test_columns_of_some_images_are_empty_for_the_others(tmp_path):
    path = tmp_path / "all.csv"
    with open_spool(path) as spool:
        rows = ObjectRows(path, spool)
        rows.add("a, b", FIRST)
        rows.add("film", FILM)
        rows.add("none", {"label": [], "area": []})
        rows.add("c", FIRST)
        rows.write()
    with path.open(newline="") as file:
        found = list(csv.reader(file))
    assert found == [
        ["image", "label", "area", "t"],
        ["a, b", "1", "5", ""], ["a, b", "2", "7.5", ""],
        ["film", "1", "", "0"], ["film", "1", "3", "1"],
        ["c", "1", "5", ""], ["c", "2", "7.5", ""],
    ]  # fmt: skip
    assert [item.name for item in tmp_path.iterdir()] == ["all.csv"]


def test_a_table_in_parquet_has_names_as_text_and_numbers_as_numbers(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "all.parquet"
    with open_spool(path) as spool:
        rows = ObjectRows(path, spool)
        rows.add("001", {"label": [1] * 100_000, "area": [2] * 100_000})
        rows.add("002", {"t": [3], "label": [1], "area": [0.5]})
        rows.write()
    table = pq.read_table(path)
    assert table.column("image").to_pylist()[-2:] == ["001", "002"]
    assert table.column("area").to_pylist()[-2:] == [2, 0.5]
    assert table.column("t").to_pylist()[-2:] == [None, 3]


def test_a_table_is_there_before_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("unet_napari.folder_run.object_rows._INTERVAL", 0.0)
    path = tmp_path / "all.csv"
    with open_spool(path) as spool:
        rows = ObjectRows(path, spool)
        rows.add("a", FIRST)
        assert path.read_text().splitlines()[1:] == ["a,1,5", "a,2,7.5"]


def test_nothing_is_written_where_nothing_was_done(tmp_path):
    def fail():
        with FolderTables(tmp_path / "all.csv", tmp_path / "list.csv").open():
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []
    missing = FolderTables(tmp_path / "no" / "a.csv")
    with pytest.raises(OutputError, match="cannot be written"), missing.open():
        pass


def line(number, doubt, value, shape=(40, 30)):
    picture = np.full((*shape, 3), (value, 0, 255), np.uint8)
    return ImageLine(number, f"image {number}", "done", objects=3, doubt=doubt, thumbnail=picture)


def test_the_sheet_shows_the_most_doubtful_image_first(tmp_path):
    with open_spool(tmp_path / "sheet.png") as spool:
        sheet = ContactSheet(tmp_path / "sheet.png", spool)
        for number, (doubt, value) in enumerate([(0.1, 10), (None, 50), (0.9, 90), (0.5, 130)]):
            sheet.add(line(number, doubt, value))
        sheet.write()
    picture = png_decode((tmp_path / "sheet.png").read_bytes())
    assert picture.shape[2] == 3
    places = {
        value: np.argwhere((picture == (value, 0, 255)).all(axis=-1))[0]
        for value in (10, 50, 90, 130)
    }
    order = sorted(places, key=lambda value: tuple(places[value] // 40))
    assert order == [90, 130, 10, 50]
    assert [item.name for item in tmp_path.iterdir()] == ["sheet.png"]


def test_a_sheet_of_very_many_images_says_how_many_it_leaves_out(tmp_path, monkeypatch):
    monkeypatch.setattr("unet_napari.folder_run.contact_sheet._MOST", 2)
    heights = []
    for count in (2, 3):
        with open_spool(tmp_path / "sheet.png") as spool:
            sheet = ContactSheet(tmp_path / "sheet.png", spool)
            for number in range(count):
                sheet.add(line(number, number / 10, 40 * number + 20))
            sheet.write()
        picture = png_decode((tmp_path / "sheet.png").read_bytes())
        heights.append(len(picture))
    assert not (picture == (20, 0, 255)).all(axis=-1).any()
    assert heights[1] > heights[0]


def test_without_images_there_is_no_sheet(tmp_path):
    with open_spool(tmp_path / "sheet.png") as spool:
        sheet = ContactSheet(tmp_path / "sheet.png", spool)
        sheet.write()
    assert list(tmp_path.iterdir()) == []


def test_a_small_picture_shows_the_fullest_plane_of_a_stack():
    pixels = np.zeros((2, 5, 40, 60), np.uint16)
    pixels[:, 3, :, 30:] = 500
    labels = np.zeros((5, 40, 60), np.uint32)
    labels[3, 10:30, 10:50] = 7
    labels[1, :2, :2] = 1
    picture = small_picture(Image(pixels, "CZYX"), labels, 30)
    assert picture.shape == (20, 30, 3)
    grey = picture.max(axis=-1).astype(int) - picture.min(axis=-1) == 0
    assert grey[:5].all()
    assert not grey[5, 5:25].any()
    assert picture[0, 0].max() == 0
    assert picture[0, 29].min() == 255


def test_a_small_picture_of_a_film_is_of_its_own_frame():
    pixels = np.zeros((3, 20, 20), np.uint8)
    pixels[2, :10] = 200
    labels = np.zeros((3, 20, 20), np.uint8)
    labels[2, 12:18, 12:18] = 1
    picture = small_picture(Image(pixels, "TYX"), labels, 20)
    assert picture[0, 0].min() == 255
    assert picture[19, 0].max() == 0


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "int64"])
def test_objects_are_counted_whatever_their_ids_are(dtype):
    labels = np.zeros((2, 3, 4, 5), dtype)
    labels[0, :2, 0, 0] = 9
    labels[0, 2, 0, 0] = 100
    labels[1, 0, 0, 0] = 9
    if dtype != "uint8":
        labels[1, 0, 1, 1] = 2**31 - 1  # no allocation of that size
    expected = 3 if dtype == "uint8" else 4
    image = Image(np.zeros(labels.shape), "TZYX")
    assert count_labelled(image, Divided(labels_on(image, labels))) == expected


def test_what_is_not_known_is_empty_in_the_list():
    table = list_table([ImageLine(1, "b", "failed", message="gone"), line(0, 0.12345678, 3)])
    text = io.StringIO()
    writer = csv.writer(text)
    for row in zip(*table.values(), strict=True):
        writer.writerow(row)
    assert text.getvalue().splitlines() == [
        "image 0,done,3,0.1235,,,,0.0,,", "b,failed,,,,,,0.0,,gone"
    ]  # fmt: skip
