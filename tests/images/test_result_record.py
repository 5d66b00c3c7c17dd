import json
import re

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari.errors import ImageError
from unet_napari.images import Image, open_output, read_image
from unet_napari.images.result_record import (
    ImageMark,
    ModelMark,
    ResultRecord,
    pixel_digest,
    read_record,
)

RECORD = ResultRecord(
    made="2026-11-30T21:00:00+00:00",
    model=ModelMark("cells µ", "ab" * 32, "../my models/cells.unet", {"ndim": 2}),
    image=ImageMark("cells", "cells.tif", "cd" * 32, "YX", (7, 9), "uint8", {"Y": 0.5, "X": 0.5}),
    settings={"slicewise": True, "diameter": None, "tile": [64, 64]},
    thresholds={"seed_threshold": 0.5},
    computed={"way": "one tile", "backend": "torch"},
    versions={"unet-napari": "0.1.0"},
    warnings=('Check <the> "result" & look:\nµ = x', "second = {1}"),
)


def write(path, record=RECORD, labels=None, axes="YX"):
    labels = np.arange(63).reshape(7, 9) if labels is None else labels
    with open_output(
        path,
        shape=labels.shape,
        dtype="uint32",
        axes=axes,
        pixel_size={"Y": 0.5, "X": 0.25},
        labels=True,
    ) as out:
        out[...] = labels
        out.record = record
    return labels


@pytest.mark.parametrize("name", ["r.tif", "r.ome.tif", "r.zarr"])
def test_a_record_comes_back_and_the_result_is_as_it_would_be_without(tmp_path, name):
    path = tmp_path / name
    labels = write(path)
    assert read_record(path) == RECORD
    image = read_image(path)
    np.testing.assert_array_equal(image.data[...], labels)
    assert image.axes == "YX"
    assert image.pixel_size == pytest.approx({"Y": 0.5, "X": 0.25})
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=3), st.text(max_size=30))
def test_any_text_survives_in_any_format(tmp_path_factory, warnings, name):
    folder = tmp_path_factory.mktemp("records")
    model = ModelMark(name, "ab", "", {name: name})
    record = ResultRecord("now", model, RECORD.image, {}, {}, {}, {}, tuple(warnings))
    for ending in ("tif", "ome.tif", "zarr"):
        write(folder / f"r.{ending}", record)
        assert read_record(folder / f"r.{ending}") == record


def test_more_labels_than_16_bits_hold_keep_their_record(tmp_path):
    labels = np.arange(300 * 300).reshape(300, 300)
    write(tmp_path / "r.tif", labels=labels)
    np.testing.assert_array_equal(read_image(tmp_path / "r.tif").data[...], labels)
    assert read_record(tmp_path / "r.tif") == RECORD


def test_other_programs_still_understand_the_description(tmp_path):
    write(tmp_path / "r.tif")
    write(tmp_path / "r.ome.tif")
    with tifffile.TiffFile(tmp_path / "r.tif") as tif:
        assert tif.is_imagej
        assert tif.imagej_metadata["unit"] == "um"
        assert tif.series[0].axes == "YX"
        lines = [line.split("=", 1) for line in tif.pages.first.description.splitlines()]
    assert json.loads(dict(lines)["unet-napari"])["model"]["name"] == "cells µ"
    with tifffile.TiffFile(tmp_path / "r.ome.tif") as tif:
        values = tifffile.xml2dict(tif.ome_metadata)["OME"]
    note = values["StructuredAnnotations"]["MapAnnotation"]
    assert values["Image"]["AnnotationRef"]["ID"] == note["ID"]
    assert json.loads(note["Value"]["M"]["value"])["made"] == RECORD.made
    order = re.findall(r"<(Pixels|AnnotationRef|StructuredAnnotations) ?", tif.ome_metadata or "")
    assert order == ["Pixels", "AnnotationRef", "StructuredAnnotations"]
    attributes = dict(zarr.open_group(write_zarr(tmp_path), mode="r").attrs)
    assert attributes["ome"]["version"] == "0.5"
    assert attributes["unet-napari"]["warnings"] == list(RECORD.warnings)


def write_zarr(folder):
    write(folder / "z.zarr")
    return str(folder / "z.zarr")


@pytest.mark.parametrize("name", ["r.tif", "r.ome.tif", "r.zarr"])
def test_a_result_without_a_record_has_none(tmp_path, name):
    write(tmp_path / name, record=None)
    assert read_record(tmp_path / name) is None


def test_a_damaged_record_is_one_clear_error(tmp_path):
    write(tmp_path / "r.zarr")
    group = zarr.open_group(str(tmp_path / "r.zarr"), mode="r+")
    group.attrs["unet-napari"] = {"made": 5}
    with pytest.raises(ImageError, match=r"The record of .*r.zarr is damaged"):
        read_record(tmp_path / "r.zarr")
    (tmp_path / "r.tif").write_bytes(b"no tiff")
    with pytest.raises(ImageError, match="has no record that can be read"):
        read_record(tmp_path / "r.tif")
    with pytest.raises(ImageError, match=r"nothing.tif cannot be read"):
        read_record(tmp_path / "nothing.tif")
    tifffile.imwrite(tmp_path / "d.tif", np.zeros((4, 4), np.uint8),
                     description="unet-napari={broken}", metadata=None)  # fmt: skip
    with pytest.raises(ImageError, match="has no record that can be read"):
        read_record(tmp_path / "d.tif")


def test_the_hash_is_of_the_pixels_and_not_of_how_they_are_stored(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 999, (3, 40, 50)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "ZYX"})
    store = zarr.create_array(str(tmp_path / "a.zarr"), data=pixels, chunks=(1, 7, 11))
    digest = pixel_digest(Image(pixels, "ZYX"))
    assert pixel_digest(read_image(tmp_path / "a.tif")) == digest
    assert pixel_digest(Image(store, "ZYX")) == digest
    assert pixel_digest(Image(pixels.astype(">u2"), "ZYX")) == digest
    assert pixel_digest(Image(pixels[np.newaxis], "CZYX")) == digest
    others = [pixels.astype(np.int16), pixels + np.uint16(1), pixels.reshape(3, 50, 40)]
    digests = {pixel_digest(Image(other, "ZYX")) for other in others}
    assert len({digest, pixel_digest(Image(pixels, "TYX")), *digests}) == 5
