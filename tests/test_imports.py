"""Which module loads what: napari stays in its room, and the napari side stays free of torch."""

import pkgutil
import subprocess
import sys

import pytest

import unet_napari

VIEWER = {"napari", "qtpy", "magicgui", "superqt", "PySide6", "PyQt6"}

TORCH_FREE = [
    "unet_napari",
    "unet_napari.labels.annotated",
    "unet_napari.engine",
    "unet_napari.engine.arrays",
    "unet_napari.engine.client",
    "unet_napari.engine.worker.job_context",
    "unet_napari.engine.worker.measure_labels",
    "unet_napari.engine.process",
    "unet_napari.engine.protocol",
    "unet_napari.engine.requests",
    "unet_napari.engine.shared",
    "unet_napari.engine.worker.__main__",
    "unet_napari.errors",
    "unet_napari.system.memory",
    "unet_napari.system.heap",
    "unet_napari.images",
    "unet_napari.inference",
    "unet_napari.inference.config",
    "unet_napari.inference.progress",
    "unet_napari.inference.summary",
    "unet_napari.labels.painting",
    "unet_napari.system.leftovers",
    "unet_napari.labels.measure",
    "unet_napari.evaluation.objects",
    "unet_napari.model.info",
    "unet_napari.networks",
    "unet_napari.networks.catalogue",
    "unet_napari.tasks",
    "unet_napari.tasks.criterion",
    "unet_napari.tasks.kinds.catalogue",
    "unet_napari.tasks.loss_catalogue",
    "unet_napari.training",
    "unet_napari.training.config",
    "unet_napari.training.events",
]


def modules():
    """Return the names of all modules but those of the room that belongs to napari."""
    found = pkgutil.walk_packages(unet_napari.__path__, "unet_napari.", onerror=lambda _: None)
    return ["unet_napari", *(m.name for m in found if "._napari" not in m.name)]


def loaded_by(statement):
    """Return the top-level packages that a fresh interpreter has loaded after a statement."""
    program = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return set(answer.stdout.split())


def test_no_module_outside_its_room_loads_napari_or_qt():
    names = modules()
    assert len(names) > 40
    assert loaded_by("import " + ", ".join(names)) & VIEWER == set()


@pytest.mark.parametrize("name", TORCH_FREE)
def test_what_the_napari_side_uses_loads_no_torch(name):
    assert "torch" not in loaded_by(f"import {name}")


def test_the_package_itself_loads_next_to_nothing():
    heavy = {"numpy", "torch", "scipy", "skimage", "zarr", "tifffile", "napari", "imagecodecs"}
    assert loaded_by("import unet_napari") & heavy == set()
