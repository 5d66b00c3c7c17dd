"""The command that trains: settings, messages, and what is left of a training that is ended."""

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

from command_line import run
from unet_napari import Model
from unet_napari.collection.kept_facts import KeptFacts
from unet_napari.errors import ResourceError
from unet_napari.model.info import read_info
from unet_napari.training.run.stepper import Stepper


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
               "--unpainted", "background", "--patch", "32,32", "--batch", 1,
               "--start-from", "nothing", *more)  # fmt: skip


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


def test_background_that_a_dock_has_saved_is_no_cell(folder, monkeypatch):
    """The number that means it is kept beside the labels."""
    labels = tifffile.imread(folder / "truth.tif").astype(np.uint16)
    labels[:8] = 65535
    tifffile.imwrite(folder / "image_labels.tif", labels)
    facts = {"image.tif": {"labels": "image_labels.tif", "background": 65535}}
    KeptFacts(folder).change(facts)
    seen = []
    monkeypatch.setattr(
        "unet_napari.training.state.drive.make_trainer",
        lambda pairs, *_: (seen.extend(pairs), pytest.exit)[1](),
    )
    words = ("train", "--images", folder / "image.tif", "--labels", folder / "image_labels.tif",
             "--ndim", 2, "--output", folder / "new.unet")  # fmt: skip
    for more in (("--task", "cells"), ("--task", "semantic")):
        with pytest.raises(pytest.exit.Exception):
            run(*words, *more)
    cells, classes = seen
    np.testing.assert_array_equal(cells.labels[...], np.where(labels == 65535, 0, labels))
    np.testing.assert_array_equal(cells.annotated[...], labels == 65535)
    np.testing.assert_array_equal(classes.labels[...], labels)  # there it is a class like others


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
        (("--loss", "ce"), "no loss 'ce' for this task, only bce, "),
        (("--start-from", "nobody"), "There is no model 'nobody'. Models to choose from: "),
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


def stop_at(monkeypatch, step, error):
    """Let a training end with an error after so many steps."""
    learn, made = Stepper.step, []

    def interrupted(stepper, fraction):
        if len(made) == step:
            raise error
        made.append(fraction)
        return learn(stepper, fraction)

    monkeypatch.setattr(Stepper, "step", interrupted)


@pytest.mark.parametrize("step", [0, 2])
def test_an_interrupted_training_leaves_the_model_of_its_last_step(
    folder, step, monkeypatch, capsys
):
    stop_at(monkeypatch, step, KeyboardInterrupt())
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
    stop_at(monkeypatch, 2, ResourceError("There is not enough memory for a single patch."))
    assert train(folder, "--steps", 1000, "--validation", 0) == 2
    step = Model.load(folder / "new.unet").provenance["step"]
    said = f"for a single patch. The model of step {step} is kept in {folder / 'new.unet'}."
    assert said in capsys.readouterr().err


def test_a_training_that_was_stopped_is_resumed(folder, monkeypatch, capsys):
    with monkeypatch.context() as patched:
        stop_at(patched, 3, KeyboardInterrupt())
        assert train(folder, "--steps", 6) == 0
    assert Model.load(folder / "new.unet").provenance["steps"] == 3
    capsys.readouterr()
    assert train(folder, "--resume", folder / "new.unet") == 0
    err = capsys.readouterr().err
    assert "model of step" in err
    assert Model.load(folder / "new.unet").provenance["steps"] == 6
    assert read_info(folder / "new.versions" / "1.unet").provenance["steps"] == 3
    assert train(folder, "--resume", folder / "none.unet", "--overwrite") == 2
    assert "There is no training to continue" in capsys.readouterr().err


def test_a_live_training_rests_until_it_is_stopped(folder, monkeypatch, capsys):
    def ctrl_c():
        raise KeyboardInterrupt

    monkeypatch.setattr("unet_napari.training.run.stillness.Stillness.is_still", still_after(4))
    monkeypatch.setattr("unet_napari.cli.commands.train._wait_for_ctrl_c", ctrl_c)
    assert train(folder, "--live") == 0
    err = capsys.readouterr().err
    assert "resting" in err
    assert "inf" not in err
    assert Model.load(folder / "new.unet").provenance["steps"] == 4


def still_after(steps):
    """Return what tells that nothing is to be gained after so many steps."""
    looks = []

    def is_still(*_):
        looks.append(None)
        return len(looks) > steps

    return is_still
