"""A list of images, each segmented by one worker, comes out as from one process."""

import numpy as np
import pytest
import tifffile

from unet_napari.cli import main
from unet_napari.cluster.image_tasks import cluster_folder_steps
from unet_napari.folder_run.order import FolderOrder, ListedImage
from unet_napari.folder_run.run import folder_steps
from unet_napari.folder_run.tables import FolderTables
from unet_napari.images import read_image
from unet_napari.inference import InferenceConfig


@pytest.fixture
def paths(tmp_path, painted_nuclei):
    """Write two images, of unlike shape, and one that is damaged between them."""
    image = painted_nuclei[0]
    for name, pixels in (("a", image), ("b", image[:3]), ("c", image[:60, ::-1])):
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels)
    (tmp_path / "b.tif").write_bytes(b"nothing")
    return [tmp_path / f"{name}.tif" for name in "abc"]


@pytest.fixture
def order(trained_model):
    return FolderOrder(
        trained_model, InferenceConfig(device="cpu", diameter="model"), measured=True
    )


def listed(paths, folder):
    folder.mkdir(exist_ok=True)

    def item(path):
        return ListedImage(path.stem, folder / path.name, lambda: read_image(path))

    return [item(path) for path in paths]


def drain(steps):
    lines = []
    while True:
        try:
            lines.append(next(steps))
        except StopIteration as end:
            return [line for line in lines if hasattr(line, "state")], end.value


def test_the_results_are_those_of_one_process(client, paths, order, tmp_path):
    tables = [tmp_path / "one.csv", tmp_path / "many.csv"]
    one = drain(folder_steps(listed(paths, tmp_path / "one"), order, FolderTables(tables[0])))
    items = listed(paths, tmp_path / "many")
    many = drain(cluster_folder_steps(client, items, paths, order, FolderTables(tables[1])))
    assert [line.state for line in many[0]] == ["done", "failed", "done"]
    assert [line.number for line in many[0]] == [0, 1, 2]
    assert [line.objects for line in many[0]] == [line.objects for line in one[0]]
    assert many[1] == one[1]
    assert tables[0].read_text() == tables[1].read_text()
    for name in ("a.tif", "c.tif"):
        labels = [tifffile.imread(tmp_path / way / name) for way in ("one", "many")]
        assert labels[0].max() > 3
        np.testing.assert_array_equal(*labels)
    again = drain(cluster_folder_steps(client, items, paths, order, FolderTables()))
    assert [line.state for line in again[0]] == ["unchanged", "failed", "unchanged"]


def test_the_command_gives_each_image_to_a_worker(
    client, paths, trained_model, tmp_path, monkeypatch, capsys
):
    trained_model.save(tmp_path / "cells.unet")
    address = client.cluster.scheduler.address
    (tmp_path / "out").mkdir()
    status = main([
        "segment", *map(str, paths), "--model", str(tmp_path / "cells.unet"), "--output",
        str(tmp_path / "out"), "--scheduler", address, "--device", "cpu", "--diameter", "model",
    ])  # fmt: skip
    assert status == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.tif", "c.tif"]
    said = capsys.readouterr().err
    assert "b.tif" in said
    assert said.count("written to") == 2


def test_an_evaluation_gives_each_image_to_a_worker(
    client, painted_nuclei, trained_model, tmp_path, capsys
):
    image, labels = painted_nuclei
    for folder, pixels in (("images", image), ("labels", labels)):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", pixels)
        tifffile.imwrite(tmp_path / folder / "b.tif", pixels[:, ::-1])
    trained_model.save(tmp_path / "cells.unet")
    command = ["evaluate", "--device", "cpu", "--diameter", "model"]
    for name in ("images", "labels"):
        command += [f"--{name}", str(tmp_path / name)]
    said = []
    for more in ([], ["--scheduler", client.cluster.scheduler.address]):
        assert main([*command, "--model", str(tmp_path / "cells.unet"), *more]) == 0
        said.append(capsys.readouterr().out)
    assert "AP" in said[0]
    assert said[0] == said[1]
