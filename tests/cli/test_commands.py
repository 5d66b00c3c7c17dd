import csv
import re

import numpy as np
import pytest
import tifffile
import torch

from command_line import run
from unet_napari import Model, attention_maps, read_image, segment
from unet_napari.images import Normalisation
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask


def test_segment_writes_what_python_computes_with_its_geometry(folder, painted_nuclei, capsys):
    table = folder / "cells.csv"
    output = folder / "labels.tif"
    assert run("segment", folder / "image.tif", "--model", folder / "model.unet",
               "--output", output, "--table", table) == 0  # fmt: skip
    written = read_image(output)
    expected = segment(painted_nuclei[0], folder / "model.unet")
    np.testing.assert_array_equal(written.data[:], expected)
    assert written.axes == "YX"
    assert written.pixel_size == pytest.approx({"Y": 0.25, "X": 0.25})
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["label"]) for row in rows] == list(range(1, expected.max() + 1))
    assert float(rows[0]["area_um2"]) == pytest.approx((expected == 1).sum() / 16)
    assert capsys.readouterr().out == ""


def test_thresholds_take_the_place_of_the_models(folder, painted_nuclei):
    output = folder / "labels.tif"
    words = ("segment", folder / "image.tif", "--model", folder / "model.unet", "--output", output)
    changes = ("--min-size", 60, "--foreground-threshold", 0.7, "--boundary-threshold", 1)
    assert run(*words, *changes) == 0
    thresholds = {"min_size": 60, "foreground_threshold": 0.7, "boundary_threshold": 1}
    expected = segment(painted_nuclei[0], folder / "model.unet", thresholds=thresholds)
    np.testing.assert_array_equal(read_image(output).data[:], expected)
    assert not np.array_equal(expected, segment(painted_nuclei[0], folder / "model.unet"))


@pytest.fixture
def untrained(tmp_path, painted_nuclei):
    """A folder with an image and two untrained models, one of which has attention gates."""
    size = {"resolution": (4, 4), "metadata": {"axes": "YX", "unit": "um"}}
    tifffile.imwrite(tmp_path / "image.tif", painted_nuclei[0], imagej=True, **size)
    for name in ("unet", "attention_unet"):
        torch.manual_seed(0)
        options = {"in_channels": 1, "out_channels": 3, "features": (4, 6, 8)}
        network = build_network(name, options).eval()
        Model(network, CellsTask(), Normalisation()).save(tmp_path / f"{name}.unet")
    return tmp_path


def test_the_gates_of_an_attention_unet_are_written(untrained, painted_nuclei):
    gates, model = untrained / "gates.tif", untrained / "attention_unet.unet"
    assert run("segment", untrained / "image.tif", "--model", model,
               "--output", untrained / "labels.tif", "--attention", gates) == 0  # fmt: skip
    written = read_image(gates)
    np.testing.assert_array_equal(written.read(), attention_maps(painted_nuclei[0], model))
    assert written.axes == "CYX"
    assert written.pixel_size == pytest.approx({"Y": 0.25, "X": 0.25})


def test_gates_that_cannot_be_written_stop_the_command(untrained, capsys):
    words = ("segment", "--attention", untrained / "gates.tif", "--model")
    image, labels = untrained / "image.tif", untrained / "labels.tif"
    assert run(*words, untrained / "unet.unet", "--output", labels, image) == 2
    assert "no attention gates" in capsys.readouterr().err
    assert not labels.exists()
    other = untrained / "other.tif"
    tifffile.imwrite(other, np.zeros((20, 20), np.uint8))
    model, results = untrained / "attention_unet.unet", untrained / "results"
    assert run(*words, model, "--output", results, image, other) == 2
    assert "one image, but there are 2" in " ".join(capsys.readouterr().err.split())
    assert not (untrained / "gates.tif").exists()


def test_several_images_go_into_a_folder(folder):
    tifffile.imwrite(folder / "other.tif", tifffile.imread(folder / "image.tif")[:50])
    output = folder / "results"
    assert run("segment", folder / "image.tif", folder / "other.tif",
               "--model", folder / "model.unet", "--output", output) == 0  # fmt: skip
    assert sorted(path.name for path in output.iterdir()) == ["image.tif", "other.tif"]
    assert read_image(output / "other.tif").shape == (50, 128)


def test_an_existing_output_is_replaced_only_on_request(folder, capsys):
    output = folder / "labels.tif"
    output.write_bytes(b"precious")
    words = ("segment", folder / "image.tif", "--model", folder / "model.unet", "--output", output)
    assert run(*words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert output.read_bytes() == b"precious"
    assert run(*words, "--overwrite") == 0
    assert read_image(output).shape == (96, 128)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "nowhere.tif"}, "no file or folder .*nowhere"),
        ({"image": "model.unet"}, "model.unet"),
        ({"--model": "nowhere"}, "no model .*nowhere"),
        ({"--model": "image.tif"}, "image.tif"),
        ({"--output": "missing/labels.tif"}, "missing"),
        ({"--axes": "ZYX"}, "ZYX"),
        ({"--channel": "3"}, "channel 3"),
    ],
)
def test_a_mistake_gives_one_line_and_no_file(folder, monkeypatch, capsys, change, message):
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    words = {"image": "image.tif", "--model": "model.unet", "--output": "labels.tif"} | change
    options = [word for pair in words.items() if pair[0] != "image" for word in pair]
    assert run("segment", words["image"], *options) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert re.search(message, lines[-1])
    assert lines[-1].startswith("unet-napari: error: ")
    assert "Traceback" not in "".join(lines)
    assert sorted(folder.iterdir()) == before


def train(folder, *more, task="cells"):
    return run("train", "--images", folder / "image.tif", "--labels", folder / "truth.tif",
               "--task", task, "--ndim", 2, "--output", folder / "new.unet", "--device", "cpu",
               "--unpainted", "background", "--patch", "32,32", "--batch", 1, *more)  # fmt: skip


def test_the_demo_without_a_display_leaves_labels_and_a_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("demo", "--headless", "--time", "3s") == 0
    assert re.search(r"\d+ objects found; AP50 \d\.\d\d", capsys.readouterr().out)
    results = tmp_path / "unet-napari-demo"
    assert sorted(p.name for p in results.iterdir()) == ["demo.unet", "labels.tif", "overlay.png"]
    assert read_image(results / "labels.tif").shape == (512, 512)


def test_an_unknown_word_is_explained(capsys):
    with pytest.raises(SystemExit) as stopped:
        run("sgement")
    assert stopped.value.code == 2
    assert "segment" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: of 12 bytes")],
    ids=["NumPy's", "torch's"],
)
def test_memory_that_runs_out_is_told_in_one_line(error, folder, capsys, monkeypatch):
    def load(_name):
        raise error

    monkeypatch.setattr(Model, "load", load)
    assert run("segment", folder / "image.tif", "--output", folder / "labels.tif") == 2
    assert capsys.readouterr().err.strip().startswith("unet-napari: error: The memory")


def test_a_defect_of_the_program_is_not_hidden(folder, monkeypatch):
    def load(_name):
        raise RuntimeError("a defect")

    monkeypatch.setattr(Model, "load", load)
    with pytest.raises(RuntimeError, match="a defect"):
        run("segment", folder / "image.tif", "--output", folder / "labels.tif")


@pytest.mark.parametrize("named", [True, False])
def test_a_time_series_of_stacks_is_trained_on_and_evaluated(tmp_path, named):
    labels = np.zeros((2, 3, 32, 40), np.uint16)
    labels[0, 1, 4:12, 4:12], labels[1, 2, 14:24, 20:34] = 1, 2
    tifffile.imwrite(tmp_path / "image.tif", labels * 90, imagej=True, metadata={"axes": "TZYX"})
    how = {"imagej": True, "metadata": {"axes": "TZYX"}} if named else {"photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "labels.tif", labels, **how)
    pair = ("--images", tmp_path / "image.tif", "--labels", tmp_path / "labels.tif")
    model = tmp_path / "model.unet"
    assert run("train", *pair, "--task", "cells", "--ndim", 2, "--output", model, "--steps", 1,
               "--device", "cpu", "--network-option", "features=[4,8]",
               "--patch", "16,16") == 0  # fmt: skip
    assert run("evaluate", *pair, "--model", model) == 0


@pytest.mark.parametrize(
    ("name", "note", "message"),
    [("x" * 210, "a=b", "at most 200 characters"), ("new", "a=" + "b" * 20_000, "cannot be saved")],
)
def test_a_model_that_cannot_be_described_is_not_trained(
    folder, monkeypatch, capsys, name, note, message
):
    monkeypatch.setattr("unet_napari.training.trainer.Trainer.run", lambda _: pytest.fail("began"))
    assert run("train", "--images", folder / "image.tif", "--labels", folder / "truth.tif",
               "--task", "cells", "--ndim", 2, "--output", folder / f"{name}.unet",
               "--device", "cpu", "--note", note) == 2  # fmt: skip
    assert message in capsys.readouterr().err


def test_a_number_of_the_labels_can_mean_background(tmp_path, capsys):
    labels = np.zeros((32, 40), np.uint16)
    labels[4:12, 4:12], labels[14:24, 20:34], labels[28:] = 1, 2, 9
    tifffile.imwrite(tmp_path / "image.tif", (labels == 1) * np.uint16(90))
    tifffile.imwrite(tmp_path / "labels.tif", labels)
    model = tmp_path / "model.unet"
    words = ("train", "--images", tmp_path / "image.tif", "--labels", tmp_path / "labels.tif",
             "--ndim", 2, "--output", model, "--steps", 1, "--device", "cpu",
             "--network-option", "features=[4,8]", "--patch", "16,16",
             "--background-id", 9)  # fmt: skip
    assert run(*words, "--task", "semantic") == 2
    assert "the background is a class like any other" in capsys.readouterr().err
    assert run(*words, "--task", "cells") == 0
    known = Model.load(model).info
    assert known.provenance["settings"]["background_id"] == 9
    assert 9 < known.diameter < 14  # of the two cells, the stroke of 160 pixels being none
