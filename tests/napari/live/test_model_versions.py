"""The last versions of a model are listed, and one click goes back to one of them."""

import pytest

from unet_napari._napari.live import model_versions
from unet_napari.engine import JobFinished
from unet_napari.errors import ModelFileError
from unet_napari.model.versions import Version


@pytest.fixture
def versions(monkeypatch, models_folder):
    """Two versions of every model, and a record of what was gone back to."""
    gone_back = []

    def versions_of(path):
        files = [path.with_suffix(".versions") / f"{n}.unet" for n in (2, 1)]
        return (
            Version(2, files[0], 0.66, "AP50", 1_800_000_000.0, "14 cells"),
            Version(1, files[1], None, "", 1_700_000_000.0, ""),
        )

    monkeypatch.setattr(model_versions, "versions_of", versions_of)
    monkeypatch.setattr(model_versions, "go_back", lambda *given: gone_back.append(given))
    return gone_back


@pytest.fixture
def stopped(versions, dock, start, client, keep_state, painted, qtbot):
    assert not dock["version"].native.isVisibleTo(dock["version"].native.parent())
    start()
    keep_state(*painted)
    client.say(JobFinished({"model": client.jobs[0].output, "reason": "Stopped."}))
    qtbot.waitUntil(lambda: dock["version"].value == 2)
    return dock


def test_versions_are_listed_newest_first(stopped):
    (newest, _), (oldest, _) = stopped.versions._choices(None)
    assert newest.startswith("2 · AP50 0.66 · ")
    assert newest.endswith(" · 14 cells")
    assert oldest.startswith("1 · ")
    assert stopped["version"].value == 2


def test_one_click_goes_back_and_the_next_training_starts_from_there(
    stopped, versions, client, models_folder, library, qtbot
):
    library("nuclei cells")
    assert stopped.run.text == "Continue"
    stopped["back_to_version"].native.click()
    assert versions == [(models_folder / "nuclei cells.unet", 2)]
    assert stopped["about_versions"].value == "'nuclei cells' is version 2 again."
    assert stopped.run.text == "Train"
    stopped.run.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 2)
    job = client.jobs[1]
    assert (job.resume, job.start_from) == (False, "nuclei cells")
    assert job.output == str(models_folder / "nuclei cells.unet")


def test_not_while_a_training_writes_to_the_model(stopped, versions, client, qtbot):
    stopped._double_click.stop()
    stopped.run.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 2)
    stopped["back_to_version"].native.click()
    assert "Press Stop first" in stopped["about_versions"].value
    assert versions == []


def test_a_version_that_is_gone_is_told(stopped, monkeypatch):
    def fail(*_):
        raise ModelFileError("There is no version 2.")

    monkeypatch.setattr(model_versions, "go_back", fail)
    stopped["back_to_version"].native.click()
    assert stopped["about_versions"].value == "There is no version 2."
    assert stopped["about_versions"].is_error
    assert stopped.run.text == "Continue"
