import csv
import io

import numpy as np
import pytest
import tifffile

import unet_napari
from unet_napari.cli import main


@pytest.fixture
def files(tmp_path, painted_nuclei):
    """An image of two channels and its labels, with a pixel size."""
    image, labels = painted_nuclei
    both = np.stack([image, image[::-1]]).astype(np.float32)
    size = {"resolution": (4, 4), "imagej": True}
    tifffile.imwrite(tmp_path / "image.tif", both, **size, metadata={"axes": "CYX", "unit": "um"})
    tifffile.imwrite(tmp_path / "labels.tif", labels.astype(np.uint16))
    return tmp_path


def run(*words):
    return main([str(word) for word in words])


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_labels_are_measured_with_and_without_their_image(files, painted_nuclei, capsys):
    labels = painted_nuclei[1]
    assert run("measure", files / "labels.tif", "--image", files / "image.tif") == 0
    rows = rows_of(capsys.readouterr().out)
    assert [int(row["label"]) for row in rows] == np.unique(labels)[1:].tolist()
    number = int(rows[0]["label"])
    assert float(rows[0]["area_um2"]) == (labels == number).sum() / 16
    expected = painted_nuclei[0][::-1][labels == number].astype(np.float32).max()
    assert float(rows[0]["intensity_max-1"]) == pytest.approx(expected)
    output = files / "cells.csv"
    assert run("measure", files / "labels.tif", "--output", output,
               "--properties", "area,solidity") == 0  # fmt: skip
    assert list(rows_of(output.read_text())[0]) == ["label", "area", "solidity"]
    assert f"{len(rows)} objects, written to {output}" in capsys.readouterr().err


def test_python_measures_the_same(files, painted_nuclei):
    image, labels = painted_nuclei
    both = np.stack([image, image[::-1]]).astype(np.float32)
    here = unet_napari.measure(labels, both, scale=(0.25, 0.25))
    there = unet_napari.measure(files / "labels.tif", files / "image.tif")
    assert here.keys() == there.keys()
    for name, values in here.items():
        np.testing.assert_array_equal(values, there[name])
    film = unet_napari.measure(np.stack([labels, labels]), axes="TYX", properties=["area"])
    assert film["t"].tolist() == sorted([0, 1] * (len(film["t"]) // 2))
    assert len(unet_napari.measure(labels)["label"]) * 2 == len(film["t"])


def test_parquet_takes_the_place_of_csv(files):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run("measure", files / "labels.tif", "--output", files / "cells.parquet") == 0
    table = parquet.read_table(files / "cells.parquet")
    assert table["area"].to_pylist() == unet_napari.measure(files / "labels.tif")["area"].tolist()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["image.tif"], "label number"),
        (["labels.tif", "--image", "small.tif"], "the labels of this image"),
        (["nothing.tif"], "nothing.tif"),
        (["labels.tif", "--output", "cells.xlsx"], "must end in .csv or .parquet"),
        (["labels.tif", "--output", "labels.csv"], "exists"),
        (["labels.tif", "--properties", "size"], "There is no measurement size; there are label"),
    ],
)
def test_bad_input_is_one_line(files, capsys, monkeypatch, words, message):
    monkeypatch.chdir(files)
    (files / "labels.csv").write_text("mine")
    tifffile.imwrite("small.tif", np.zeros((5, 6), np.uint8))
    tifffile.imwrite("image.tif", np.full((5, 6), 0.5, np.float32))
    assert run("measure", *words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("unet-napari: error: ")
    assert message in error
    assert (files / "labels.csv").read_text() == "mine"


def test_no_object_is_said(files, capsys):
    tifffile.imwrite(files / "empty.tif", np.zeros((5, 6), np.uint8))
    assert run("measure", files / "empty.tif", "--output", files / "cells.csv") == 0
    assert "no object" in capsys.readouterr().err
    assert (files / "cells.csv").read_text().startswith("label,area,")
