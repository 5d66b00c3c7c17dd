"""The measured cells are plotted by other plugins; ``tox -e neighbours`` installs them."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

WHY = "needs programs of others, which `tox -e neighbours` installs"
plots = pytest.importorskip("napari_matplotlib", reason=WHY)
clusters = pytest.importorskip("napari_clusters_plotter", reason=WHY)

os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp(prefix="napari-config-")) / "settings.yaml")

import napari  # noqa: E402  the user's settings must not be read
from unet_napari._napari.sections.measuring import show_table  # noqa: E402
from unet_napari.images import Image  # noqa: E402
from unet_napari.labels.measure import measure_objects  # noqa: E402

# What other programs warn of is theirs to mend.
pytestmark = pytest.mark.filterwarnings("default")

SIDES = (6, 9, 12, 15)  # pixels of four squares


@pytest.fixture
def viewer(qapp):
    viewer = napari.Viewer(show=False)
    yield viewer
    viewer.close()


@pytest.fixture
def measured(viewer):
    """A labels layer of four squares with their measurements as features, selected."""
    labels = np.zeros((40, 100), np.uint32)
    for number, side in enumerate(SIDES):
        labels[5 : 5 + side, 25 * number : 25 * number + side] = number + 1
    layer = viewer.add_labels(labels, name="cells")
    show_table(layer, measure_objects(Image(labels, "YX")))
    viewer.layers.selection.active = layer
    return layer


def areas(values):
    """Sizes without the background, for which the features have a row of their own."""
    return [value for value in np.asarray(values, float).tolist() if value > 0]


def test_napari_matplotlib_scatters_them(viewer, measured):
    scatter = plots.FeaturesScatterWidget(viewer)
    scatter.on_update_layers()
    scatter.x_axis_key, scatter.y_axis_key = "area", "perimeter"
    x, _, name, other = scatter._get_data()
    assert areas(x) == [side**2 for side in SIDES]
    assert (name, other) == ("area", "perimeter")


@pytest.mark.parametrize("kind", ["SCATTER", "HISTOGRAM2D"])
def test_the_clusters_plotter_plots_and_colours_the_right_cells(viewer, measured, kind):
    plotter = clusters.PlotterWidget(viewer)
    plotter.plotting_type = kind
    plotter.x_axis, plotter.y_axis, plotter.hue_axis = "area", "perimeter", "area"
    drawn = np.asarray(plotter.plotting_widget.active_artist.data)
    assert areas(drawn[:, 0]) == [side**2 for side in SIDES]
    colours = [tuple(measured.get_color(number)) for number in range(1, 5)]
    assert len(set(colours)) == 4
