import csv
import re

import imagecodecs
import numpy as np
import pytest
import tifffile

from unet_napari import Model, read_image, segment
from unet_napari.cli import main


@pytest.fixture
def folder(tmp_path, trained_model, painted_nuclei):
    """A folder with an image, its labels and a model."""
    image, labels = painted_nuclei
    size = {"resolution": (4, 4), "metadata": {"axes": "YX", "unit": "um"}}
    tifffile.imwrite(tmp_path / "image.tif", image, imagej=True, **size)
    tifffile.imwrite(tmp_path / "truth.tif", labels)
    trained_model.save(tmp_path / "model.unet")
    return tmp_path


def run(*words):
    return main([str(word) for word in words])


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
    assert float(rows[0]["size_um2"]) == pytest.approx((expected == 1).sum() / 16)
    assert capsys.readouterr().out == ""


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


def test_train_writes_a_model_that_info_describes(folder, capsys):
    output = folder / "new.unet"
    words = ("train", "--images", folder / "image.tif", "--labels", folder / "truth.tif",
             "--task", "cells", "--ndim", 2, "--output", output, "--time", "2s",
             "--device", "cpu", "--unpainted", "background", "--patch", "32,32")  # fmt: skip
    assert run(*words) == 0
    assert Model.load(output).provenance["steps"] >= 1
    assert run("info", output) == 0
    assert "Network:      unet, 2D" in capsys.readouterr().out
    assert run(*words) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_the_network_and_its_training_can_be_chosen(folder):
    output = folder / "chosen.unet"
    assert run("train", "--images", folder / "image.tif", "--labels", folder / "truth.tif",
               "--task", "cells", "--ndim", 2, "--output", output, "--epochs", 1,
               "--network", "attention_unet", "--network-option", "features=[4,8]",
               "--network-option", "norm=group", "--loss", "focal", "--optimiser", "sgd",
               "--schedule", "plateau", "--augment", "elastic=0", "--patch", "32,32",
               "--device", "cpu", "--unpainted", "background") == 0  # fmt: skip
    info = Model.load(output).info
    assert info.network["name"] == "attention_unet"
    assert info.network["options"]["features"] == [4, 8]
    assert info.network["options"]["norm"] == "group"
    assert info.task["criterion"]["name"] == "focal"
    assert info.provenance["settings"]["schedule"] == "plateau"
    assert info.provenance["settings"]["augment"]["elastic"] == 0


def test_augmentation_can_be_looked_at(folder):
    picture = folder / "augmented.png"
    assert run("train", "--images", folder / "image.tif", "--labels", folder / "truth.tif",
               "--task", "cells", "--ndim", 2, "--output", folder / "unused.unet",
               "--unpainted", "background", "--show-augmentation", picture) == 0  # fmt: skip
    pixels = imagecodecs.png_decode(picture.read_bytes())
    assert pixels.ndim == 3
    assert pixels.std() > 10
    assert not (folder / "unused.unet").exists()


def test_training_that_cannot_be_saved_does_not_start(folder, capsys):
    (folder / "file").touch()
    output = folder / "file" / "m.unet"
    assert run("train", "--images", folder / "image.tif", "--labels", folder / "truth.tif",
               "--task", "cells", "--ndim", 2, "--output", output) == 2  # fmt: skip
    err = capsys.readouterr().err
    assert "m.unet" in err
    assert "step" not in err


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
