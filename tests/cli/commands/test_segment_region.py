"""A region of an image from the command line: its record, the same again, and what is refused."""

import numpy as np
import pytest
import tifffile

from unet_napari import segment
from unet_napari.cli import main
from unet_napari.images.result_record import read_record

OUTLINE = "YX=(20 10, 20 90, 80 90, 80 10)"


def run(*words):
    return main([str(word) for word in words])


@pytest.fixture
def folder(tmp_path, trained_model, painted_nuclei):
    tifffile.imwrite(tmp_path / "image.tif", painted_nuclei[0])
    mask = np.zeros(painted_nuclei[0].shape, np.uint8)
    mask[20:81, 10:91] = 7
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    trained_model.save(tmp_path / "mine.unet")
    return tmp_path


def begin(folder, name, region, *words):
    return run(
        *("segment", folder / "image.tif", "--model", folder / "mine.unet", "--device", "cpu"),
        *("--output", folder / name, "--region", region, *words),
    )


@pytest.mark.parametrize("said", [OUTLINE, "mask.tif"])
def test_a_region_is_segmented_recorded_and_made_again(
    folder, trained_model, painted_nuclei, capsys, said
):
    region = folder / said if said.endswith("tif") else said
    table = folder / "cells.csv"
    assert begin(folder, "r.tif", region, "--table", table, "--list", folder / "list.csv") == 0
    labels = tifffile.imread(folder / "r.tif")
    expected = segment(painted_nuclei[0], trained_model, region=region, device="cpu")
    np.testing.assert_array_equal(labels, expected)
    assert 2 < labels.max() < segment(painted_nuclei[0], trained_model, device="cpu").max()
    assert len(table.read_text().splitlines()) == 1 + labels.max()
    record = read_record(folder / "r.tif")
    assert record.region.get("said", record.region.get("mask")) == said
    capsys.readouterr()
    assert run("info", folder / "r.tif") == 0
    lines = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["Region"].strip() == said
    assert lines["Found"].strip() == f"{labels.max()} objects"
    assert run("info", folder / "r.tif", "--methods") == 0
    assert "A region of the image was segmented; an object belongs" in capsys.readouterr().out
    assert run("reproduce", folder / "r.tif") == 0
    assert "the same, bit for bit" in capsys.readouterr().out
    if said == "mask.tif":
        tifffile.imwrite(folder / said, np.ones((96, 128), np.uint8))
        assert run("reproduce", folder / "r.tif") == 1
        assert "The mask of the region is another" in capsys.readouterr().out
        (folder / said).unlink()
        assert run("reproduce", folder / "r.tif") == 2
        assert "mask of the region of this result is not here" in capsys.readouterr().err


def test_another_region_is_another_result(folder):
    assert begin(folder, "r.tif", OUTLINE) == 0
    before, made = tifffile.imread(folder / "r.tif"), (folder / "r.tif").stat().st_mtime_ns
    assert begin(folder, "r.tif", OUTLINE, "--resume") == 0
    assert (folder / "r.tif").stat().st_mtime_ns == made
    assert begin(folder, "r.tif", "Y=:50", "--resume") == 0
    assert (tifffile.imread(folder / "r.tif") != before).any()


def test_the_pixel_size_may_be_typed(folder, capsys):
    assert begin(folder, "r.tif", "Y=:60", "--scale", "0.5,0.25") == 0
    assert dict(read_record(folder / "r.tif").image.pixel_size) == {"Y": 0.5, "X": 0.25}
    capsys.readouterr()
    assert run("reproduce", folder / "r.tif") == 0
    assert "the same, bit for bit" in capsys.readouterr().out
    assert run("measure", folder / "r.tif", "--scale", "Y=2,X=3", "--properties", "area") == 0
    names, *rows = (line.split(",") for line in capsys.readouterr().out.splitlines())
    assert "area_um2" in names
    assert len(rows) > 2
    for row in rows:
        found = dict(zip(names, row, strict=True))
        assert float(found["area_um2"]) == pytest.approx(6 * float(found["area"]))
    with pytest.raises(SystemExit):
        begin(folder, "again.tif", "Y=:60", "--scale", "large")
    assert "'large' is no pixel size in micrometres" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Y=1..5"], "'Y=1..5' is no region: write Y=100:400,X=0:300"),
        (["Z=3"], "The region Z=3 names the axis Z, but 'image' has only Y, X"),
        (["Y=200:300"], "The region Y=200:300 holds no pixel of 'image'"),
        (["there.tif"], "'there.tif' is no file"),
        (["Y=3:9", "--workers", "2"], "--region and --workers do not go together"),
    ],
)
def test_what_is_no_region_is_one_clear_line(folder, capsys, words, message):
    assert begin(folder, "r.tif", *words) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert message in error[0]
    assert not (folder / "r.tif").exists()
