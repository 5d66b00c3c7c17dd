"""What is copied is Python that compiles and a command that is understood."""

import ast
import shlex

import pytest

from unet_napari.cli import _parser
from unet_napari.inference.config import InferenceConfig
from unet_napari.recipes.results import Measuring, Segmenting
from unet_napari.recipes.told import ImageFile, with_notes

CHANGES = {
    "tile": [64, 64],
    "slicewise": True,
    "diameter": 31.5,
    "link": "T",
    "memory": 2**31,
    "device": "cpu",
    "halo": "measured",
}


def segmenting(image=None, **changes):
    settings = InferenceConfig.from_dict(changes).to_dict()
    image = image or ImageFile("my cells.tif")
    return Segmenting(image, "nuclei", settings, {"min_size": 20}, "my cells-labels.tif")


def called(text, function):
    """Return the keywords of a call in a program, as values."""
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    (call,) = [c for c in calls if c.func.id == function]
    return {k.arg: ast.literal_eval(k.value) for k in call.keywords}


def test_only_what_is_not_usual_is_said():
    text = segmenting().python()
    assert text.startswith("from unet_napari import segment\n")
    assert called(text, "segment") == {"thresholds": {"min_size": 20}}
    assert segmenting().command() == (
        "unet-napari segment 'my cells.tif' --model nuclei --output 'my cells-labels.tif' "
        "--min-size 20"
    )


@pytest.mark.parametrize("name", CHANGES)
def test_each_setting_comes_back_from_both(name):
    recipe = segmenting(**{name: CHANGES[name]})
    assert called(recipe.python(), "segment")[name] == CHANGES[name]
    parsed = _parser().parse_args(shlex.split(recipe.command())[1:])
    found = getattr(parsed, name)
    assert (list(found) if isinstance(found, tuple) else found) == CHANGES[name]


def test_how_the_image_is_read_is_said():
    image = ImageFile("a.tif", "", "TZYX", 2, {"Y": 0.5})
    text = segmenting(image).python()
    assert called(text, "read_image") == {"axes": "TZYX", "channel": 2, "pixel_size": {"Y": 0.5}}
    words = shlex.split(segmenting(image).command())
    assert words[words.index("--axes") + 1] == "TZYX"
    assert words[words.index("--channel") + 1] == "2"
    parsed = _parser().parse_args(words[1:])
    assert parsed.scale == {"Y": 0.5}
    assert segmenting(image).notes(command=True) == []


def test_a_layer_without_a_file_and_a_part_are_said_first():
    image = ImageFile("cells.tif", "cells", "YX")
    recipe = Segmenting(image, "nuclei", {}, {}, "out.tif", measured=True, part=True)
    lines = with_notes(recipe, command=False).splitlines()
    assert lines[0].startswith("# Made by unet-napari ")
    assert "Save the layer 'cells' as 'cells.tif' first" in lines[1]
    assert "whole image" in lines[2]
    assert called(recipe.python(), "measure") == {}
    assert recipe.command().endswith("--axes YX --table out.csv")
    said = "YX=(1 2, 30 4, 5 60),Z=3"
    recipe = Segmenting(image, "nuclei", {}, {}, "out.tif", region=said)
    assert called(recipe.python(), "segment") == {"region": said}
    assert _parser().parse_args(shlex.split(recipe.command())[1:]).region == said
    assert not any("whole image" in note for note in recipe.notes(command=True))


def test_a_measurement_is_told_with_and_without_an_image():
    labels = ImageFile("l.tif", "l", "ZYX", None, {"Z": 2.0, "Y": 1.0, "X": 1.0})
    alone = Measuring(labels, None, "l.csv", slicewise=True)
    assert called(alone.python(), "measure") == {"slicewise": True}
    assert called(alone.python(), "read_image")["axes"] == "ZYX"
    assert alone.command() == (
        "unet-napari measure l.tif --axes ZYX --scale Z=2.0,Y=1.0,X=1.0 --slicewise --output l.csv"
    )
    both = Measuring(labels, ImageFile("i.tif", channel=1), "l.csv")
    assert called(both.python(), "read_image") == {"channel": 1}
    parsed = _parser().parse_args(shlex.split(both.command())[1:])
    assert (str(parsed.image), parsed.channel) == ("i.tif", 1)
