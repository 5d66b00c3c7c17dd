"""Where a model comes from, whatever number of images that is."""

import numpy as np
import pytest

from unet_napari.errors import OutputError
from unet_napari.images import Image
from unet_napari.model.description import describe_model
from unet_napari.model.schema import ModelInfo, encode_info, parse_info
from unet_napari.training.setup.provenance import describe_data

SIZES = {"Z": 1.0, "Y": 0.25, "X": 0.25}


def described(count, name="image"):
    image = Image(np.zeros((1, 1, 2, 3, 4), np.uint8), "TCZYX", SIZES, name=name)
    return describe_data([image] * count, [f"{number:064x}" for number in range(count)])


def info(provenance):
    return ModelInfo("mine", {"name": "cells"}, {"name": "unet", "options": {}}, {}, 1, 2, 3,
                     provenance=provenance)  # fmt: skip


def test_every_image_of_a_few_is_described():
    data = described(200)
    assert list(data) == ["data"]
    assert len(data["data"]) == 200
    assert data["data"][7] == {
        "name": "image",
        "axes": "TCZYX",
        "shape": [1, 1, 2, 3, 4],
        "dtype": "uint8",
        "pixel_size": SIZES,
        "sha256": f"{7:064x}",
    }


@pytest.mark.parametrize("count", [201, 1_500, 50_000])
def test_a_model_of_any_number_of_images_can_be_saved(count):
    data = described(count)
    assert len(data["data"]) == 200
    assert data["more_data"]["images"] == count - 200
    assert data["more_data"]["sha256"] != described(count + 1)["more_data"]["sha256"]
    classes = {"task": {"classes": list(range(1000)), "class_weights": [1.0] * 1000}}
    written = parse_info(encode_info(info(data | {"settings": classes})))
    assert f"{count - 200} " in describe_model(written).replace(",", "") + " "


@pytest.mark.parametrize("name", ["x" * 20_000, "caf\udce9.tif", "a\nb"])
def test_no_name_of_an_image_is_in_the_way(name):
    encode_info(info(described(1, name)))


@pytest.mark.parametrize(
    "notes", [{"long": "x" * 20_000}, {str(n): "x" * 9_000 for n in range(200)}]
)
def test_what_cannot_be_saved_is_refused(notes):
    with pytest.raises(OutputError, match="cannot be saved"):
        encode_info(info({"notes": notes}))
