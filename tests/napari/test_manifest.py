"""What napari finds of the plugin, before it imports any of it."""

import importlib.resources
import importlib.util
import sys
from pathlib import Path

import pytest
from npe2 import PluginManifest
from npe2.cli import app
from typer.testing import CliRunner

from unet_napari._napari import sample_data
from unet_napari._napari.demo_layers import fill_viewer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_file(ROOT / "napari.yaml")


def test_the_installed_manifest_is_the_one_at_the_top_level():
    installed = importlib.resources.files("unet_napari_manifest") / "napari.yaml"
    assert installed.read_text() == (ROOT / "napari.yaml").read_text()


def test_npe2_finds_nothing_wrong_with_it():
    result = CliRunner().invoke(app, ["validate", "--imports", str(ROOT / "napari.yaml")])
    assert result.exit_code == 0, result.output


def test_the_widgets_are_called_what_scripts_rely_on(manifest):
    names = [widget.display_name for widget in manifest.contributions.widgets]
    assert names == ["Train U-Net", "Segment with U-Net"]


def test_both_docks_are_in_the_segment_menu_of_the_layers(manifest):
    items = manifest.contributions.menus["napari/layers/segment"]
    assert [item.command for item in items] == ["unet-napari.train", "unet-napari.segment"]


def test_napari_is_not_asked_to_choose_between_readers(manifest):
    assert not manifest.contributions.readers
    assert not manifest.contributions.writers


@pytest.mark.parametrize(
    ("make", "shapes", "ndim"),
    [
        (sample_data.nuclei_2d, [(512, 512)], 2),
        (sample_data.nuclei_2d_painted, [(512, 512), (512, 512)], 2),
        (sample_data.nuclei_3d, [(40, 192, 192)], 3),
    ],
)
def test_sample_data_have_their_pixel_size(make, shapes, ndim):
    layers = make()
    assert [data.shape for data, _, _ in layers] == shapes
    for _, options, _ in layers:
        assert len(options["scale"]) == len(options["axis_labels"]) == ndim
        assert set(options["units"]) == {"um"}


def test_the_demo_is_ready_to_train_and_torch_is_not_imported(viewer, qtbot):
    fill_viewer(viewer)
    assert {layer.name for layer in viewer.layers} == {"nuclei", "nuclei labels"}
    docks = viewer.window.dock_widgets
    assert len(docks) == 2, docks
    train = next(dock for name, dock in docks.items() if name.startswith("Train"))
    qtbot.waitUntil(lambda: train.run.enabled)
    assert "torch" not in sys.modules
