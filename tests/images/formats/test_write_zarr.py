"""OME-Zarr results are as the format wants them: https://ngff.openmicroscopy.org/0.5/."""

import json

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari.errors import OutputError
from unet_napari.images import open_output, read_image
from unet_napari.images.formats import write_zarr


def write(path, values, axes="YX", sizes=None, *, labels=True, overwrite=False):
    with open_output(
        path,
        shape=values.shape,
        dtype=values.dtype,
        axes=axes,
        pixel_size=sizes or {},
        labels=labels,
        overwrite=overwrite,
    ) as out:
        out[...] = values


def attributes(path, kind=3):
    if kind == 2:
        return json.loads((path / ".zattrs").read_text())
    node = json.loads((path / "zarr.json").read_text())
    assert node["zarr_format"] == 3
    assert node["node_type"] == "group"
    return node["attributes"]["ome"]


def check_multiscales(path, ome, kind=3):
    """What the specification says that a multiscales image must have."""
    (image,) = ome["multiscales"]
    names = [axis["name"] for axis in image["axes"]]
    kinds = [axis["type"] for axis in image["axes"]]
    assert 2 <= len(names) <= 5
    assert sorted(kinds, key=["time", "channel", "space"].index) == kinds
    assert 2 <= kinds.count("space") <= 3
    if kind == 3:
        assert ome["version"] == "0.5"
    else:
        assert image["version"] == "0.4"
    shapes = []
    for dataset in image["datasets"]:
        array = zarr.open_array(str(path / dataset["path"]), mode="r")
        steps = dataset["coordinateTransformations"]
        assert [step["type"] for step in steps] in (["scale"], ["scale", "translation"])
        assert all(len(step[step["type"]]) == array.ndim for step in steps)
        if kind == 3:
            assert list(array.metadata.dimension_names) == names
        else:
            assert json.loads((path / dataset["path"] / ".zarray").read_text())[
                "dimension_separator"
            ] == "/"  # fmt: skip
        shapes.append(array.shape)
    assert shapes == sorted(shapes, reverse=True)
    return shapes


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 3), st.integers(0, 9))
def test_each_level_of_labels_is_each_second_pixel(tmp_path_factory, high, wide, deep, seed):
    path = tmp_path_factory.mktemp("levels") / "labels.zarr"
    values = np.random.default_rng(seed).integers(0, 3, (deep, high, wide)).astype(np.uint32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write_zarr, "_SMALLEST_LEVEL", 8)
        patch.setattr(write_zarr, "_CHUNK", {"Z": 2, "Y": 16, "X": 16})
        write(path, values, "ZYX", {"Z": 2.0, "Y": 0.5, "X": 0.25})
    ome = attributes(path)
    shapes = check_multiscales(path, ome)
    assert max(shapes[-1][1:]) <= 8
    assert len(shapes) == 1 or max(shapes[-2][1:]) > 8
    for number, dataset in enumerate(ome["multiscales"][0]["datasets"]):
        level = zarr.open_array(str(path / dataset["path"]), mode="r")
        factor = 2**number
        np.testing.assert_array_equal(level[...], values[:, ::factor, ::factor])
        (scale,) = dataset["coordinateTransformations"]
        assert scale["scale"] == [2.0, 0.5 * factor, 0.25 * factor]
    assert ome["image-label"] == {}
    image = read_image(path)
    np.testing.assert_array_equal(image.data[...], values)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_levels_of_an_image_are_means_that_lie_in_the_middle(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(write_zarr, "_SMALLEST_LEVEL", 4)
    values = (np.arange(2 * 5 * 8) % 250).reshape(2, 5, 8).astype(dtype)
    write(tmp_path / "maps.zarr", values, "CYX", {"Y": 0.5, "X": 0.5}, labels=False)
    ome = attributes(tmp_path / "maps.zarr")
    assert check_multiscales(tmp_path / "maps.zarr", ome) == [(2, 5, 8), (2, 3, 4)]
    level = zarr.open_array(str(tmp_path / "maps.zarr" / "1"), mode="r")[...]
    assert level.dtype == dtype
    assert level[0, 0, 0] == pytest.approx(values[0, :2, :2].mean(), abs=0.5)
    assert level[1, 2, 3] == pytest.approx(values[1, 4:, 6:].mean(), abs=0.5)
    moved = ome["multiscales"][0]["datasets"][1]["coordinateTransformations"][1]
    assert moved == {"type": "translation", "translation": [0, 0.25, 0.25]}
    assert "image-label" not in ome


@pytest.fixture(params=[3, 2])
def image(request, tmp_path):
    """An OME-Zarr image of version 0.5 (zarr 3) or 0.4 (zarr 2), and its format."""
    path = tmp_path / "cells.zarr"
    axes = [{"name": name, "type": "space"} for name in "yx"]
    steps = [{"type": "scale", "scale": [0.5, 0.5]}]
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": steps}]}
    ome = {"multiscales": [{"version": "0.4", **image}]}
    if request.param == 3:
        ome = {"ome": {"version": "0.5", "multiscales": [image]}}
    group = zarr.create_group(str(path), zarr_format=request.param, attributes=ome)
    group.create_array("0", data=np.zeros((300, 40), np.uint8))
    return path, request.param


def test_labels_go_into_their_image(image):
    path, kind = image
    labels = np.arange(300 * 40, dtype=np.uint32).reshape(300, 40)
    write(path / "labels" / "nuclei", labels, "YX", {"Y": 0.5, "X": 0.5})
    write(path / "labels" / "others", labels)
    listed = attributes(path / "labels", kind)
    assert listed["labels"] == ["nuclei", "others"]
    ome = attributes(path / "labels" / "nuclei", kind)
    assert check_multiscales(path / "labels" / "nuclei", ome, kind) == [(300, 40), (150, 20)]
    assert ome["image-label"]["source"] == {"image": "../../"}
    found = read_image(path / "labels" / "nuclei")
    np.testing.assert_array_equal(found.data[...], labels)
    assert found.pixel_size == {"Y": 0.5, "X": 0.5}
    assert read_image(path).shape == (300, 40)
    marker = "zarr.json" if kind == 3 else ".zgroup"
    inside = {"nuclei", "others", marker} | ({".zattrs"} if kind == 2 else set())
    assert {entry.name for entry in (path / "labels").iterdir()} == inside


def test_labels_in_an_image_are_replaced_only_if_asked_for(image):
    path, kind = image
    labels = np.ones((300, 40), np.uint32)
    place = path / "labels" / "nuclei"
    write(place, labels)
    with pytest.raises(OutputError, match="exists already"):
        write(place, labels)
    write(place, 2 * labels, overwrite=True)
    assert read_image(place).data[0, 0] == 2
    assert attributes(path / "labels", kind)["labels"] == ["nuclei"]


def test_what_fails_is_not_listed(image, monkeypatch):
    path, _ = image

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write_zarr, "finish_zarr", full)
    with pytest.raises(OutputError, match=r"nuclei cannot be written: No space left"):
        write(path / "labels" / "nuclei", np.ones((300, 40), np.uint32))
    assert list((path / "labels").iterdir()) == []


def test_a_folder_that_is_no_image_holds_no_labels(tmp_path):
    with pytest.raises(OutputError, match="results are written as"):
        write(tmp_path / "labels" / "nuclei", np.ones((4, 5), np.uint32))
