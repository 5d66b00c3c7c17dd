from dataclasses import replace

import numpy as np
import pytest

from unet_napari._napari.sections.fit import describe_fit, misfit, pixel_size_text
from unet_napari.images import Image
from unet_napari.model.info import ModelInfo


def model(*, ndim=2, channels=1, pixel_size=None):
    return ModelInfo(
        name="nuclei",
        task={"name": "cells"},
        network={"name": "unet", "options": {}},
        normalisation={},
        channels=channels,
        ndim=ndim,
        parameters=1,
        pixel_size=pixel_size or {},
    )


def image(axes, shape, **options):
    return Image(np.zeros(shape), axes, name="cells", **options)


def test_what_suits_is_not_refused():
    assert misfit(image("ZYX", (5, 20, 30)), model(ndim=2)) == ""
    assert misfit(image("ZYX", (5, 20, 30)), model(ndim=3)) == ""
    assert misfit(image("YXC", (20, 30, 3)), model(channels=3)) == ""


def test_the_transparency_of_a_colour_picture_is_no_channel_to_a_model_of_colours():
    picture = image("YXC", (20, 30, 4))
    assert misfit(picture, model(channels=3)) == ""
    assert "4 channels" in misfit(picture, model(channels=1))
    assert "4 channels" in misfit(image("CYX", (4, 20, 30)), model(channels=3))
    assert "channel 3 of" in misfit(picture.select(C=3), model(channels=3))


def test_a_wrong_number_of_channels_is_told_for_both():
    problem = misfit(image("YXC", (20, 30, 3)), model())
    for words in ("'nuclei'", "1 channel,", "'cells'", "3 channels"):
        assert words in problem


def test_a_model_of_one_channel_asks_for_a_channel():
    picture = image("YXC", (20, 30, 3))
    assert "Choose a Channel (under Data)" in misfit(picture, model())
    assert misfit(picture.select(C=2), model()) == ""
    assert describe_fit(picture.select(C=2), model()) == "YXC, 20 x 30, 2D model, channel 2"
    assert "Leave Channel empty" in misfit(picture.select(C=2), model(channels=3))
    assert "a Channel" not in misfit(picture, model(channels=2))


def test_a_3d_model_needs_a_stack():
    assert "needs a stack" in misfit(image("TYX", (5, 20, 30)), model(ndim=3))


@pytest.mark.parametrize(
    ("picture", "info", "line"),
    [
        (image("YX", (20, 30)), model(), "YX, 20 x 30, 2D model"),
        (image("ZYX", (5, 20, 30)), model(), "ZYX, 5 x 20 x 30, 2D model, slices become 3D cells"),
        (image("TYX", (5, 20, 30)), model(), "TYX, 20 x 30, 2D model, 5 time points"),
    ],
)
def test_what_will_be_done_is_told(picture, info, line):
    assert describe_fit(picture, info) == line


def test_slices_that_stay_apart_are_told():
    stack, line = image("ZYX", (5, 20, 30)), "ZYX, 5 x 20 x 30, 2D model, slice by slice"
    assert describe_fit(stack, model(), slicewise=True) == line
    assert describe_fit(stack, replace(model(), task={"name": "semantic"})) == line


def test_pixel_sizes_that_differ_are_told_with_the_factor():
    picture = image("YX", (20, 30), pixel_size={"Y": 0.25, "X": 0.25})
    line = describe_fit(picture, model(pixel_size={"Y": 0.5, "X": 0.5}))
    assert "Pixels of 0.25 µm, 0.5 times as large as those of 0.5 µm" in line
    assert "times" not in describe_fit(picture, model(pixel_size={"Y": 0.3, "X": 0.3}))
    assert "times" not in describe_fit(picture, model())


def test_a_pixel_size_is_written_with_its_depth():
    assert pixel_size_text({"Y": 0.25, "X": 0.25}) == "0.25 µm"
    assert pixel_size_text({"Z": 1.0, "Y": 0.25, "X": 0.25}) == "0.25 µm (Z 1 µm)"
