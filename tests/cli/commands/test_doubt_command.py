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
        (("--check", 3), "--check takes at least 5 cells"),
        (("--check", 9, "--painted", "labels.tif"), "leave --painted out"),
        (("--check", 9, "--output", "checks.parquet"), "--check writes a .csv"),
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


def test_cells_are_drawn_to_be_checked_and_give_a_count_with_its_error(files, capsys):
    table = files / "checks.csv"
    words = ("doubt", files / "image.tif", "--model", files / "mine.unet", "--output", table)
    assert run(*words, "--check", 8, "--draw", 3, "--device", "cpu") == 0
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = segment(tifffile.imread(files / "image.tif"), files / "mine.unet", device="cpu")
    found = labels.max()
    assert len(rows) == 8
    assert len({row["label"] for row in rows}) == 8
    assert {row["cells"] for row in rows} == {""}
    assert sum({row["stratum"]: int(row["stratum_cells"]) for row in rows}.values()) == found
    assert run("count", table) == 2
    assert "Check at least" in capsys.readouterr().err
    for row in rows:
        row["cells"] = "1"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert run("count", table) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{found} cells, 95 % between ")
    assert f"(8 of the {found} that were found were checked)." in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("label,cells\n1,1\n", "is no table of checks"),
        ("", "is no table of checks"),
        ("cells,stratum,stratum_cells,stratum_doubt\ntwo,0,9,0.1\n", "Line 2 of"),
        ("cells,stratum,stratum_cells,stratum_doubt\n-1,0,9,0.1\n", "is 0, 1, 2 or more"),
    ],
)
def test_what_is_no_table_of_checks_is_said(tmp_path, capsys, text, says):
    (tmp_path / "checks.csv").write_text(text)
    assert run("count", tmp_path / "checks.csv") == 2
    assert says in capsys.readouterr().err
    assert run("count", tmp_path / "missing.csv") == 2
    assert "missing.csv cannot be read" in capsys.readouterr().err
