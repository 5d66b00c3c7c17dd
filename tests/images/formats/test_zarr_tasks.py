"""After a damaged chunk there is one error, and not a report on each of the other chunks."""

import logging
import subprocess
import sys

import numpy as np
import pytest
import tifffile
import zarr

from unet_napari.images.formats.zarr_tasks import settle

STACK = np.random.default_rng(0).integers(0, 4000, (6, 200, 250), dtype=np.uint16)
READ = """
import gc, sys
from unet_napari.errors import ImageError
from unet_napari.images import read_image
for _ in range(2):
    try:
        read_image(sys.argv[1], axes="ZYX").read()
    except ImageError as error:
        print(error)
    gc.collect()
"""


@pytest.fixture(params=["tif", "zarr"])
def damaged(request, tmp_path):
    """Write many chunks, a third of which are damaged."""
    path = tmp_path / f"stack.{request.param}"
    if request.param == "zarr":
        zarr.create_array(str(path), data=STACK, chunks=(1, 32, 32))
        files = sorted(file for file in (path / "c").rglob("*") if file.is_file())
        for file in files[::3]:
            file.write_bytes(b"\xff" * 40)
        return path
    tifffile.imwrite(path, STACK, compression="zlib", photometric="minisblack", tile=(32, 32))
    with tifffile.TiffFile(path) as tif:
        starts = [start for page in tif.pages for start in page.dataoffsets[::3]]
    content = bytearray(path.read_bytes())
    for start in starts:
        content[start : start + 30] = b"\xff" * 30
    path.write_bytes(content)
    return path


def test_a_damaged_chunk_is_one_line(damaged):
    command = [sys.executable, "-c", READ, damaged]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert done.stderr == ""
    assert [damaged.name in line for line in done.stdout.splitlines()] == [True, True]


@pytest.mark.parametrize("damaged", ["zarr"], indirect=True)
def test_reports_on_other_programs_tasks_are_passed_on(damaged, caplog):
    with pytest.raises(Exception, match=r"."):
        zarr.open_array(str(damaged), mode="r")[...]
    settle()
    logging.getLogger("asyncio").error("Task was destroyed but it is pending!\ntask: <theirs>")
    assert "theirs" in caplog.text
