"""Scores of a folder of images, a table of them, and a sheet of the worst."""

import csv
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
import tifffile

from command_line import run
from unet_napari import Model, segment, train
from unet_napari.evaluation.objects import evaluate
from unet_napari.images import nuclei


@pytest.fixture
def data(tmp_path, trained_model, painted_nuclei):
    """Two images with labels, the labels of the second all wrong, and a model."""
    image, labels = painted_nuclei
    for side, arrays in (
        ("images", (image, image)),
        ("labels", (labels, labels.T.reshape(96, 128))),
    ):
        (tmp_path / side).mkdir()
        for name, array in zip(("good", "bad"), arrays, strict=True):
            tifffile.imwrite(tmp_path / side / f"{name}.tif", array)
    trained_model.save(tmp_path / "model.unet")
    return tmp_path


def words(data, *more):
    return ("evaluate", "--images", data / "images", "--labels", data / "labels",
            "--model", data / "model.unet", *more)  # fmt: skip


def test_scores_are_printed_pooled_and_per_image(data, capsys):
    assert run(*words(data)) == 0
    model = Model.load(data / "model.unet")
    names = ("bad", "good")
    truth = [tifffile.imread(data / "labels" / f"{n}.tif") for n in names]
    found = [segment(tifffile.imread(data / "images" / f"{n}.tif"), model) for n in names]
    result = evaluate(truth, found)
    out = capsys.readouterr().out
    assert out == result.describe() + "\n"
    mean = np.mean(result.per_image_precision(0.5))
    assert f"AP 0.5    {result.average_precision(0.5):.3f} pooled, {mean:.3f} per image" in out
    for word in ("AP 0.9", "PQ", "splits", "merges", "Dice"):
        assert word in out


def test_the_table_has_a_row_for_each_image(data):
    table = data / "scores.csv"
    assert run(*words(data, "--table", table)) == 0
    with table.open() as file:
        bad, good = csv.DictReader(file)
    assert (bad["image"], good["image"]) == ("bad", "good")
    assert float(good["AP50"]) > 0.8 > 0.3 > float(bad["AP50"])
    assert {"true", "predicted", "AP90", "F1", "PQ", "splits", "merges", "Dice"} <= good.keys()


def test_two_models_are_compared_on_the_same_images(data, trained_model, capsys):
    strict = replace(trained_model.task, min_size=10_000)  # nothing is large enough
    replace(trained_model, task=strict).save(data / "strict.unet")
    table = data / "scores.csv"
    more = ("--against", data / "strict.unet", "--table", table)
    assert run(*words(data, *more)) == 0
    out = capsys.readouterr().out
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["model"], r["image"]) for r in rows] == [
        (model, image) for model in ("model", "strict") for image in ("bad", "good")
    ]
    assert float(rows[1]["AP50"]) > 0.8
    assert float(rows[3]["AP50"]) == 0
    assert out.startswith("model\nobjects ")
    assert "\nstrict\nobjects " in out
    assert out.rstrip().splitlines()[-1].startswith("AP50 0.")
    assert "'model' is better (difference +0." in out


def test_the_sheet_shows_the_worst_image_first(data):
    sheets = {}
    for worst in (1, 2):
        path = data / f"worst{worst}.png"
        assert run(*words(data, "--sheet", path, "--worst", worst)) == 0
        sheets[worst] = imagecodecs.png_decode(path.read_bytes())
    one, two = sheets[1], sheets[2]
    assert two.shape[0] == 2 * one.shape[0] + 4
    assert np.array_equal(two[: len(one)], one)
    # Below each other in the last rows: "good", whose truth and prediction look alike.
    rows = two[-90:].astype(int)
    assert np.abs(rows[:, 132:260] - rows[:, 264:392]).mean() < 15
    rows = one[-90:].astype(int)
    assert np.abs(rows[:, 132:260] - rows[:, 264:392]).mean() > 15


def test_objects_of_another_size_are_judged_at_their_diameter(data, capsys):
    for side in ("images", "labels"):
        for path in (data / side).iterdir():
            array = tifffile.imread(path)
            tifffile.imwrite(path, array.repeat(4, axis=0).repeat(4, axis=1))
    (data / "images" / "bad.tif").unlink()
    (data / "labels" / "bad.tif").unlink()
    scores = []
    for more in (("--diameter", "model"), (), ("--diameter", "auto")):
        assert run(*words(data, *more)) == 0
        line = next(li for li in capsys.readouterr().out.splitlines() if li.startswith("AP 0.5"))
        scores.append(float(line.split()[2]))
    assert scores[0] < 0.3
    assert min(scores[1:]) > 0.7  # their size is noticed, too


def test_classes_are_judged_by_their_dice(tmp_path, capsys):
    image, labels = nuclei((64, 64), count=12, seed=0)
    classes = 1 + (labels > 0)
    for side, array in (("images", image), ("labels", classes.astype(np.uint8))):
        (tmp_path / side).mkdir()
        tifffile.imwrite(tmp_path / side / "a.tif", array)
    train(
        image, classes, task="semantic", steps=30, validation=0, patch=(32, 32), device="cpu",
        network_options={"features": [4, 8]}, learning_rate=0.02,
    ).save(tmp_path / "model.unet")  # fmt: skip
    assert run(*words(tmp_path, "--sheet", tmp_path / "sheet.png")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["Dice", "1"], ["Dice", "2"]]
    assert float(lines[0].split()[2]) > 0.5
    assert (tmp_path / "sheet.png").exists()
    assert run(*words(tmp_path, "--against", tmp_path / "model.unet")) == 2
    assert "--against compares two models of separate cells" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--sheet", "sheet.jpg"), "must end in .png"),
        (("--table", "missing/scores.csv"), "missing"),
        (("--worst", "0"), "--worst"),
        (("--table", "old.csv"), "--overwrite"),
    ],
)
def test_a_mistake_is_told_before_anything_is_computed(data, monkeypatch, capsys, more, message):
    monkeypatch.chdir(data)
    (data / "old.csv").touch()
    assert run(*words(data, *more)) == 2
    lines = capsys.readouterr()
    assert message in lines.err
    assert "image 1" not in lines.err
    assert lines.out == ""


def test_labels_of_another_shape_are_named(data, capsys):
    tifffile.imwrite(data / "labels" / "bad.tif", np.ones((5, 6), np.uint8))
    assert run(*words(data)) == 1
    assert "bad.tif has the shape (5, 6)" in capsys.readouterr().err
    labels = data / "labels" / "bad.tif"
    assert run("evaluate", "--images", data / "images" / "bad.tif", "--labels", labels,
               "--model", data / "model.unet") == 2  # fmt: skip
    assert "bad.tif has the shape (5, 6)" in capsys.readouterr().err
