"""What is fitted to, and where thresholds are kept."""

import numpy as np
import pytest

from unet_napari._napari.layers.ownership import choosers, mark
from unet_napari._napari.runs.threshold_jobs import keep_request, painted_labels
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
