"""The pictures of the tutorial exist, are small, and are all that its script takes."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
PICTURES = re.findall(r"!\[[^\]]+\]\((pictures/round/[\w-]+\.png)\)", TEXT)
LARGEST = 300_000  # bytes


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_exists_and_is_small(name):
    content = (ROOT / "docs" / name).read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) <= LARGEST


def test_each_step_has_a_picture_and_each_picture_is_shown():
    steps = TEXT.split("\n## ")[1:]
    assert [step[0] for step in steps] == [str(number) for number in range(1, 8)]
    assert all("](pictures/round/" in step for step in steps)
    there = {f"pictures/round/{file.name}" for file in (ROOT / "docs/pictures/round").iterdir()}
    assert there == set(PICTURES)
    script = (ROOT / "scripts" / "tutorial.py").read_text("utf-8")
    taken = set(re.findall(r"picture\([\w.]+, \"(\w+)\"\)", script))
    assert {f"pictures/round/{name}.png" for name in taken} == set(PICTURES)
