"""Pixel sizes of TIFF files, as microscopes and programs write them."""

import numpy as np
import pytest
import tifffile

from unet_napari.errors import UnetNapariWarning
from unet_napari.images import read_image

PLANE = np.arange(16 * 16, dtype=np.uint16).reshape(16, 16)
STACK = np.stack([PLANE, PLANE + 1, PLANE + 2])


@pytest.fixture
def write(tmp_path):
    """Write an array with tifffile and return the path."""

    def write(array, **options):
        path = tmp_path / "image.tif"
        tifffile.imwrite(path, array, **{"photometric": "minisblack", **options})
        return path

    return write


@pytest.fixture
def imagej(write):
    """Write what ImageJ writes, with a description of the test's own."""

    def imagej(array, lines, resolution=(5, 5), unit=1):
        text = "\n".join((*lines, "min=0", "max=9", ""))
        return write(array, metadata=None, description=text, resolution=resolution,
                     resolutionunit=unit)  # fmt: skip

    return imagej


@pytest.mark.parametrize("unit", ["micron", "um", "\\u00B5m", "microns", "micrometers"])
def test_imagej_leaves_out_a_step_of_exactly_1(imagej, unit):
    path = imagej(STACK, ["ImageJ=1.53t", "images=3", "slices=3", f"unit={unit}"])
    assert read_image(path).pixel_size == pytest.approx({"Z": 1.0, "Y": 0.2, "X": 0.2})


def test_imagejs_step_is_its_own(imagej):
    lines = ["ImageJ=1.53t", "images=3", "slices=3", "unit=micron", "spacing=-2.5"]
    assert read_image(imagej(STACK, lines)).pixel_size["Z"] == 2.5


@pytest.mark.parametrize("unit", ["", "unit=pixel", "unit=\\u0020"])
def test_without_a_unit_imagejs_step_is_unknown(imagej, unit):
    path = imagej(STACK, ["ImageJ=1.53t", "images=3", "slices=3", unit], resolution=(1, 1))
    assert read_image(path).pixel_size == {}


def test_a_unit_that_nobody_knows_is_said(imagej):
    path = imagej(PLANE, ["ImageJ=1.53t", "unit=furlong"])
    with pytest.warns(UnetNapariWarning, match=r"image\.tif.*'furlong'.*unknown"):
        assert read_image(path).pixel_size == {}


def test_imagej_counts_the_resolution_in_its_own_unit(imagej):
    path = imagej(PLANE, ["ImageJ=1.53t", "unit=cm"], resolution=(20000, 10000), unit=3)
    assert read_image(path).pixel_size == pytest.approx({"Y": 1.0, "X": 0.5})


def test_scifio_counts_the_resolution_per_centimetre(imagej):
    lines = ["SCIFIO=0.42.0", "images=1", "channels=1", "slices=1", "frames=1", "unit=\\u00B5m"]
    path = imagej(PLANE, lines, resolution=(50000, 25000), unit=3)
    assert read_image(path).pixel_size == pytest.approx({"Y": 0.4, "X": 0.2})


def test_scifio_lists_its_scales(imagej):
    lines = ["SCIFIO=0.42.0", "axes=X,Y,Z", "scales=0.2,0.3,1.5", "units=\\u00B5m,um,microns",
             "images=3", "channels=1", "slices=3", "frames=1", "unit=\\u00B5m"]  # fmt: skip
    path = imagej(STACK, lines, resolution=(50000, 25000), unit=3)
    assert read_image(path).pixel_size == {"Z": 1.5, "Y": 0.3, "X": 0.2}


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((50000, 25000), "CENTIMETER", {"Y": 0.4, "X": 0.2}),
        ((1000, 1000), "MILLIMETER", {"Y": 1.0, "X": 1.0}),
        ((4, 4), "MICROMETER", {"Y": 0.25, "X": 0.25}),
        ((101600, 101600), "INCH", {"Y": 0.25, "X": 0.25}),
        ((28.35, 28.35), "CENTIMETER", {}),  # 72 dots per inch
        ((118.11, 118.11), "CENTIMETER", {}),  # 300
        ((300, 300), "INCH", {}),
        ((1, 1), "INCH", {}),
        ((1, 1), "CENTIMETER", {}),
        ((5, 5), "NONE", {}),
    ],
)
def test_the_resolution_of_a_plain_file(write, resolution, unit, expected):
    path = write(PLANE, resolution=resolution, resolutionunit=unit)
    assert read_image(path).pixel_size == pytest.approx(expected)


def test_tifffiles_own_header(write):
    path = write(STACK, metadata={"axes": "ZYX", "spacing": 2, "unit": "um"}, resolution=(5, 5),
                 resolutionunit="NONE")  # fmt: skip
    assert read_image(path).pixel_size == pytest.approx({"Z": 2, "Y": 0.2, "X": 0.2})


def test_what_is_known_of_some_axes_is_kept_and_said(write):
    path = write(STACK, ome=True, metadata={"axes": "ZYX", "PhysicalSizeX": 0.2,
                 "PhysicalSizeY": 0.2})  # fmt: skip
    with pytest.warns(UnetNapariWarning, match=r"image\.tif: the pixel size along Z is not known"):
        assert read_image(path).pixel_size == {"Y": 0.2, "X": 0.2}


def test_a_film_has_no_step_to_be_missing(write):
    path = write(STACK, ome=True, metadata={"axes": "TYX", "PhysicalSizeX": 0.2,
                 "PhysicalSizeY": 0.2})  # fmt: skip
    assert read_image(path).pixel_size == {"Y": 0.2, "X": 0.2}


def test_zeiss_lsm(tmp_path):
    info = np.zeros(1, tifffile.TIFF.CZ_LSMINFO)
    for name, value in {
        "MagicNumber": 67127628,
        "StructureSize": info.itemsize,
        "DimensionX": 16,
        "DimensionY": 16,
        "DimensionZ": 3,
        "DimensionChannels": 1,
        "DimensionTime": 1,
        "VoxelSizeX": 2e-7,
        "VoxelSizeY": 3e-7,
        "VoxelSizeZ": 1e-6,
    }.items():
        info[name] = value
    path = tmp_path / "stack.lsm"
    with tifffile.TiffWriter(path, byteorder="<") as tif:
        for z, plane in enumerate(STACK):
            extra = [(34412, 1, info.nbytes, info.tobytes(), True)] if z == 0 else []
            tif.write(plane, extratags=extra, metadata=None, photometric="minisblack")
            tif.write(plane[::4, ::4], subfiletype=1, metadata=None, photometric="minisblack")
    image = read_image(path)  # and no word of its previews
    assert image.axes == "ZYX"
    assert image.pixel_size == pytest.approx({"Z": 1.0, "Y": 0.3, "X": 0.2})
    np.testing.assert_array_equal(image.read()[0], STACK)


def test_a_slide_of_aperio(tmp_path):
    path = tmp_path / "slide.svs"
    text = "Aperio Image Library v10.0\r\n256x256 (16x16) JPEG/RGB|AppMag = 40|MPP = 0.2520"
    slide = np.zeros((256, 256, 3), np.uint8)
    with tifffile.TiffWriter(path) as tif:
        common = {"photometric": "rgb", "metadata": None}
        tif.write(slide, tile=(64, 64), description=text, **common)
        tif.write(slide[::4, ::4], description=text, **common)
    image = read_image(path)
    assert (image.axes, image.pixel_size) == ("YXC", {"Y": 0.252, "X": 0.252})


def test_metamorph_writes_its_calibration_into_the_description(write):
    entries = "".join(
        f'<prop id="spatial-calibration-{name}" type="{kind}" value="{value}"/>'
        for name, kind, value in [
            *(("x", "float", 0.32), ("y", "float", 0.34), ("units", "string", "um")),
        ]
    )
    text = f"<MetaData><PlaneInfo>{entries}</PlaneInfo></MetaData>"
    path = write(PLANE, description=text, software="MetaSeries", metadata=None)
    assert read_image(path).pixel_size == {"Y": 0.34, "X": 0.32}


@pytest.mark.parametrize(
    ("header", "content", "expected"),
    [
        (
            "stk_metadata",
            {"XCalibration": 0.2, "YCalibration": 0.3, "CalibrationUnits": "um",
             "ZDistance": np.array([1.5, 1.5, 1.5])},
            {"Z": 1.5, "Y": 0.3, "X": 0.2},
        ),
        ("sis_metadata", {"pixelsizex": 2e-7, "pixelsizey": 3e-7}, {"Y": 0.3, "X": 0.2}),
        (
            "fluoview_metadata",
            {"Dimensions": [("X", 16, 0.0, 0.2, "um"), ("Y", 16, 0.0, 0.3, "µm"),
                            ("Z", 3, 0.0, 1500.0, "nm"), ("", 0, 0.0, 0.0, "")]},
            {"Z": 1.5, "Y": 0.3, "X": 0.2},
        ),
        ("fei_metadata", {"Scan": {"PixelWidth": 2e-9, "PixelHeight": 3e-9}},
         {"Y": 0.003, "X": 0.002}),
        ("sem_metadata", {"ap_image_pixel_size": ("Image Pixel Size", 5.0, "nm")},
         {"Y": 0.005, "X": 0.005}),
    ],
)  # fmt: skip
def test_headers_of_microscopes(write, monkeypatch, header, content, expected):
    monkeypatch.setattr(tifffile.TiffFile, header, property(lambda _: content))
    image = read_image(write(STACK, metadata=None), pixel_size={} if "Z" in expected else {"Z": 1})
    assert {axis: image.pixel_size[axis] for axis in expected} == pytest.approx(expected)


@pytest.mark.parametrize("entry", [{"stk_metadata": {"ZDistance": "?"}}, {"lsm_metadata": 7}])
def test_a_header_that_cannot_be_read_costs_the_size_alone(write, monkeypatch, entry):
    for name, content in entry.items():
        monkeypatch.setattr(tifffile.TiffFile, name, property(lambda _, c=content: c))
    path = write(STACK, metadata=None)
    with pytest.warns(UnetNapariWarning, match=r"image\.tif: its pixel size cannot be read"):
        image = read_image(path)
    assert (image.shape, image.pixel_size) == ((3, 16, 16), {})


@pytest.mark.parametrize(("kind", "expected"), [("qpi", {"Y": 0.5, "X": 0.25}), ("uniform", {})])
def test_what_newer_tifffiles_say_of_a_format_is_taken(write, monkeypatch, kind, expected):
    scales, units = {"Y": 500, "X": 0.25}, {"Y": "nanometer", "X": "micrometer"}
    for name, content in {"coord_scales": scales, "coord_units": units}.items():
        monkeypatch.setattr(tifffile.TiffPageSeries, name, content, raising=False)
    read = tifffile.TiffFile._series_uniform

    def series(tif):
        found = read(tif)
        found[0].kind = kind
        return found

    monkeypatch.setattr(tifffile.TiffFile, "_series_uniform", series)
    assert read_image(write(PLANE, metadata=None)).pixel_size == expected
