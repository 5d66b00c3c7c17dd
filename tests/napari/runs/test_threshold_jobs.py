"""What is fitted to, and where thresholds are kept."""

from types import SimpleNamespace

import numpy as np
import pytest

from unet_napari._napari.layers.layer_axes import ViewPlace, image_of
from unet_napari._napari.layers.ownership import choosers, mark
from unet_napari._napari.layers.results import Purpose
from unet_napari._napari.runs.kept_run import KeptRun
from unet_napari._napari.runs.segment_order import Order
from unet_napari._napari.runs.threshold_jobs import fit_request, keep_request, painted_labels
from unet_napari.engine.arrays import open_ref
from unet_napari.errors import LabelsError


class Chooser:
    """Stands for a Train dock in which a layer is chosen."""

    def __init__(self, layer):
        self._layer = layer

    def chosen_layers(self):
        return [self._layer]


def test_the_layer_of_the_train_dock_is_fitted_to(viewer):
    image = viewer.add_image(np.zeros((20, 30)))
    one, two = (viewer.add_labels(np.zeros((20, 30), int), name=name) for name in ("one", "two"))
    with pytest.raises(LabelsError, match=r"'one', 'two'"):
        painted_labels(viewer, image, "YX")
    chooser = Chooser(two)
    choosers.add(chooser)
    assert painted_labels(viewer, image, "YX") is two
    choosers.discard(chooser)
    viewer.layers.remove(two)
    assert painted_labels(viewer, image, "YX") is one


def test_what_is_painted_completely_is_fitted_to_as_a_whole(viewer, train_dock, job, cells, client):
    paint = viewer.add_labels(np.zeros((20, 30), np.uint16), name="paint")
    shapes = viewer.add_shapes([[(0, 0), (0, 12), (9, 12), (9, 0)]], name="complete")
    train_dock.image.value, train_dock.labels.value = cells, paint
    info = SimpleNamespace(ndim=2, halo=(8, 8))
    order = Order(cells, image_of(cells), ViewPlace(), info, Purpose("nuclei", key="nuclei"))
    run = KeptRun(order, 3, None)
    assert fit_request(job, run, paint, "YX")().annotated is None
    train_dock.settings.annotated.value = shapes
    request = fit_request(job, run, paint, "YX")()
    inside = open_ref(request.annotated, folders=client.folder.folders)
    assert inside[2:8, 2:10].all()
    assert not inside[12:].any()
    train_dock.labels.value = None
    assert fit_request(job, run, paint, "YX")().annotated is None


def test_a_result_of_a_model_is_never_fitted_to(viewer):
    image = viewer.add_image(np.zeros((20, 30)))
    mark(viewer.add_labels(np.ones((20, 30), int), name="found"), {"image": "x", "purpose": "y"})
    with pytest.raises(LabelsError, match="Nothing is painted"):
        painted_labels(viewer, image, "YX")


@pytest.mark.parametrize("bundled", [True, False])
def test_only_a_bundled_model_is_copied(models_folder, tmp_path, bundled):
    models_folder.mkdir()
    folder = tmp_path / "bundled" if bundled else models_folder
    folder.mkdir(exist_ok=True)
    (folder / "nuclei.unet").write_bytes(b"")
    request = keep_request("nuclei", {"min_size": 5}, {})
    assert request.output == (str(models_folder / "nuclei 2.unet") if bundled else None)
