"""Zarr arrays and OME-Zarr images, friendly and hostile."""

import json
import shutil

import numpy as np
import pytest
import zarr

from unet_napari.errors import ImageError, UnetNapariWarning
from unet_napari.images import read_image
from zarr_images import CZYX, STACK, axis


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_ome_zarr_axes_and_pixel_size(ome_zarr, zarr_format):
    image = read_image(ome_zarr(zarr_format=zarr_format))
    assert image.axes == "CZYX"
    assert image.pixel_size == pytest.approx({"Z": 2, "Y": 0.5, "X": 0.25})
    assert image.name == "image"
    region = (slice(1, 3), slice(5, 9), slice(8, 30))
    np.testing.assert_array_equal(image.read(region), STACK[(slice(None), *region)])


def test_scales_of_level_and_image_multiply(ome_zarr):
    whole = [{"type": "scale", "scale": [1, 2, 3, 4]}]
    image = read_image(ome_zarr(coordinateTransformations=whole))
    assert image.pixel_size == pytest.approx({"Z": 4, "Y": 1.5, "X": 1})


def test_without_a_unit_the_pixel_size_is_unknown(ome_zarr):
    path = ome_zarr(axes=[axis("c"), axis("z"), axis("y"), axis("x", "micrometer")])
    with pytest.warns(UnetNapariWarning, match="along Z and Y is not known, only X 250 µm"):
        assert read_image(path).pixel_size == {"X": 250}


def test_old_axes_are_bare_names(ome_zarr):
    image = read_image(ome_zarr(axes=list("czyx"), zarr_format=2))
    assert (image.axes, image.pixel_size) == ("CZYX", {})


def test_a_single_plane_of_five_axes_is_two_dimensional(ome_zarr):
    axes = [axis(name) for name in "tczyx"]
    image = read_image(ome_zarr(STACK[None, :, :1], axes=axes, scale=[1] * 5))
    assert (image.spatial_axes, image.channels, image.frames) == ("YX", 2, 1)
    np.testing.assert_array_equal(image.read(), STACK[:, 0])


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (["time:time", "y:space", "x:space"], "TYX"),
        (["channel:channel", "y:space", "x:space"], "CYX"),
        (["stain:channel", "rows:space", "columns:space"], "CYX"),
        (["hours:time", "y:space", "x:space"], "TYX"),
        (["a:space", "b:space", "c:space"], "ZYX"),
        (["time", "y", "x"], "TYX"),
        (["Channel", "Y", "X"], "CYX"),
    ],
)
def test_the_type_says_what_an_axis_is_and_its_name_is_free(ome_zarr, zarr_format, axes, expected):
    keys = ("name", "type")
    described = [dict(zip(keys, word.split(":"), strict=False)) for word in axes]
    image = read_image(ome_zarr(STACK[0], described, scale=[1, 1, 1], zarr_format=zarr_format))
    assert image.axes == expected


def test_axes_of_a_kind_that_there_is_not_are_asked_for(ome_zarr):
    axes = [{"name": "angle", "type": "angle"}, *CZYX]
    path = ome_zarr(STACK[None], axes, scale=[1] * 5)
    with pytest.raises(ImageError, match="cannot tell what the axes"):
        read_image(path)
    assert read_image(path, axes="TCZYX").axes == "TCZYX"


def test_a_unit_without_a_scale_is_no_pixel_size(ome_zarr):
    path = ome_zarr(zarr_format=3)
    spoil_levels(path, lambda level: level.pop("coordinateTransformations"))
    image = read_image(path)
    assert (image.axes, image.pixel_size) == ("CZYX", {})
    spoil_levels(path, lambda level: level.update(coordinateTransformations=[
        {"type": "translation", "translation": [0, 0, 0, 0]}]))  # fmt: skip
    assert read_image(path).pixel_size == {}


def spoil_levels(path, change):
    node = json.loads((path / "zarr.json").read_text())
    for level in node["attributes"]["ome"]["multiscales"][0]["datasets"]:
        change(level)
    (path / "zarr.json").write_text(json.dumps(node))


def test_five_axes_of_length_one_are_a_plane(ome_zarr):
    axes = [axis(name) for name in "tczyx"]
    image = read_image(ome_zarr(STACK[None, :1, :1], axes, scale=[1] * 5))
    assert (image.shape, image.channels, image.frames) == ((20, 30), 1, 1)
    np.testing.assert_array_equal(image.read()[0], STACK[0, 0])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_bioformats_writes(ome_zarr, tmp_path, zarr_format):
    outer = tmp_path / "outer.zarr"
    layout = {"bioformats2raw.layout": 3}
    attributes = layout if zarr_format == 2 else {"ome": {"version": "0.5", **layout}}
    zarr.create_group(str(outer), zarr_format=zarr_format, attributes=attributes)
    shutil.move(ome_zarr(zarr_format=zarr_format), outer / "0")
    assert read_image(outer).axes == "CZYX"
    assert read_image(outer).pixel_size == pytest.approx({"Z": 2, "Y": 0.5, "X": 0.25})
    shutil.copytree(outer / "0", outer / "1")
    with pytest.warns(UnetNapariWarning, match=r"holds 2 images.*outer\.zarr/1"):
        read_image(outer)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_image_of_a_plate_and_its_well(ome_zarr, tmp_path, zarr_format):
    plate = tmp_path / "plate.zarr"
    group = zarr.create_group(str(plate), zarr_format=zarr_format)

    def describe(node, **attributes):
        node.attrs.put(attributes if zarr_format == 2 else {"ome": attributes})

    describe(group, plate={"wells": [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}]})
    describe(group.create_group("A/1"), well={"images": [{"path": "0"}]})
    shutil.move(ome_zarr(zarr_format=zarr_format), plate / "A" / "1" / "0")
    for path in (plate / "A" / "1" / "0", plate / "A" / "1"):
        image = read_image(path)
        assert (image.axes, image.pixel_size["Y"]) == ("CZYX", 0.5)
    assert read_image(plate / "A" / "1" / "0").name == "plate_A_1_0"
    with pytest.raises(ImageError, match=r"plate of 1 wells: .* plate\.zarr/A/1/0|A/1/0"):
        read_image(plate)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_level_of_a_pyramid_has_its_axes_and_its_own_size(ome_zarr, zarr_format):
    path = ome_zarr(zarr_format=zarr_format)
    file = path / ("zarr.json" if zarr_format == 3 else ".zattrs")
    node = json.loads(file.read_text())
    ome = node["attributes"]["ome"] if zarr_format == 3 else node
    scale = ome["multiscales"][0]["datasets"][1]["coordinateTransformations"][0]["scale"]
    scale[2:] = [1000, 500]
    file.write_text(json.dumps(node))
    image = read_image(path / "half")
    assert image.axes == "CZYX"
    assert image.pixel_size == pytest.approx({"Z": 2, "Y": 1, "X": 0.5})
    assert image.shape == (5, 10, 15)
    assert read_image(path / "full").pixel_size == read_image(path).pixel_size


def test_labels_inside_an_image(ome_zarr, tmp_path):
    shutil.move(ome_zarr(), tmp_path / "x.zarr")
    inner = ome_zarr(STACK[0, 0], [axis("y"), axis("x")], scale=[1, 1])
    (tmp_path / "x.zarr" / "labels").mkdir()
    shutil.move(inner, tmp_path / "x.zarr" / "labels" / "nuclei")
    labels = read_image(tmp_path / "x.zarr" / "labels" / "nuclei")
    assert (labels.axes, labels.name) == ("YX", "x_labels_nuclei")


@pytest.mark.parametrize("place", ["../other.zarr", "/etc", ""])
def test_a_level_outside_its_image_is_not_followed(ome_zarr, tmp_path, place):
    path = ome_zarr()
    zarr.save_array(str(tmp_path / "other.zarr"), STACK)
    spoil_levels(path, lambda level: level.update(path=place))
    with pytest.raises(ImageError, match="damaged OME-Zarr metadata"):
        read_image(path)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_bare_array(tmp_path, zarr_format):
    path = tmp_path / "bare.zarr"
    zarr.save_array(str(path), STACK[0], zarr_format=zarr_format)
    image = read_image(path)
    assert (image.axes, image.pixel_size) == ("ZYX", {})
    np.testing.assert_array_equal(image.read()[0], STACK[0])
    assert read_image(path, axes="TYX").frames == 5


@pytest.mark.parametrize("names", [["t", "z", "y", "x"], ["time", "z", "y", "x"]])
def test_named_dimensions_are_axes(tmp_path, names):
    path = tmp_path / "named.zarr"
    zarr.create_array(str(path), data=STACK, dimension_names=names)
    assert read_image(path).axes == "TZYX"


def test_dimensions_that_xarray_named(tmp_path):
    path = tmp_path / "named.zarr"
    names = {"_ARRAY_DIMENSIONS": ["c", "z", "y", "x"]}
    zarr.create_array(str(path), data=STACK, zarr_format=2, attributes=names)
    assert read_image(path).axes == "CZYX"


def test_the_only_array_of_a_group(tmp_path):
    group = zarr.create_group(str(tmp_path / "group.zarr"))
    group.create_array("raw", data=STACK[0])
    np.testing.assert_array_equal(read_image(tmp_path / "group.zarr").read()[0], STACK[0])
    group.create_array("labels", data=STACK[0])
    with pytest.raises(ImageError, match="it holds labels, raw: give the path"):
        read_image(tmp_path / "group.zarr")
    assert read_image(tmp_path / "group.zarr" / "raw").shape == (5, 20, 30)


def test_an_empty_group(tmp_path):
    zarr.create_group(str(tmp_path / "group.zarr"))
    with pytest.raises(ImageError, match="it holds nothing"):
        read_image(tmp_path / "group.zarr")
