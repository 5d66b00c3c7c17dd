"""What a caller may say about the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from unet_napari.errors import ModelFileError
from unet_napari.training.start.given import given_start


@pytest.mark.parametrize(
    ("said", "meant"), [(None, None), ("nothing", None), ("auto", "auto"), (Path("auto"), "auto")]
)
def test_words(said, meant):
    assert given_start(said) == meant


def test_a_model_of_a_file_is_called_as_the_file_is(trained_model, tmp_path):
    path = trained_model.save(tmp_path / "mine.unet")
    assert given_start(path).name == "mine"
    assert given_start(str(path)).ndim == 2
    assert given_start(trained_model) is trained_model


def test_an_unknown_model_is_named():
    with pytest.raises(ModelFileError, match="'nobody'"):
        given_start("nobody")
