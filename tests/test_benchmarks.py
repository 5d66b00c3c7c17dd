"""Tables of benchmarks reach the documentation whole, or not at all."""

import importlib.util
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def document():
    specification = importlib.util.spec_from_file_location("document", SCRIPTS / "document.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_table_takes_the_place_of_the_old_one(document, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "é\n<!-- table a -->\nold\n<!-- end a -->\n<!-- table b -->\n<!-- end b -->\n", "utf-8"
    )
    document.replace_table(page, "a", ["| new |", "|---|"])
    assert page.read_text("utf-8") == (
        "é\n<!-- table a -->\n\n| new |\n|---|\n\n<!-- end a -->\n"
        "<!-- table b -->\n<!-- end b -->\n"
    )
    assert list(tmp_path.iterdir()) == [page]


def test_an_interruption_leaves_the_old_table(document, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    text = "<!-- table a -->\nold\n<!-- end a -->\n"
    page.write_text(text)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        document.replace_table(page, "a", ["new"])
    assert page.read_text() == text
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize("name", ["2D", "3D", "variants"])
def test_the_page_of_the_networks_has_room_for_every_table(document, name):
    text = document.NETWORKS.read_text("utf-8")
    assert text.count(f"<!-- table {name} -->") == text.count(f"<!-- end {name} -->") == 1
