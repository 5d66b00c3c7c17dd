"""Commands that go through many images: all that can be done are, the others are listed."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from imagecodecs import png_decode

from command_line import run
from unet_napari import Model, read_image, segment
from unet_napari.cli.attempts import Attempts
from unet_napari.images import Normalisation, nuclei
from unet_napari.networks import build_network
from unet_napari.tasks import SemanticTask


def test_a_reason_of_many_is_told_once_with_all_names(capsys):
    attempts = Attempts(4)
    full = "out/b.tif cannot be written: No space left on device"
    attempts.failed |= {"a.tif": "it is damaged", "b.tif": full, "c.tif": full}
    assert attempts.report() == 1
    assert capsys.readouterr().err.splitlines() == [
        "",
        "unet-napari: 3 of 4 images were not done:",
        "  a.tif: it is damaged",
        f"  {full}",
        "    b.tif",
        "    c.tif",
    ]


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path, trained_model, painted_nuclei):
    """Write a model and a folder of three images, one of which does not suit it."""
    image, labels = painted_nuclei
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    tifffile.imwrite(tmp_path / "images" / "a.tif", image)
    tifffile.imwrite(
        tmp_path / "images" / "b.tif", np.stack([image, image // 2, image], -1), photometric="rgb"
    )
    tifffile.imwrite(tmp_path / "images" / "c.tif", image[:50])
    for name, array in {"a": labels, "b": labels, "c": labels[:50]}.items():
        tifffile.imwrite(tmp_path / "labels" / f"{name}.tif", array)
    trained_model.save(tmp_path / "model.unet")
    return tmp_path


def test_the_others_are_segmented_and_the_failed_one_is_listed(folder, painted_nuclei, capsys):
    words = ("--model", folder / "model.unet", "--output", folder / "out",
             "--table", folder / "cells.csv")  # fmt: skip
    assert run("segment", folder / "images", *words) == 1
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.tif", "c.tif"]
    first, second = (segment(part, folder / "model.unet")
                     for part in (painted_nuclei[0], painted_nuclei[0][:50]))  # fmt: skip
    np.testing.assert_array_equal(read_image(folder / "out" / "c.tif").data[:], second)
    rows = rows_of(folder / "cells.csv")
    assert [row["image"] for row in rows] == ["a"] * first.max() + ["c"] * second.max()
    assert [int(row["label"]) for row in rows] == [*range(1, first.max() + 1),
                                                   *range(1, second.max() + 1)]  # fmt: skip
    said = capsys.readouterr().err
    assert said.index("1 of 3 images cannot be done") < said.index("written to")
    assert said.index("1 of 3 images were not done") > said.rindex("written to")
    assert "b.tif: The image 'b' has 3 channels" in said
    assert "Traceback" not in said


def test_an_image_that_fails_on_the_way_does_not_stop_the_others(folder, capsys):
    pixels = np.zeros((64, 64), np.uint16)
    tifffile.imwrite(folder / "images" / "b.tif", pixels, compression="zlib")
    data = (folder / "images" / "b.tif").read_bytes()
    with tifffile.TiffFile(folder / "images" / "b.tif") as tif:
        start = tif.pages[0].dataoffsets[0]
    (folder / "images" / "b.tif").write_bytes(data[:start] + b"????" + data[start + 4 :])
    words = ("--model", folder / "model.unet", "--output", folder / "out")
    assert run("segment", folder / "images", *words) == 1
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.tif", "c.tif"]
    said = capsys.readouterr().err
    assert "cannot be done" not in said
    assert "b.tif cannot be read" in said


def test_scores_are_of_the_images_that_could_be_judged(folder, capsys):
    words = ("--images", folder / "images", "--labels", folder / "labels",
             "--model", folder / "model.unet", "--table", folder / "scores.csv")  # fmt: skip
    assert run("evaluate", *words) == 1
    assert [row["image"] for row in rows_of(folder / "scores.csv")] == ["a", "c"]
    answer = capsys.readouterr()
    assert "AP 0.5" in answer.out
    assert "1 of 3 images were not done" in answer.err
    (folder / "labels" / "c.tif").unlink()
    (folder / "images" / "c.tif").unlink()
    (folder / "labels" / "a.tif").write_bytes(b"no labels")
    assert run("evaluate", *words, "--overwrite") == 1
    assert "2 of 2 images were not done" in capsys.readouterr().err


def test_training_uses_the_pairs_that_can_be_opened(folder, capsys):
    (folder / "images" / "b.tif").write_bytes(b"no image")
    assert run("train", "--images", folder / "images", "--labels", folder / "labels",
               "--task", "cells", "--ndim", 2, "--output", folder / "new.unet", "--steps", 2,
               "--patch", "32,32", "--device", "cpu", "--unpainted", "background") == 1  # fmt: skip
    assert len(Model.load(folder / "new.unet").provenance["data"]) == 2
    said = capsys.readouterr().err
    assert said.index("1 of 3 images cannot be done") < said.index("training: Network")
    assert "b.tif is not a TIFF" in said[said.index("written to") :]


def test_the_table_of_a_film_has_its_time_points(folder, painted_nuclei):
    film = np.stack([painted_nuclei[0], painted_nuclei[0][::-1]])
    tifffile.imwrite(folder / "film.tif", film, imagej=True, metadata={"axes": "TYX"})
    assert run("segment", folder / "film.tif", "--model", folder / "model.unet",
               "--output", folder / "out.tif", "--table", folder / "t.csv") == 0  # fmt: skip
    labels = read_image(folder / "out.tif")
    assert labels.axes == "TYX"
    rows = rows_of(folder / "t.csv")
    found = {(int(row["t"]), int(row["label"])): int(row["area"]) for row in rows}
    assert found == {
        (time, label): int((frame == label).sum())
        for time, frame in enumerate(labels.data[:])
        for label in range(1, frame.max() + 1)
    }
    assert float(rows[0]["intensity_mean"]) == pytest.approx(film[0][labels.data[0] == 1].mean())


def test_classes_are_not_measured_and_that_is_said_before_the_work(folder, capsys):
    network = build_network("unet", {"in_channels": 1, "out_channels": 2, "features": (4, 6)})
    Model(network.eval(), SemanticTask(classes=(1, 2)), Normalisation()).save(folder / "c.unet")
    assert run("segment", folder / "images" / "a.tif", "--model", folder / "c.unet",
               "--output", folder / "out.tif", "--table", folder / "t.csv") == 2  # fmt: skip
    said = capsys.readouterr().err
    assert "Only cells are measured" in said
    assert "network" not in said
    assert not (folder / "out.tif").exists()


@pytest.mark.parametrize(
    ("output", "table", "message"),
    [
        ("labels.png", "t.csv", "Labels are written as .tif, .ome.tif or .zarr, not as labels.png"),
        ("labels.nii.gz", "t.csv", "not as labels.nii.gz"),
        ("out", "t.xlsx", "must end in .csv"),
        ("out", "missing/t.csv", "missing"),
        ("out", "old.csv", "--overwrite"),
    ],
)
def test_what_cannot_be_written_is_said_first(folder, capsys, output, table, message):
    (folder / "old.csv").touch()
    before = sorted(folder.iterdir())
    assert run("segment", folder / "images" / "a.tif", "--model", folder / "model.unet",
               "--output", folder / output, "--table", folder / table) == 2  # fmt: skip
    assert message in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before


def test_a_folder_with_a_dot_in_its_name_is_used_if_it_is_there(folder):
    (folder / "run.1").mkdir()
    assert run("segment", folder / "images" / "a.tif", "--model", folder / "model.unet",
               "--output", folder / "run.1") == 0  # fmt: skip
    assert (folder / "run.1" / "a.tif").is_file()


def test_files_that_begin_with_a_dot_are_no_images(folder):
    for name in ("images", "labels"):
        (folder / name / "._a.tif").write_bytes(b"\0\5\x16\7 of macOS")
        (folder / name / "b.tif").unlink()
    assert run("segment", folder / "images", "--model", folder / "model.unet",
               "--output", folder / "out") == 0  # fmt: skip
    assert run("evaluate", "--images", folder / "images", "--labels", folder / "labels",
               "--model", folder / "model.unet") == 0  # fmt: skip


def test_what_was_painted_beside_the_images_is_not_segmented(folder, painted_nuclei):
    (folder / "images" / "b.tif").unlink()
    for name in ("a_labels", "c_labels_2", "d_labels"):  # there is no image d
        tifffile.imwrite(folder / "images" / f"{name}.tif", painted_nuclei[1].astype(np.uint8))
    assert run("segment", folder / "images", "--model", folder / "model.unet",
               "--output", folder / "out") == 0  # fmt: skip
    assert sorted(path.stem for path in (folder / "out").iterdir()) == ["a", "c", "d_labels"]


def test_images_and_labels_of_one_folder_are_trained_on_as_pairs(tmp_path):
    for name, seed in (("a", 1), ("b", 2)):
        image, labels = nuclei((64, 64), count=6, seed=seed)
        tifffile.imwrite(tmp_path / f"{name}.tif", image)
        tifffile.imwrite(tmp_path / f"{name}_cp_masks.tif", labels.astype(np.uint16))
    assert run("train", "--images", tmp_path, "--labels", tmp_path, "--task", "cells",
               "--ndim", 2, "--output", tmp_path / "m.unet", "--steps", 1,
               "--device", "cpu", "--patch", "32,32") == 0  # fmt: skip
    images = Model.load(tmp_path / "m.unet").provenance["data"]
    assert [image["name"] for image in images] == ["a", "b"]


def test_a_stopped_folder_goes_on_with_the_images_that_are_left(folder, monkeypatch, capsys):
    from unet_napari.folder_run import order as folder_order

    (folder / "images" / "b.tif").unlink()
    words = ("segment", folder / "images", "--model", folder / "model.unet",
             "--output", folder / "out", "--table", folder / "t.csv")  # fmt: skip
    whole = folder_order.segment_steps

    def stop(image, *rest, **options):
        if image.name == "c":
            raise KeyboardInterrupt
        return whole(image, *rest, **options)

    monkeypatch.setattr(folder_order, "segment_steps", stop)
    assert run(*words) == 130
    first = rows_of(folder / "t.csv")
    assert {row["image"] for row in first} == {"a"}
    before = (folder / "out" / "a.tif").stat().st_mtime_ns
    monkeypatch.setattr(folder_order, "segment_steps", whole)
    assert run(*words) == 2
    assert run(*words, "--resume") == 0
    assert (folder / "out" / "a.tif").stat().st_mtime_ns == before
    rows = rows_of(folder / "t.csv")
    assert [row for row in rows if row["image"] == "a"] == first
    assert {row["image"] for row in rows} == {"a", "c"}
    assert run(*words, "--resume", "--min-size", 30) == 0  # other settings: all is done again
    assert (folder / "out" / "a.tif").stat().st_mtime_ns > before


def test_a_list_and_a_sheet_of_all_images(folder, capsys):
    words = ("segment", folder / "images", "--model", folder / "model.unet", "--output",
             folder / "out", "--list", folder / "list.csv",
             "--sheet", folder / "sheet.png")  # fmt: skip
    assert run(*words) == 1
    rows = rows_of(folder / "list.csv")
    assert [(row["image"], row["state"]) for row in rows] == [
        ("a", "done"), ("b", "failed"), ("c", "done")
    ]  # fmt: skip
    assert "3 channels" in rows[1]["message"]
    for row in rows[::2]:
        labels = read_image(row["result"]).read()[0]
        assert int(row["objects"]) == labels.max()
        assert 0 < float(row["doubt"]) <= float(row["worst_doubt"]) <= 1
        assert labels[tuple(map(int, row["worst_at"].split()))] > 0
    picture = png_decode((folder / "sheet.png").read_bytes())
    assert picture.shape[1] > 2 * 128
    tifffile.imwrite(folder / "out" / "a.tif", np.zeros((96, 128), np.uint8))  # somebody's own
    assert run(*words, "--resume") == 1
    states = {row["image"]: row["state"] for row in rows_of(folder / "list.csv")}
    assert states == {"a": "kept", "b": "failed", "c": "unchanged"}
    assert "so they are kept" in capsys.readouterr().err
    assert run(*words) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_what_takes_more_than_ten_minutes_is_said_before(folder, monkeypatch, capsys):
    from unet_napari.inference.running.predictor import Predictor

    summary = Predictor.summary
    monkeypatch.setattr(
        Predictor, "summary", lambda self, *views: replace(summary(self, *views), seconds=1500.0)
    )
    (folder / "images" / "b.tif").unlink()
    monkeypatch.setattr("unet_napari.cli.progress_bar.LONG_RUN", 0.0)
    assert run("segment", folder / "images", "--model", folder / "model.unet",
               "--output", folder / "out") == 0  # fmt: skip
    said = capsys.readouterr().err
    first = said.index("This will take about 25 min. If it is stopped, the same command goes on")
    assert first < said.index("a: written to")
    assert said.count("All 2 images will take about") == 1
    assert "--resume goes on" in said
