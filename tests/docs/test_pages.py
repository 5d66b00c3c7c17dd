"""What the pages say of the code is true: files exist, and rooms import downwards."""

import importlib
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "unet_napari"


@pytest.mark.parametrize("page", ["how-a-prediction-runs", "how-a-training-runs"])
def test_each_of_ten_steps_names_a_file_that_exists(page):
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    steps = re.findall(r"^(\d+)\. `([\w/]+\.py)`: ", text, re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, 11))
    assert len({file for _, file in steps}) == 10
    for file in re.findall(r"`([\w/]+\.py)`", text):
        assert (SOURCE / file).is_file(), file


def test_where_things_go_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    places = re.findall(r"`((?:src|docs|tests|scripts|benchmarks)/[\w./-]*)`", text)
    assert len(places) > 15
    for place in places:
        assert (ROOT / place).exists(), place


def test_a_room_imports_only_rooms_below_it(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    house = importlib.import_module("house_rooms")
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = text.partition("\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines()]
    level = {room: number for number, row in enumerate(rows) for room in row}
    modules = house.read_modules(SOURCE)
    tops = {name.partition(".")[0] for name in modules} - {"", "_lazy", "_version"}
    assert tops == set(level)
    for module in modules.values():
        above = module.name.partition(".")[0]
        for other in house.imports(module, modules) if above in level else ():
            below = other.partition(".")[0]
            if below in level:
                assert level[above] <= level[below], f"{module.name} imports {other}"


def test_the_glossary_is_short():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    glossary = text.partition("\n## Glossary\n\n")[2].splitlines()
    assert 15 < len(glossary) <= 25
    assert all(line.startswith("- **") for line in glossary)


def test_a_file_that_a_page_names_exists_and_is_only_one():
    folders = ("src", "tests", "scripts", "benchmarks", "examples")
    files = [file.as_posix() for folder in folders for file in (ROOT / folder).rglob("*.py")]
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for name in re.findall(r"[\w/-]*\w\.py\b", page.read_text("utf-8")):
            found = [file for file in files if file.endswith(f"/{name}")]
            assert found, f"{page.name} names {name}, which is not there"
            assert "/" in name or len(found) == 1, f"{page.name} names {name}: which of {found}?"


def test_the_site_shows_modules_that_exist():
    site = runpy.run_path(str(ROOT / "docs" / "conf.py"))
    assert {path.relative_to(SOURCE).as_posix() for path in site["shown"]} >= {
        "__init__.py",
        "api/prediction.py",
        "tasks/base.py",
    }
