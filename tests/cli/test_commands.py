import csv
import platform
import re
from importlib.metadata import version
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
import torchvision

from unet_napari import Model, attention_maps, read_image, segment
from unet_napari.cli import main
from unet_napari.errors import ResourceError
from unet_napari.images import Normalisation
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask
from unet_napari.training import Trainer


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


def train(folder, *more, task="cells"):
    return run("train", "--images", folder / "image.tif", "--labels", folder / "truth.tif",
               "--task", task, "--ndim", 2, "--output", folder / "new.unet", "--device", "cpu",
               "--unpainted", "background", "--patch", "32,32", "--batch", 1, *more)  # fmt: skip


def test_every_setting_has_an_option(folder):
    assert train(
        folder, "--steps", 2, "--validation", 0.3, "--warmup", 0.1, "--clip", 0.5,
        "--memory", "1GiB", "--optimizer", "adam", "--learning-rate", 0.002,
        "--weight-decay", 0.1, "--full-precision",
        "--patience", 3, "--network-option", "features=[4,8]", "--loss-option", "alpha=0.3",
        "--loss-option", "border_weight=5", "--task-option", "reach=8",
        "--no-augmentation", "--augment", "flip=true",
    ) == 0  # fmt: skip
    info = Model.load(folder / "new.unet").info
    said = info.provenance["settings"]
    expected = {
        "steps": 2, "seconds": None, "validation": 0.3, "warmup": 0.1, "clip": 0.5,
        "memory": 2**30, "optimiser": "adam", "learning_rate": 0.002, "weight_decay": 0.1,
        "mixed_precision": False, "patience": 3, "batch": 1,
    }  # fmt: skip
    assert {name: said[name] for name in expected} == expected
    assert said["augment"]["flip"]
    assert said["augment"]["resampled"] == said["augment"]["recoloured"] == 0
    criterion = info.task["criterion"]
    assert (criterion["name"], criterion["alpha"], criterion["border_weight"]) == (
        "bce+dice",
        0.3,
        5,
    )
    assert info.task["reach"] == 8


def test_class_weights_follow_the_frequencies(folder):
    classes = (tifffile.imread(folder / "truth.tif") > 0).astype(np.uint8) + 1
    tifffile.imwrite(folder / "truth.tif", classes)
    assert train(folder, "--steps", 1, "--loss", "focal", "--loss-option", "gamma=1",
                 "--loss-option", "class_weights=frequency", task="semantic") == 0  # fmt: skip
    criterion = Model.load(folder / "new.unet").info.task["criterion"]
    assert (criterion["name"], criterion["gamma"]) == ("focal", 1)
    shares = np.array([(classes == 1).mean(), (classes == 2).mean()])
    assert criterion["class_weights"] == pytest.approx(0.5 / shares)


def test_imagenet_weights_are_read_from_a_file(folder, capsys):
    weights = torchvision.models.resnet18().state_dict()
    weights["bn1.bias"] += 7
    torch.save(weights, folder / "resnet18.pth")
    words = ("--network", "resnet_unet", "--network-option", "depth=18", "--network-option",
             "features=[4,4,4,8,8]", "--steps", 1, "--learning-rate", 1e-9,
             "--pretrained", folder / "resnet18.pth")  # fmt: skip
    assert train(folder, *words) == 0
    found = Model.load(folder / "new.unet").network.encoder.backbone.bn1.bias
    torch.testing.assert_close(found, weights["bn1.bias"], rtol=0, atol=1e-6)
    assert train(folder, *words, "--from", folder / "model.unet", "--overwrite") == 2
    assert "ImageNet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--loss", "ce"), "no loss 'ce' for this task, only bce, dice, focal and sums of them"),
        (("--loss-option", "beta=1"), "no setting beta"),
        (("--loss-option", "alpha=2"), "alpha of the loss"),
        (("--loss-option", "class_weights=frequency"), "class_weights"),
        (("--task-option", "width=3"), "no setting width"),
        (("--network-option", "size=3"), "no option 'size'"),
        (("--network-option", "features=huge"), "small, original, large"),
        (
            ("--augment", "rotation=much"),
            "--augment rotation must be a number from 0 to 180 degrees",
        ),
        (("--augment", "flip=2"), "--augment flip must be true or false"),
        (("--augment", "spin=2"), "augment.spin"),
        (("--pretrained",), "no pretrained weights for unet"),
        (("--pretrained", "nowhere.pth", "--network", "resnet_unet"), "nowhere.pth"),
        (("--validation", 0.9), "--validation must be a number from 0 to 0.5"),
        (("--steps", 0), "steps"),
        (("--clip", -1), "--clip must be a number above 0"),
    ],
)
def test_a_wrong_setting_is_named_before_the_training(folder, capsys, more, message):
    assert train(folder, *more) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert "step 1" not in err
    assert not (folder / "new.unet").exists()


def test_info_lists_the_models_and_networks_that_there_are(
    trained_model, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("UNET_NAPARI_MODELS", str(tmp_path))
    trained_model.save(tmp_path / "mine.unet")
    (tmp_path / "broken.unet").write_bytes(b"no model")
    assert run("info") == 0
    out = capsys.readouterr().out
    assert re.search(r"mine +cells, 2D, 1 channel", out)
    assert re.search(r"broken +damaged: ", out)
    assert "7,762,498 (features=small), 31,036,546 (features=original)" in out
    assert "28,763,234 (depth=50)" in out


def test_info_tells_what_a_bug_report_needs_and_nothing_personal(capsys):
    assert run("info", "--system") == 0
    lines = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["torch"].strip() == version("torch")
    assert {"Device in 2D", "Device in 3D"} <= lines.keys()
    assert lines["Python"].split()[-1] == platform.python_version()
    assert re.search(r"\d (GiB|MiB)$", lines["Free memory"])
    assert str(Path.home()) not in "".join(lines.values())


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


@pytest.mark.parametrize("step", [0, 2])
def test_an_interrupted_training_leaves_the_model_of_its_last_step(
    folder, step, monkeypatch, capsys
):
    learn = Trainer._learn

    def interrupted(trainer, fraction):
        if trainer.steps == step:
            raise KeyboardInterrupt
        return learn(trainer, fraction)

    monkeypatch.setattr(Trainer, "_learn", interrupted)
    ended = train(folder, "--steps", 1000, "--validation", 0)
    err = capsys.readouterr().err
    if step == 0:
        assert ended == 2
        assert "no model" in err
        assert not (folder / "new.unet").exists()
    else:
        assert ended == 0
        assert "model of step 2 written" in err
        assert Model.load(folder / "new.unet").provenance["step"] == 2


def test_a_training_that_fails_on_the_way_says_which_model_is_kept(folder, monkeypatch, capsys):
    learn = Trainer._learn

    def failing(trainer, fraction):
        if trainer.steps == 2:
            raise ResourceError("There is not enough memory for a single patch.")
        return learn(trainer, fraction)

    monkeypatch.setattr(Trainer, "_learn", failing)
    assert train(folder, "--steps", 1000, "--validation", 0) == 2
    step = Model.load(folder / "new.unet").provenance["step"]
    said = f"for a single patch. The model of step {step} is kept in {folder / 'new.unet'}."
    assert said in capsys.readouterr().err


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
