"""A result says where it comes from, and is made again."""

import shutil

import numpy as np
import pytest
import tifffile
import zarr

from unet_napari.cli import main
from unet_napari.images.result_record import read_record
from unet_napari.inference.results.methods import describe_methods


@pytest.fixture(scope="module")
def made(tmp_path_factory, trained_model, painted_nuclei):
    """A folder with an image, a model and labels, which tests copy."""
    folder = tmp_path_factory.mktemp("made")
    size = {"resolution": (4, 4), "metadata": {"axes": "YX", "unit": "um"}}
    tifffile.imwrite(folder / "image.tif", painted_nuclei[0], imagej=True, **size)
    trained_model.save(folder / "mine.unet")
    words = ["segment", folder / "image.tif", "--model", folder / "mine.unet"]
    assert run(*words, "--output", folder / "r.ome.tif", "--min-size", 20, "--device", "cpu") == 0
    return folder


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "moved")


def run(*words):
    return main([str(word) for word in words])


def test_the_record_tells_model_image_settings_and_versions(folder, trained_model, capsys):
    record = read_record(folder / "r.ome.tif")
    assert record.model.path == "mine.unet"
    assert record.image.path == "image.tif"
    assert record.image.pixel_size == pytest.approx({"Y": 0.25, "X": 0.25})
    assert record.thresholds == {"min_size": 20}
    assert record.settings["device"] == "cpu"
    assert record.computed["device"] == "cpu"
    assert run("info", folder / "r.ome.tif") == 0
    lines = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert record.model.digest in lines["Model"]
    assert lines["Network"].strip() == "U-Net, 2D, cells"
    assert lines["Settings"].strip() == "device cpu, min size 20"
    assert record.image.digest in lines["Image"]


def test_a_paragraph_cites_what_was_used_and_nothing_else(folder, capsys):
    assert run("info", folder / "r.ome.tif", "--methods") == 0
    text = capsys.readouterr().out
    assert "2D U-Net [2] of the model 'mine'" in text
    assert "with min size 20" in text
    assert "Ronneberger et al. 2015" in text
    for absent in ("Çiçek", "averaged", "linked", "scaled", "nuclei"):
        assert absent not in text, absent
    paragraph, _, listed = text.strip().partition("\n\n")
    numbers = [line.split("]")[0][1:] for line in listed.splitlines()]
    assert numbers == [str(n + 1) for n in range(len(numbers))]
    for number in numbers:
        assert f"[{number}]" in paragraph


def test_settings_that_change_the_result_are_in_the_paragraph(folder):
    record = read_record(folder / "r.ome.tif")
    settings = {**record.settings, "tta": True, "link": "T", "slicewise": True}
    computed = {**record.computed, "backend": "openvino", "diameter": 31.0, "precision": "int8"}
    image = type(record.image).from_dict({**record.image.to_dict(), "axes": "TZYX"})
    values = {**record.to_dict(), "settings": settings, "computed": computed}
    text = describe_methods(type(record).from_dict({**values, "image": image.to_dict()}))
    for present in ("averaged over flips", "linked by their overlap", "31 pixels", "one by one",
                    "OpenVINO", "8 bits"):  # fmt: skip
        assert present in text, present
    assert "PyTorch" not in text


def test_a_result_is_made_again_bit_for_bit_where_it_was_moved_to(folder, capsys):
    assert run("reproduce", folder / "r.ome.tif") == 0
    assert capsys.readouterr().out == "The labels are the same, bit for bit.\n"


def test_what_differs_is_said(folder, capsys):
    path = folder / "r.ome.tif"
    labels = tifffile.memmap(path, mode="r+")
    labels[3, 5:7] = 4242
    labels.flush()
    pixels = tifffile.memmap(folder / "image.tif", mode="r+")
    pixels[0, 0] += 1
    pixels.flush()
    assert run("reproduce", path) == 1
    out = capsys.readouterr().out
    assert "The pixels of the image are others" in out
    assert "The labels differ in 2 of 12,288 pixels" in out
    assert "for the first time at Y 3, X 5" in out
    assert "was 4,242" in out


@pytest.mark.parametrize(
    ("gone", "message"),
    [("image.tif", "'image.tif', is not here: say where it is with --image"),
     ("mine.unet", "The model 'mine' of this result is not here: say where it is with --model"),
     ("r.ome.tif", "There is no file")],
)  # fmt: skip
def test_what_is_missing_is_one_line_with_the_remedy(folder, capsys, gone, message):
    (folder / gone).rename(folder / "elsewhere")
    assert run("reproduce", folder / "r.ome.tif") == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    if gone == "image.tif":
        (folder / "elsewhere").rename(folder / "other.tif")
        assert run("reproduce", folder / "r.ome.tif", "--image", folder / "other.tif") == 0


def test_labels_inside_their_image_are_told_measured_and_made_again(folder, painted_nuclei, capsys):
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    steps = [{"type": "scale", "scale": [0.25, 0.25]}]
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": steps}]}
    ome = {"version": "0.5", "multiscales": [image]}
    group = zarr.create_group(str(folder / "cells.zarr"), attributes={"ome": ome})
    group.create_array("0", data=painted_nuclei[0])
    place = folder / "cells.zarr" / "labels" / "found"
    assert run("segment", folder / "cells.zarr", "--model", folder / "mine.unet",
               "--output", place) == 0  # fmt: skip
    assert read_record(place).image.path == ".."  # from the folder of the labels
    capsys.readouterr()
    assert run("info", place) == 0
    assert "cells (file ..), Y 96 x X 128" in capsys.readouterr().out
    assert run("reproduce", place) == 0
    assert run("measure", place, "--image", folder / "cells.zarr") == 0
    assert "area_um2" in capsys.readouterr().out
    assert not list((folder / "cells.zarr" / "labels").glob(".*"))


@pytest.mark.parametrize("words", [["reproduce"], ["info"], ["info", "--methods"]])
def test_a_result_without_a_record_is_one_clear_line(tmp_path, capsys, words):
    tifffile.imwrite(tmp_path / "old.tif", np.zeros((5, 6), np.uint16))
    command, *flags = words
    assert run(command, tmp_path / "old.tif", *flags) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert "old.tif has no record of how it was made" in error[0]


def test_a_paragraph_without_a_result_is_refused(capsys):
    assert run("info", "--methods") == 2
    assert "info RESULT.tif --methods" in capsys.readouterr().err
