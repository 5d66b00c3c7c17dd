import json
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, entry_points
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def is_editable():
    origin = distribution("unet-napari").read_text("direct_url.json") or "{}"
    return json.loads(origin).get("dir_info", {}).get("editable", False)


def test_napari_finds_the_manifest_that_lies_at_the_top_level():
    (point,) = [p for p in entry_points(group="napari.manifest") if p.name == "unet-napari"]
    module, file = point.value.split(":")
    script = (
        f"from importlib.resources import files; print((files('{module}')/'{file}').read_text())"
    )
    installed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert installed.strip() == (ROOT / "napari.yaml").read_text().strip()


def test_the_manifest_is_valid_and_its_commands_can_be_imported():
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", "unet-napari", "--imports"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def pages_in(folder, path=""):
    """Texts of all files of a folder and of those in it, by their paths."""
    found = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            found |= pages_in(entry, f"{path}{entry.name}/")
        else:
            found[path + entry.name] = entry.read_text("utf-8")
    return found


def test_the_folder_that_travels_with_the_package_holds_pages_and_nothing_else():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    forced = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    (folder,) = [source for source, to in forced.items() if to == "unet_napari_manifest/docs"]
    pages = pages_in(ROOT / folder)
    assert {"docks.md", "training.md", "models/nuclei.md"} <= set(pages)
    assert all(name.endswith(".md") for name in pages)


@pytest.mark.skipif(is_editable(), reason="keeps the pages of the day that it was made")
def test_the_pages_that_are_installed_are_those_of_the_docs():
    installed = pages_in(files("unet_napari_manifest") / "docs")
    assert installed == pages_in(ROOT / "docs" / "guide")
