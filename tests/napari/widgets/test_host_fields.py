"""Hosts that computed are offered in the next session, with their Python and folders."""

from types import SimpleNamespace

import pytest

from unet_napari._napari.widgets import host_fields
from unet_napari._napari.widgets.host_fields import HostFields
from unet_napari.engine.used_hosts import note_host, used_hosts
from unet_napari.options import HostConfig

GPU = HostConfig("me@gpu", "~/unet/bin/python", "/home/me=/mnt/me")


@pytest.fixture
def fields(qapp, monkeypatch):
    """Return a function that makes the fields as a new session does."""
    monkeypatch.setattr(host_fields, "hosts_in_config", lambda: ["lab", "me@gpu"])
    return lambda: HostFields(SimpleNamespace(add=lambda *_: None))


def offered(fields):
    completer = fields._options["host"].native.completer()
    model = completer.completionModel()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def choose(fields, address):
    fields._options["host"].value = address
    fields._options["host"].native.editingFinished.emit()
    return [fields._options[name].value for name in ("host_python", "host_folders")]


def test_a_host_that_computed_is_offered_with_its_settings(fields, models_folder):
    first = fields()
    assert offered(first) == ["lab", "me@gpu"]
    assert choose(first, "me@gpu") == ["", ""]
    for name, value in GPU.to_dict().items():
        first._options[name].value = value
    assert first.host().python == "~/unet/bin/python"
    assert used_hosts() == []  # nothing has computed yet
    first.remember()
    assert used_hosts() == [GPU]

    later = fields()
    assert offered(later) == ["me@gpu", "lab"]
    assert later.host() is None  # offered, not taken
    assert choose(later, "me@gpu") == ["~/unet/bin/python", "/home/me=/mnt/me"]
    later._options["host_python"].value = "/opt/python"  # what is typed stays
    assert choose(later, "me@gpu") == ["/opt/python", "/home/me=/mnt/me"]
    later.remember()  # no host was asked for
    assert used_hosts() == [GPU]


def test_the_hosts_are_the_latest_ten_and_a_damaged_file_is_none(models_folder):
    for number in range(11):
        note_host(HostConfig(f"host{number}"))
    note_host(HostConfig("host5", "python3"))
    found = used_hosts()
    assert [one.host for one in found][:3] == ["host5", "host10", "host9"]
    assert (found[0].host_python, len(found)) == ("python3", 10)
    [file] = models_folder.glob("*.hosts")
    file.write_text('[{"host": 3}]')
    assert used_hosts() == []
