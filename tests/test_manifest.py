import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parents[1]


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
