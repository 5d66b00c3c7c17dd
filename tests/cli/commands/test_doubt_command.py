"""``unet-napari doubt`` and ``fit-thresholds``, and what they are in Python."""

import csv

import numpy as np
import pytest
import tifffile

from unet_napari import Model, doubtful_objects, fit_thresholds, segment
from unet_napari.cli import main
from unet_napari.errors import LabelsError


@pytest.fixture
def files(tmp_path, painted_nuclei, trained_model):
    """An image, its labels and a model, as files."""
    image, labels = painted_nuclei
    tifffile.imwrite(tmp_path / "image.tif", image)
    tifffile.imwrite(tmp_path / "labels.tif", labels.astype(np.uint16))
    trained_model.save(tmp_path / "mine.unet")
    return tmp_path


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_the_table_has_the_objects_of_segment(files):
    table = files / "doubt.csv"
    words = ("doubt", files / "image.tif", "--model", files / "mine.unet", "--output", table)
    assert run(*words, "--device", "cpu") == 0
    with table.open() as file:
        rows = list(csv.DictReader(file))
    labels = segment(tifffile.imread(files / "image.tif"), files / "mine.unet", device="cpu")
    assert {int(row["label"]) for row in rows} == set(np.unique(labels)) - {0}
    assert all(labels[int(row["y"]), int(row["x"])] == int(row["label"]) for row in rows)
    assert [float(row["doubt"]) for row in rows] == sorted(
        (float(row["doubt"]) for row in rows), reverse=True
    )
    assert run(*words) == 2  # it exists
    painted = ("--painted", files / "labels.tif", "--most", 3, "--overwrite", "--device", "cpu")
    assert run(*words, *painted) == 0
    with table.open() as file:
        assert len(list(csv.DictReader(file))) <= 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--most", 0), "--most is a number of cells above 0"),
        (("--output", "table.txt"), "must end in .csv or .parquet"),
        (("--painted", "missing.tif"), "missing.tif"),
    ],
)
def test_bad_input_is_one_line(files, capsys, arguments, says):
    words = ("doubt", files / "image.tif", "--model", files / "mine.unet")
    output = () if "--output" in arguments else ("--output", files / "doubt.csv")
    assert run(*words, *output, *arguments) == 2
    assert says in capsys.readouterr().err
    assert not (files / "doubt.csv").exists()


def test_thresholds_are_fitted_printed_and_kept(files, capsys):
    words = ("fit-thresholds", files / "mine.unet", files / "image.tif", files / "labels.tif")
    assert run(*words, "--complete", "--device", "cpu") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("--foreground-threshold")
    assert "painted cells" in printed
    assert "thresholds" not in Model.load(files / "mine.unet").provenance
    assert run(*words, "--complete", "--output", files / "copy.unet", "--device", "cpu") == 0
    kept = Model.load(files / "copy.unet")
    assert f"--min-size {kept.task.min_size}" in printed
    assert kept.provenance["thresholds"]["fitted to"] == "14 painted cells"
    assert run(*words, "--complete", "--keep", "--device", "cpu") == 0
    assert "thresholds" in Model.load(files / "mine.unet").provenance


def test_what_cannot_be_kept_is_said_before_anything_is_computed(files, capsys):
    words = (files / "image.tif", files / "labels.tif")
    both = ("--keep", "--output", files / "copy.unet")
    assert run("fit-thresholds", files / "mine.unet", *words, *both) == 2
    assert "give one" in capsys.readouterr().err
    assert run("fit-thresholds", "nuclei", *words, "--keep") == 2
    assert "comes with unet-napari" in capsys.readouterr().err


def test_fitting_in_python_and_too_few_cells(painted_nuclei, trained_model):
    image, labels = painted_nuclei
    where = np.ones(labels.shape, bool)
    fit = fit_thresholds(image, labels, trained_model, annotated=where, device="cpu")
    assert fit.cells == 14
    assert fit.score >= fit.before
    with pytest.raises(LabelsError, match="at least 5 cells"):
        fit_thresholds(image, np.where(labels < 3, labels, 0), trained_model, device="cpu")
    with pytest.raises(LabelsError, match="shape"):
        fit_thresholds(image, labels[:-1], trained_model)
    with pytest.raises(LabelsError, match="shape"):
        doubtful_objects(image, trained_model, painted=labels[:-1])


def test_labels_are_returned_where_room_is_given(painted_nuclei, trained_model):
    out = np.zeros(painted_nuclei[1].shape, np.uint32)
    steps = []
    found = doubtful_objects(
        painted_nuclei[0], trained_model, out=out, device="cpu", on_progress=steps.append, most=4
    )
    assert len(found) == 4
    assert all(out[item.point] == item.number for item in found)
    assert steps[-1].done == steps[-1].total
