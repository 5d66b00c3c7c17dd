"""Pages in lines of one sentence: what is broken, and what is left alone."""

import importlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def reflow():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPTS)
        yield importlib.import_module("reflow").reflow


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("One. Two\nis long.", ["One.", "Two is long."]),
        ("Is it? Yes! `code` it is.", ["Is it?", "Yes!", "`code` it is."]),
        ("See Fig. 3 of A. Miller et al. Nature, i.e. here.", None),
        ("It is `a. B` or [x. Y](z. Z).", None),
        ("It starts. napari goes on.", ["It starts.", "napari goes on."]),
        ("* One. Two.\n  Three.\n* Four.", ["* One.", "  Two.", "  Three.", "* Four."]),
        ("1. One. Two.", ["1. One.", "   Two."]),
        ("# One. Two.", None),
        ("| One. Two. |", None),
        ("```\nOne. Two.\n```", None),
        ("    x = 1. Two.", None),
        ("x" * 150 + ", " + "y" * 60 + ".", ["x" * 150 + ",", "y" * 60 + "."]),
        ("word " * 39 + "- dash", ["word " * 39 + "-", "dash"]),
    ],
)
def test_lines(reflow, text, lines):
    assert reflow(text) == "\n".join(lines or [text]) + "\n"


@given(st.text("aB.!` *|#-1\n,()", max_size=120))
def test_a_second_time_changes_nothing_and_no_word_is_lost(reflow, text):
    once = reflow(text)
    assert reflow(once) == once
    assert once.split() == text.split()
