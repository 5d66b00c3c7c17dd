from dataclasses import replace

import pytest

from unet_napari._napari.widgets.status_line import StatusLine, time_left
from unet_napari.errors import SettingsError
from unet_napari.model.names import model_path, unused_name
from unet_napari.training.events import Started, Step, Validated


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/b\\c", "..", "C:\\x", "<b>"]
)
def test_a_name_never_leads_out_of_the_models_folder(name, models_folder):
    try:
        path = model_path(name)
    except SettingsError:
        return
    assert path.parent == models_folder
    assert path.name not in (".unet", "..unet")


def test_names_keep_letters_of_all_languages(models_folder):
    assert model_path("Zellkerne für Jürgen 2").stem == "Zellkerne für Jürgen 2"


@pytest.mark.parametrize("name", ["", "...", "  "])
def test_a_name_needs_something_to_be_called(name):
    with pytest.raises(SettingsError, match="Give the model a name"):
        model_path(name)


def test_a_name_that_is_taken_gets_a_number(models_folder):
    models_folder.mkdir()
    assert unused_name("nuclei cells") == "nuclei cells"
    (models_folder / "nuclei cells.unet").write_bytes(b"")
    assert unused_name("nuclei cells") == "nuclei cells 2"
    (models_folder / "Nuclei Cells 2.unet").write_bytes(b"")
    assert unused_name("nuclei cells") == "nuclei cells 3"


def test_long_names_fit_into_a_file_system(models_folder):
    assert len(model_path("x" * 5000).name) < 100


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s left"), (59.6, "60 s left"), (130, "2 min left"), (27_360, "7 h 36 min left")],
)
def test_time_is_told_as_one_reads_it(seconds, text):
    assert time_left(seconds) == text


def test_too_few_labels_to_judge_are_told_instead_of_a_score():
    line = StatusLine()
    line.add(Step(1, 1, None, 0.5, 1e-3, 0.1, 30))
    line.add(Validated(1, None, "AP50", False, "too few labels to judge"))
    assert line.text() == "epoch 1 · loss 0.5 · too few labels to judge · 30 s left"


def test_the_line_says_what_a_training_starts_from():
    started = Started((), "cpu", (32, 32), 4, 1, 1000, "")
    line = StatusLine()
    line.add(started)
    assert line.text() == "CPU"
    line.add(replace(started, start="nuclei"))
    assert line.text() == "CPU · starts from nuclei"
