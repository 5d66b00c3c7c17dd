import csv

import pytest

from unet_napari.errors import OutputError
from unet_napari.labels import table_files
from unet_napari.labels.table_files import check_table_name, write_table


def test_a_table_is_written_whole_or_not_at_all(tmp_path):
    write_table(tmp_path / "t.csv", {"label": [1, 2], "area": [10, float("nan")]})
    with (tmp_path / "t.csv").open() as file:
        assert list(csv.reader(file)) == [["label", "area"], ["1", "10"], ["2", ""]]
    with pytest.raises(OutputError, match="nowhere"):
        write_table(tmp_path / "nowhere" / "t.csv", {"label": []})


def test_a_full_disk_leaves_the_table_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    write_table(path, {"label": [1]})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table_files, "print_table", full)
    with pytest.raises(OutputError, match="The disk is full"):
        write_table(path, {"label": [2]})
    assert path.read_text().split() == ["label", "1"]
    assert list(tmp_path.iterdir()) == [path]


def test_parquet_holds_numbers_as_numbers(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table(tmp_path / "t.parquet", {"label": [1, 2], "t": ["", 3], "area": [0.5, 2.0]})
    assert parquet.read_table(tmp_path / "t.parquet").to_pydict() == {
        "label": [1, 2],
        "t": [None, 3],
        "area": [0.5, 2.0],
    }


def test_without_pyarrow_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(OutputError, match=r'pip install "unet-napari\[parquet\]"'):
        check_table_name(tmp_path / "t.parquet")
    check_table_name(tmp_path / "t.csv")
    with pytest.raises(OutputError, match=r"must end in .csv or .parquet"):
        check_table_name(tmp_path / "t.xlsx")
