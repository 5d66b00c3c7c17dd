"""The table of backends: its entries are whole, and the settings know them without torch."""

import subprocess
import sys

import pytest

from unet_napari.errors import ResourceError
from unet_napari.inference.backends.table import (
    BACKEND_ENTRIES,
    BackendEntry,
    backend_choices,
    find_backend,
)

SOUND = {
    "name": "mine",
    "title": "Mine",
    "implementation": "somewhere:Mine",
    "precisions": ("auto", "fp32"),
    "workspace": 1.0,
}


@pytest.mark.parametrize("entry", BACKEND_ENTRIES.values(), ids=lambda entry: entry.name)
def test_each_entry_has_a_class_with_all_that_is_asked_of_it(entry):
    if not entry.installed:
        pytest.skip(f"{entry.title} is not installed")
    made = entry.load()
    members = ["logits", *(["stream"] if entry.streams else [])]
    members += ["quantise"] if "int8" in entry.precisions else []
    for member in members:
        assert hasattr(made, member), (
            f"{entry.implementation} lacks the method {member}: see Backend, Streaming and "
            "Quantisable in inference/backends/backend.py, or change the entry in table.py."
        )


def test_the_first_backend_of_a_number_format_is_found():
    assert backend_choices() == ("auto", "torch", "openvino")
    found = {name: find_backend(name).name for name in ("auto", "fp32", "bf16", "int8")}
    assert found == {"auto": "torch", "fp32": "torch", "bf16": "torch", "int8": "openvino"}


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"precisions": ("fp32",)}, "add it to precisions"),
        ({"packages": ("somewhere",)}, "give the command"),
    ],
)
def test_what_an_entry_lacks_is_said_when_it_is_written(change, remedy):
    with pytest.raises(ValueError, match=remedy):
        BackendEntry(**{**SOUND, **change})


def test_a_package_that_is_missing_is_named_with_the_remedy():
    entry = BackendEntry(**SOUND, packages=("no_such_package",), install="pip install something")
    with pytest.raises(ResourceError, match=r"Mine is not installed.*pip install something"):
        entry.load()


def test_a_class_that_is_missing_is_named_with_the_remedy():
    with pytest.raises(ImportError, match=r"backend 'mine'.*'somewhere'.*correct the entry"):
        BackendEntry(**SOUND).load()


def test_the_settings_know_the_backends_without_torch():
    code = (
        "import sys; from unet_napari.inference import InferenceConfig;"
        "InferenceConfig(backend='openvino'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
