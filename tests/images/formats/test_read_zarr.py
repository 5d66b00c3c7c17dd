"""Zarr arrays and OME-Zarr images, friendly and hostile."""

import json
import shutil

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, ZstdCodec

from unet_napari.errors import ImageError, UnetNapariWarning
from unet_napari.images import read_image

STACK = np.random.default_rng(0).integers(0, 4000, (2, 5, 20, 30), dtype=np.uint16)


def axis(name, unit=None):
    kind = {"t": "time", "c": "channel"}.get(name, "space")
    return {"name": name, "type": kind} | ({"unit": unit} if unit else {})


CZYX = [axis("c"), *(axis(name, "nanometer") for name in "zyx")]


@pytest.fixture
def ome_zarr(tmp_path):
    """Write an OME-Zarr image of two levels and return its folder."""

    def write(array=STACK, axes=CZYX, scale=(1, 2000, 500, 250), zarr_format=3, **more):
        path = tmp_path / "image.zarr"
        levels = [
            {"path": name, "coordinateTransformations": [{"type": "scale", "scale": list(scale)}]}
            for name in ("full", "half")
        ]
        image = {"axes": axes, "datasets": levels, **more}
        if zarr_format == 3:
            attributes = {"ome": {"version": "0.5", "multiscales": [image]}}
        else:
            attributes = {"multiscales": [{"version": "0.4", **image}]}
        group = zarr.create_group(str(path), zarr_format=zarr_format, attributes=attributes)
        group.create_array("full", data=array, chunks=(1,) * (array.ndim - 2) + (10, 10))
        group.create_array("half", data=array[..., ::2, ::2])
        return path

    return write


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


@pytest.fixture
def unopened(monkeypatch):
    """Fail if zarr is asked to open an array."""

    def opened(*args, **kwargs):
        pytest.fail("zarr opened the array")

    monkeypatch.setattr(zarr, "open_array", opened)


def spoil(path, **changes):
    """Change entries of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "|O", "filters": [{"id": "pickle"}]},
        {"dtype": "|O"},
        {"dtype": [["a", "<i4"]]},
        {"dtype": "<U4"},
        {"dtype": "<c8"},
        {"dtype": None},
    ],
)
def test_what_is_not_numbers_is_refused_before_zarr_opens_it(tmp_path, unopened, changes):
    path = tmp_path / "array.zarr"
    zarr.save_array(str(path), STACK[0], zarr_format=2)
    spoil(path / ".zarray", **changes)
    with pytest.raises(ImageError, match=r"array\.zarr does not hold plain numbers"):
        read_image(path)


@pytest.mark.parametrize(
    "changes",
    [{"filters": [{"id": "pickle"}]}, {"compressor": {"id": "Pickle", "protocol": 5}}],
)
def test_pickles_are_refused_before_zarr_opens_them(tmp_path, unopened, changes):
    path = tmp_path / "array.zarr"
    zarr.save_array(str(path), STACK[0], zarr_format=2)
    spoil(path / ".zarray", **changes)
    with pytest.raises(ImageError, match="Python pickles"):
        read_image(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"codecs": [{"name": "numcodecs.pickle"}]},
        {"data_type": "string"},
        {"data_type": {"name": "struct"}},
        {"data_type": "complex64"},
    ],
)
def test_zarr_3_is_looked_at_too(tmp_path, unopened, changes):
    path = tmp_path / "array.zarr"
    zarr.save_array(str(path), STACK[0], zarr_format=3)
    spoil(path / "zarr.json", **changes)
    with pytest.raises(ImageError, match=r"Python pickles|plain numbers"):
        read_image(path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", "[" * 100_000, '{"node_type": "array", "data_type": "uint8"}'],
    ids=["nothing", "open", "list", "number", "null", "deep", "incomplete"],
)
def test_damaged_metadata(tmp_path, text):
    path = tmp_path / "array.zarr"
    path.mkdir()
    (path / "zarr.json").write_text(text)
    with pytest.raises(ImageError, match=r"array\.zarr"):
        read_image(path)


@pytest.mark.parametrize(
    "multiscales",
    [
        7,
        [7],
        [{}],
        [{"datasets": []}],
        [{"datasets": [{"path": "full"}], "axes": [{}]}],
        [{"datasets": [{"path": "full"}], "axes": [7]}],
        [{"datasets": [{"path": "missing"}], "axes": ["y", "x"]}],
        [{"datasets": [{"path": "full", "coordinateTransformations": [{}]}]}],
        [
            {
                "datasets": [
                    {
                        "path": "full",
                        "coordinateTransformations": [{"type": "scale", "scale": [1]}],
                    }
                ]
            }
        ],
    ],
)
def test_damaged_ome_metadata(ome_zarr, multiscales):
    path = ome_zarr()
    spoil(path / "zarr.json", attributes={"ome": {"multiscales": multiscales}})
    with pytest.raises(ImageError, match=r"image\.zarr"):
        read_image(path)


def test_axes_that_do_not_fit_the_array(ome_zarr):
    with pytest.raises(ImageError, match=r"image\.zarr.*name 3 axes, but the image has 4"):
        read_image(ome_zarr(axes=CZYX[1:], scale=(1, 1, 1)))


def test_a_size_that_no_disk_holds_is_damage(tmp_path):
    path = tmp_path / "array.zarr"
    zarr.create_array(str(path), data=STACK[0], chunks=(1, 20, 30), zarr_format=2)
    header = json.loads((path / ".zarray").read_text())
    (path / ".zarray").write_text(json.dumps(header | {"shape": [10**30, 20, 30]}))
    with pytest.raises(ImageError, match=r"array\.zarr says that its size is .* are damaged"):
        read_image(path)


def test_chunks_too_large_to_decode(tmp_path):
    path = tmp_path / "array.zarr"
    zarr.create_array(str(path), shape=(100, 2**20, 2**20), chunks=(1, 2**16, 2**16), dtype="u1")
    with pytest.raises(ImageError, match="chunks of more than 1 GiB"):
        read_image(path)


def test_a_damaged_chunk_is_an_error_when_it_is_read(tmp_path):
    path = tmp_path / "array.zarr"
    zarr.create_array(str(path), data=STACK[0], chunks=(1, 20, 30))
    (path / "c" / "2" / "0" / "0").write_bytes(b"nonsense")
    image = read_image(path)
    np.testing.assert_array_equal(image.select(Z=1).read()[0], STACK[0, 1])
    with pytest.raises(ImageError, match=r"array\.zarr cannot be read"):
        image.read()


def test_a_file_is_no_zarr(tmp_path):
    path = tmp_path / "array.zarr"
    path.write_text("hello")
    with pytest.raises(ImageError, match="not a TIFF file"):
        read_image(path)


@pytest.mark.parametrize(
    ("codec", "place", "value"),
    [
        ({"compressors": BloscCodec()}, 4, (2**31 - 1).to_bytes(4, "little")),
        ({"compressors": ZstdCodec()}, 4, b"\xe0" + (2**40).to_bytes(8, "little")),
        ({"compressors": numcodecs.LZ4(), "zarr_format": 2}, 0, b"\xff\xff\xff\x7f"),
    ],
    ids=["blosc", "zstd", "lz4"],
)
def test_a_chunk_that_announces_gigabytes_is_refused_before_room_is_made(
    tmp_path, codec, place, value
):
    path = tmp_path / "array.zarr"
    zarr.create_array(str(path), data=STACK[0], chunks=(5, 20, 30), **codec)
    np.testing.assert_array_equal(read_image(path).read()[0], STACK[0])
    chunk = path / ("0.0.0" if "zarr_format" in codec else "c/0/0/0")
    data = bytearray(chunk.read_bytes())
    data[place : place + len(value)] = value
    chunk.write_bytes(data)
    with pytest.raises(ImageError, match=r"announces [0-9]+ bytes, and is damaged"):
        read_image(path).read()


def test_a_chunk_that_says_it_is_longer_than_it_is_never_reaches_the_decoder(tmp_path):
    """Blosc would read beyond the end of it, which ended the process."""
    path = tmp_path / "array.zarr"
    zarr.create_array(str(path), data=STACK[0], chunks=(5, 20, 30), compressors=BloscCodec())
    chunk = path / "c/0/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(ImageError, match="is shorter than it says, and is damaged"):
        read_image(path).read()


def test_an_empty_chunk_in_a_shard_is_no_damage(tmp_path):
    path = tmp_path / "array.zarr"
    data = np.zeros((40, 40), np.uint16)
    data[20:, 20:] = np.arange(400).reshape(20, 20)
    zarr.create_array(
        str(path), data=data, chunks=(20, 20), shards=(40, 40), compressors=BloscCodec()
    )
    image = read_image(path)
    part = slice(22, 36), slice(25, 31)
    np.testing.assert_array_equal(image.read(part)[0], data[part])
    np.testing.assert_array_equal(image.read()[0], data)
