"""TIFF files whose header describes more than their own image."""

import numpy as np
import pytest
import tifffile

from unet_napari.errors import UnetNapariWarning
from unet_napari.images import read_image

RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 255, shape, dtype=np.uint8) for shape in ((20, 24), (25, 26), (12, 15))]
SIZES = (0.2, 0.5, 1.0)
HEAD = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'


def image_xml(index, image, size, data, *, z=1):
    """Return what OME says of one image."""
    return (
        f'<Image ID="Image:{index}"><Pixels ID="Pixels:{index}" Type="{image.dtype}" '
        f'DimensionOrder="XYZCT" SizeX="{image.shape[-1]}" SizeY="{image.shape[-2]}" '
        f'SizeZ="{z}" SizeC="1" SizeT="1" PhysicalSizeX="{size}" PhysicalSizeY="{size}">'
        f"{data}</Pixels></Image>"
    )


def tiff_data(name, uuid, *, ifd=0, z=0):
    return (
        f'<TiffData IFD="{ifd}" FirstZ="{z}" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:{uuid}</UUID></TiffData>'
    )


def write(path, image, xml, **options):
    tifffile.imwrite(path, image, description=xml, metadata=None, photometric="minisblack",
                     **options)  # fmt: skip


@pytest.fixture(params=["lzw", None])
def one_each(request, tmp_path):
    """Write three images into three files, each with the header of all, as Bio-Formats does."""
    names = [f"x_s{i}.ome.tif" for i in range(3)]
    images = "".join(
        image_xml(i, image, size, tiff_data(name, i))
        for i, (image, size, name) in enumerate(zip(IMAGES, SIZES, names, strict=True))
    )
    for i, name in enumerate(names):
        xml = f'{HEAD} UUID="urn:uuid:{i}">{images}</OME>'
        write(tmp_path / name, IMAGES[i], xml, compression=request.param)
    return [tmp_path / name for name in names]


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("index", range(3))
def test_each_file_of_a_set_is_its_own_image(one_each, index, alone):
    for i, path in enumerate(one_each):
        if alone and i != index:
            path.unlink()
    image = read_image(one_each[index])
    assert image.pixel_size == {"Y": SIZES[index], "X": SIZES[index]}
    np.testing.assert_array_equal(image.read()[0], IMAGES[index])


def test_a_renamed_file_is_known_by_its_number(one_each):
    path = one_each[1].rename(one_each[1].with_name("renamed.ome.tif"))
    image = read_image(path)
    assert image.pixel_size["X"] == SIZES[1]
    np.testing.assert_array_equal(image.read()[0], IMAGES[1])


def test_images_without_pixels_in_the_file_are_passed_over(tmp_path):
    path = tmp_path / "second.ome.tif"
    gone = image_xml(0, IMAGES[1], 0.9, tiff_data("gone.ome.tif", 0))
    here = image_xml(1, IMAGES[1], 0.3, '<TiffData IFD="0" PlaneCount="1"/>')
    write(path, IMAGES[1], f'{HEAD} UUID="urn:uuid:7">{gone}{here}</OME>')
    assert read_image(path).pixel_size == {"Y": 0.3, "X": 0.3}


def test_two_images_in_one_file_are_counted(tmp_path):
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for image, size in zip(IMAGES[:2], SIZES, strict=False):
            metadata = {"PhysicalSizeX": size, "PhysicalSizeY": size}
            tif.write(image, photometric="minisblack", metadata=metadata)
    with pytest.warns(UnetNapariWarning, match=r"two\.ome\.tif holds 2 images"):
        image = read_image(path)
    assert (image.shape, image.pixel_size) == ((20, 24), {"Y": 0.2, "X": 0.2})


@pytest.mark.parametrize("where", ["set.companion.ome", "z0.ome.tif"])
def test_a_header_in_another_file_is_found(tmp_path, where):
    planes = np.stack([IMAGES[0], 255 - IMAGES[0]])
    data = "".join(tiff_data(f"z{z}.ome.tif", z, z=z) for z in range(2))
    header = f'{HEAD} UUID="urn:uuid:9">{image_xml(0, planes, 0.4, data, z=2)}</OME>'
    pointer = f'{HEAD}><BinaryOnly MetadataFile="{where}" UUID="urn:uuid:9"/></OME>'
    if where.endswith(".ome"):
        (tmp_path / where).write_text(header)
    for z in range(2):
        own = header if where == f"z{z}.ome.tif" else pointer
        write(tmp_path / f"z{z}.ome.tif", planes[z], own)
    with pytest.warns(UnetNapariWarning, match="along Z"):
        image = read_image(tmp_path / "z1.ome.tif")
    assert (image.axes, image.pixel_size) == ("ZYX", {"Y": 0.4, "X": 0.4})
    np.testing.assert_array_equal(image.read()[0], planes)


@pytest.fixture
def positions(tmp_path, monkeypatch):
    """Write two positions of a run of Micro-Manager, each into a file of its own."""
    summary = {
        "MicroManagerVersion": "2.0",
        "Prefix": "run",
        "Frames": 1,
        "Slices": 1,
        "Channels": 1,
        "Positions": 2,
        "PixelSize_um": 0.325,
        "z-step_um": 2.0,
    }
    paths = [tmp_path / f"run_MMStack_Pos{i}.ome.tif" for i in range(2)]
    planes = [IMAGES[0], IMAGES[0][::-1].copy()]
    for path, plane in zip(paths, planes, strict=True):
        tifffile.imwrite(path, plane, metadata=None, extratags=[(51123, 2, 9, '{"a": 1}', True)],
                         photometric="minisblack")  # fmt: skip
    starts = []
    for path in paths:
        with tifffile.TiffFile(path) as tif:
            starts.append(tif.pages.first.offset)

    def header(file, keys=None):
        index = int(file.name.split("Pos")[1][0])
        rows = np.array([[0, 0, 0, index, starts[index]]], np.uint32)
        return {"Summary": summary, "IndexMap": rows, "MajorVersion": 0}

    monkeypatch.setattr("tifffile.tifffile.read_micromanager_metadata", header)
    return paths, planes


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("index", range(2))
def test_each_file_of_a_run_is_its_own_position(positions, index, alone):
    paths, planes = positions
    if alone:
        paths[1 - index].unlink()
    image = read_image(paths[index])
    assert (image.axes, image.pixel_size) == ("YX", {"Y": 0.325, "X": 0.325})
    np.testing.assert_array_equal(image.read()[0], planes[index])


CASES = {
    "ome_one_file_per_image/lzw/x_s1.ome.tif": ("YX", (250, 256), (0.5, 0.5)),
    "ome_one_file_per_image/raw/x_s2.ome.tif": ("YX", (120, 150), (1.0, 1.0)),
    "scifio/scifio_yx.tif": ("YX", (200, 240), (0.2, 0.2)),
    "imagej/xyz_nuclear_envelope_drosophila.tif": ("ZYX", (14, 224, 305), (1, 0.2416, 0.2416)),
    "lsm/lsm.lsm": ("ZYX", (5, 200, 240), (1.0, 0.2, 0.2)),
    "micromanager/pos1_z5/run_1_MMStack_Pos0.ome.tif": ("ZYX", (5, 200, 240), (2, 0.325, 0.325)),
    "micromanager/pos2_z1/run_1_MMStack_Pos1.ome.tif": ("YX", (200, 240), (0.325, 0.325)),
}


@pytest.mark.parametrize("name", CASES)
def test_files_of_other_programs(shared_data, name):
    path = shared_data.parent / "cases" / name
    if not path.exists():
        pytest.skip("needs the files of other programs")
    axes, shape, size = CASES[name]
    image = read_image(path)
    assert (image.axes, image.shape) == (axes, shape)
    assert [image.pixel_size[axis] for axis in axes] == pytest.approx(size, rel=1e-3)


def test_positions_in_one_file_are_counted(positions, monkeypatch):
    (path, other), planes = positions
    other.unlink()
    tifffile.imwrite(path, np.stack(planes), metadata=None, photometric="minisblack",
                     extratags=[(51123, 2, 9, '{"a": 1}', True)])  # fmt: skip
    with tifffile.TiffFile(path) as tif:
        starts = [page.offset for page in tif.pages]
        data = tif.pages[1].dataoffsets[0]
    rows = np.array([[0, 0, 0, 0, starts[0]], [0, 0, 0, 1, data - 162]], np.uint32)
    read = tifffile.tifffile.read_micromanager_metadata
    monkeypatch.setattr(
        "tifffile.tifffile.read_micromanager_metadata",
        lambda file, *_: {**read(file), "IndexMap": rows},
    )
    with pytest.warns(UnetNapariWarning, match="holds 2 images; the first is used"):
        image = read_image(path)
    np.testing.assert_array_equal(image.read()[0], planes[0])
