"""The figures of the house, on a toy tree that is in order until a test spoils it."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TOY = {
    "__init__.py": '"""A toy."""\nfrom unet_napari.high.top import show\n',
    "errors.py": '"""Errors."""\nclass ToyError(Exception): ...\n',
    "low/__init__.py": '"""Low. It may import nothing of ours, as it is below `high`."""\n',
    "low/base.py": "import numpy\nfrom unet_napari.errors import ToyError\nBASE = 1\n",
    "high/__init__.py": '"""High.\n\nIt may import `low`.\n"""\n',
    "high/top.py": "from unet_napari.low.base import BASE\n\ndef show(): ...\n",
    "high/left/__init__.py": '"""Left. It may import `right`."""\n',
    "high/left/a.py": "from unet_napari.high.right import b\nfrom unet_napari.low import base\n",
    "high/right/__init__.py": '"""Right. It may import nothing of ours."""\n',
    "high/right/b.py": "_BASE = 2\n",
}


@pytest.fixture
def toy(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    house = importlib.import_module("house")

    def write(changes):
        for name, text in changes.items():
            path = tmp_path / "src" / "unet_napari" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    write(TOY)

    def measure(**changes):
        write({name.replace("__", "/") + ".py": text for name, text in changes.items()})
        status = house.main([str(tmp_path)])
        lines = capsys.readouterr().out.splitlines()
        assert status == (len(lines) > 7)
        return lines[:7], lines[7:]

    return measure


def function_of(lines):
    return "def long():\n" + "    x = 1\n" * (lines - 1)


def test_a_tree_in_order_has_figures_and_no_offence(toy):
    figures, offences = toy()
    assert offences == []
    assert [line.split()[-1] for line in figures] == ["4", "1", "1", "0", "0", "0", "0"]


@pytest.mark.parametrize(
    ("changes", "figure", "value", "offence"),
    [
        ({"low__long": "x = 1\n" * 310}, 0, 310, None),
        ({"low__long": "x = 1\n" * 311}, 0, 311, "src/unet_napari/low/long.py: 311 lines; split"),
        ({"low__f": function_of(60)}, 1, 60, None),
        ({"low__f": function_of(61)}, 1, 61, "src/unet_napari/low/f.py, long: 61 lines; give"),
        ({f"low__f{i}": "" for i in range(14)}, 2, 15, None),
        ({f"low__f{i}": "" for i in range(15)}, 2, 16, "src/unet_napari/low: 16 files; put"),
        ({"low__again": "BASE: int = 3\n"}, 3, 1, "BASE: defined in low.again and low.base;"),
        ({"low__again": "if True:\n    def show(): ...\n"}, 3, 1, "show: defined in high.top and"),
        ({"low__again": "_BASE = 3\n__all__ = []\ndef main(): ...\n"}, 3, 0, None),
        (
            {"low__base": "def later():\n    from unet_napari.low import other\n",
             "low__other": "import unet_napari.low.base\n"},
            4, 1, "low.base <-> low.other: a circle of imports; move",
        ),
        (
            {"low__base": "if TYPE_CHECKING:\n    from unet_napari.high.top import show\nBASE = 1"},
            4, 1, "high.top <-> low.base: a circle",
        ),
        (
            {"low__up": "from unet_napari import high\n"},
            6, 1, "low.up -> high: the docstring of low does not allow this import (line 1); move",
        ),
        (
            {"high__right__b": "from unet_napari.high.left import x\n"},
            6, 1, "high.right.b -> high.left: the docstring of high.right does not allow",
        ),
        (
            {"high__right__b": "from unet_napari.high.top import show\n"},
            6, 1, "high.right.b -> high.top: the docstring of high.right does not allow",
        ),
        ({"errors": "from unet_napari.low.base import BASE"}, 6, 1, "errors -> low.base: the"),
        ({"lone": '"""Lone. It may import everything but `high`."""\nimport unet_napari.low'}, 6, 0,
         None),
        ({"lone": '"""Lone. It may import everything but `low`."""\nimport unet_napari.low'}, 6, 1,
         "lone -> low: the docstring of lone does not allow this import (line 2)"),
        ({"lone": "x = 1"}, 6, 1, "lone: the docstring lacks the sentence 'It may import"),
        ({"lone": '"""It may import `up`."""'}, 6, 1, "lone: the docstring names `up`, which does"),
    ],
)  # fmt: skip
def test_what_a_change_is_told(toy, changes, figure, value, offence):
    figures, offences = toy(**changes)
    assert figures[figure].split()[-1] == str(value)
    if offence is None:
        assert offences == []
    else:
        assert any(line.startswith(offence) for line in offences), offences


def test_a_page_with_two_sentences_in_a_line(toy, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("One. Two.\n")
    figures, (offence,) = toy()
    assert figures[5].split()[-1] == "1"
    assert offence.startswith("docs/page.md: lines of two sentences; run")
