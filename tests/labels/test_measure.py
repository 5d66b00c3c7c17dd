import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import marching_cubes, mesh_surface_area, regionprops_table

from unet_napari.errors import LabelsError, SettingsError, UnetNapariWarning
from unet_napari.images import Image, nuclei
from unet_napari.labels import measure as module
from unet_napari.labels.label_axes import labels_on
from unet_napari.labels.measure import diameters, measure_objects
from unet_napari.labels.measured_columns import PROPERTIES

IN_A_PLANE = [
    "label", "area", "centroid", "bbox", "eccentricity", "equivalent_diameter_area", "perimeter",
    "solidity", "feret_diameter_max", "intensity_mean", "intensity_min", "intensity_max",
]  # fmt: skip
IN_A_VOLUME = [name for name in IN_A_PLANE if name not in ("eccentricity", "perimeter")]


def blobs(shape, count, seed):
    """Return labels of many shapes: touching, in pieces, with holes, of a pixel, at the border."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint32)
    for number in range(1, count + 1):
        centre = [rng.integers(n) for n in shape]
        size = rng.integers(1, max(2, min(shape) // 2), len(shape))
        box = tuple(slice(max(0, c - s), c + s) for c, s in zip(centre, size, strict=True))
        labels[box][rng.random(labels[box].shape) < rng.choice([0.5, 1.0])] = number * 7
    return labels


def reference(labels, pixels, names, spacing=None):
    """Return what scikit-image says; a flat volume has no hull, of which it warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return regionprops_table(
            labels, pixels, properties=names, **({} if spacing is None else {"spacing": spacing})
        )


def compare(table, expected):
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("seed", range(6))
def test_every_column_of_a_plane_is_that_of_scikit_image(seed):
    labels = blobs((61, 83), 25, seed)
    pixels = np.random.default_rng(seed).integers(0, 60_000, labels.shape).astype(np.uint16)
    table = measure_objects(Image(labels, "YX"), Image(pixels, "YX"))
    expected = reference(labels, pixels, IN_A_PLANE)
    assert set(expected) | {"intensity_sum"} == set(table)
    compare(table, expected)
    sums = [int(pixels[labels == number].sum()) for number in table["label"]]
    assert table["intensity_sum"] == sums


@pytest.mark.parametrize("seed", range(4))
def test_every_column_of_a_volume_is_that_of_scikit_image(seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros((24, 31, 29), np.int32)
    for number in range(1, 9):
        grid = np.indices(labels.shape).reshape(3, -1).T - rng.integers(4, 20, 3)
        inside = (np.abs(grid / rng.integers(2, 7, 3)) ** rng.choice([1, 2, 4])).sum(axis=1) <= 1
        labels.ravel()[inside] = number
    pixels = rng.normal(size=(*labels.shape, 2))
    table = measure_objects(Image(labels, "ZYX"), Image(np.moveaxis(pixels, -1, 0), "CZYX"))
    compare(table, reference(labels, pixels, IN_A_VOLUME))
    for number, area in zip(table["label"], table["surface_area"], strict=True):
        mesh = marching_cubes(np.pad(labels == number, 1).astype(float), 0.5)
        assert area == pytest.approx(mesh_surface_area(*mesh[:2]), rel=1e-6)


def test_a_flat_object_of_a_volume_has_no_solidity_but_a_diameter():
    labels = np.zeros((5, 9, 9), int)
    labels[2, 1:5, 1:8] = 1
    labels[3, 8, 8] = 2
    table = measure_objects(Image(labels, "ZYX"))
    assert np.isnan(table["solidity"]).all()
    assert table["feret_diameter_max"] == pytest.approx([np.hypot(3, 7), 1])
    assert table["area"] == [28, 1]


def test_physical_units_stand_beside_pixels():
    labels = blobs((9, 40, 40), 4, 1)
    spacing = {"Z": 2.0, "Y": 0.5, "X": 0.5}
    table = measure_objects(Image(labels, "ZYX", spacing))
    names = ["area", "centroid", "equivalent_diameter_area", "feret_diameter_max"]
    expected = reference(labels, None, names, tuple(spacing.values()))
    assert table["volume_um3"] == pytest.approx(expected["area"])
    for name in ("equivalent_diameter_area", "feret_diameter_max"):
        assert table[f"{name}_um"] == pytest.approx(expected[name])
    for axis in range(3):
        assert table[f"centroid_um-{axis}"] == pytest.approx(expected[f"centroid-{axis}"])
    plane = measure_objects(Image(labels[4], "YX", {"Y": 0.5, "X": 0.5}))
    both = reference(labels[4], None, ["area", "perimeter"], (0.5, 0.5))
    assert plane["area_um2"] == pytest.approx(both["area"])
    assert plane["perimeter_um"] == pytest.approx(both["perimeter"])
    oblong = measure_objects(Image(labels[4], "YX", {"Y": 0.5, "X": 0.25}))
    assert "area_um2" in oblong
    assert "perimeter_um" not in oblong  # of square pixels only, as in scikit-image


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**31),
    st.sampled_from([(17, 23), (40, 5), (6, 9, 11)]),
    st.integers(1, 400),
    st.booleans(),
)
def test_blocks_give_what_the_whole_gives(seed, shape, block, chunked):
    labels = blobs(shape, 6, seed)
    axes = "ZYX"[-len(shape) :]
    pixels = np.random.default_rng(seed).integers(-50, 200, shape)
    whole = measure_objects(Image(labels, axes), Image(pixels, axes))
    data = Chunked(labels, (2, 3, 4)[: len(shape)]) if chunked else labels
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_PIXELS", block)
        patch.setattr(module, "_MANY_ROWS", 3)
        cut = measure_objects(Image(data, axes), Image(pixels, axes))
    assert cut.keys() == whole.keys()
    for name, values in whole.items():  # exactly: all sums are whole numbers here
        np.testing.assert_array_equal(cut[name], values, err_msg=name)


class Chunked:
    """An array that says in which chunks it is stored, as those of zarr do."""

    def __init__(self, data, chunks):
        self.data, self.chunks = data, chunks
        self.shape, self.dtype = data.shape, data.dtype

    def __getitem__(self, key):
        return self.data[key]


def test_each_object_is_read_at_most_twice(monkeypatch):
    """Once for the sums and once for the shape, and no more than a block at a time."""

    class Counted(Chunked):
        read, most = 0, 0

        def __getitem__(self, key):
            part = self.data[key]
            Counted.read += part.size
            Counted.most = max(Counted.most, part.size)
            return part

    monkeypatch.setattr(module, "_BLOCK_PIXELS", 4096)
    labels = nuclei((256, 256), count=60, seed=1)[1]
    measure_objects(Image(Counted(labels, (64, 64)), "YX"))
    assert Counted.most <= 68 * 68
    assert Counted.read < 2.6 * labels.size


def test_time_points_and_slices_are_measured_one_by_one():
    labels = np.zeros((2, 3, 6, 7), np.uint8)
    labels[0, 1, :2] = 5
    labels[1, 2, :3] = 5
    pixels = np.arange(labels.size).reshape(labels.shape)
    film = measure_objects(Image(labels, "TZYX"), Image(pixels, "TZYX"))
    assert film["t"] == [0, 1]
    assert film["area"] == [14, 21]
    assert film["centroid-0"] == [1, 2]
    assert film["intensity_max"] == [pixels[0, 1, 1, 6], pixels[1, 2, 2, 6]]
    slices = measure_objects(Image(labels, "TZYX"), slicewise=True)
    assert (slices["t"], slices["z"], slices["area"]) == ([0, 1], [1, 2], [14, 21])
    assert slices["perimeter"] == pytest.approx([14, 16])


def test_properties_are_chosen_by_name():
    labels = Image(blobs((20, 20), 3, 0), "YX")
    table = measure_objects(labels, properties=["area", "solidity"])
    assert list(table) == ["label", "area", "solidity"]
    with pytest.raises(SettingsError, match=r"no measurement size; there are label, area"):
        measure_objects(labels, properties=["size"])
    assert PROPERTIES[0] == "label"


def test_an_image_without_objects_gives_an_empty_table():
    table = measure_objects(Image(np.zeros((4, 5), int), "YX"), Image(np.zeros((4, 5)), "YX"))
    assert set(map(len, table.values())) == {0}
    assert {"label", "area", "solidity", "intensity_mean"} <= table.keys()
    volume = measure_objects(Image(np.zeros((4, 5, 6), int), "ZYX", {"Z": 1, "Y": 1, "X": 1}))
    assert volume["surface_area_um2"] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [(0.5, "0.5, which is no label number"), (-1, "negative number -1"), (np.nan, "nan")],
)
def test_what_is_no_label_is_refused_by_name(values, message):
    with pytest.raises(LabelsError, match=message):
        measure_objects(Image(np.full((4, 5), values), "YX"))


def test_labels_of_another_shape_are_refused_with_both_named():
    labels, image = Image(np.zeros((4, 5), int), "YX"), Image(np.zeros((5, 4)), "YX", name="cells")
    with pytest.raises(LabelsError, match=r"Y 4 x X 5 pixels, but 'cells' has Y 5 x X 4"):
        measure_objects(labels, image)
    with pytest.raises(LabelsError, match=r"\(4, 5\), but 'cells' needs labels of \(5, 4\)"):
        labels_on(image, np.zeros((4, 5), int))
    with pytest.raises(LabelsError, match="has 3 channels"):
        measure_objects(Image(np.zeros((3, 4, 5), int), "CYX", name="mask"))


def test_very_many_objects_are_measured_with_a_word_about_the_time(monkeypatch):
    monkeypatch.setattr(module, "_MANY_OBJECTS", 10)
    labels = Image(np.arange(12).reshape(3, 4), "YX")
    with pytest.warns(UnetNapariWarning, match="11 objects, and solidity, feret_diameter_max"):
        assert len(measure_objects(labels)["label"]) == 11
    assert len(measure_objects(labels, properties=["area", "perimeter"])["label"]) == 11


def test_shapes_of_objects_too_large_for_memory_are_left_empty(monkeypatch):
    monkeypatch.setattr(module, "_LARGEST_OBJECT", 30)
    monkeypatch.setattr(module, "_BLOCK_PIXELS", 20)
    labels = np.ones((10, 10), int)
    with pytest.warns(UnetNapariWarning, match="1 objects are too large to measure solidity"):
        table = measure_objects(Image(labels, "YX"))
    assert np.isnan(table["feret_diameter_max"][0])
    assert table["area"] == [100]
    assert table["perimeter"] == [36]


def test_an_error_of_the_tick_ends_the_work():
    def tick(done, total):
        assert 0 < done <= total
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_objects(Image(np.ones((4, 5), int), "YX"), tick=tick)


def test_diameters_are_those_of_discs_and_balls():
    grid = np.indices((41, 41, 41)) - 20
    ball = (grid**2).sum(axis=0) <= 15**2
    labels = np.zeros((41, 90), np.uint32)
    labels[:, :41][ball[20]] = 7
    labels[5:10, 60:65] = 3
    assert diameters(labels) == pytest.approx([2 * 5 / np.pi**0.5, 30], rel=0.01)
    assert diameters(ball.astype(int)) == pytest.approx([30], rel=0.01)
    assert diameters(ball[::3].astype(int), (3.0, 1.0, 1.0)) == pytest.approx([30], rel=0.01)
    assert diameters(np.zeros((4, 4), int)).shape == (0,)
