"""Our warnings: whom they name, and who does not hear them."""

import re
import threading
import warnings
from pathlib import Path

import pytest

import unet_napari
from unet_napari.errors import UnetNapariWarning, warn_user, without_warnings

SOURCE = Path(unet_napari.__file__).parent


def test_a_warning_names_the_caller_it_is_meant_for():
    def inner():
        warn_user("too dark", stacklevel=2)

    with pytest.warns(UnetNapariWarning, match="too dark") as caught:
        inner()
    assert caught[0].filename == __file__


def test_all_or_some_warnings_are_left_out_and_come_back():
    with without_warnings():
        warn_user("nobody hears this")
    with without_warnings("the pixel size"), without_warnings("a table"):
        warn_user("of the pixel size")
        warn_user("colours of a table")
        with pytest.warns(UnetNapariWarning, match="too dark"):
            warn_user("too dark")
    with pytest.warns(UnetNapariWarning, match="the pixel size"):
        warn_user("the pixel size")


def test_a_thread_without_warnings_leaves_the_filters_of_the_others():
    before = list(warnings.filters)
    inside, leave = threading.Event(), threading.Event()

    def quiet():
        with without_warnings():
            inside.set()
            leave.wait(300)

    thread = threading.Thread(target=quiet)
    thread.start()
    assert inside.wait(300)
    assert warnings.filters == before
    with pytest.warns(UnetNapariWarning, match="of this thread"):
        warn_user("of this thread")
    leave.set()
    thread.join()


def test_no_dock_touches_the_warning_filters_of_napari():
    """Docks work in threads, where `catch_warnings` changes the filters of Qt's thread."""
    for path in sorted((SOURCE / "_napari").rglob("*.py")):
        assert "catch_warnings" not in path.read_text("utf-8"), path


def test_every_warning_of_ours_goes_through_one_function():
    found = [
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if re.search(r"warnings\.warn\(", path.read_text("utf-8"))
    ]
    assert found == ["errors.py"]
