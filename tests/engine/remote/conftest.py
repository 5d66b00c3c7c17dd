"""A host that is this computer, behind a program that stands in for OpenSSH."""

import os
import sys
from pathlib import Path

import pytest

from unet_napari.engine import EngineClient
from unet_napari.engine.remote.host import RemoteHost


class FakeSsh:
    """A program ``ssh``, first on the path, that runs its last argument in a shell."""

    RUN_HERE = 'for last; do :; done; exec sh -c "exec $last"'

    def __init__(self, folder, monkeypatch):
        self._program = folder / "ssh"
        self.does(self.RUN_HERE)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        paths = [str(Path(__file__).parents[3] / "src"), os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))

    def does(self, script):
        self._program.write_text(f"#!/bin/sh\n{script}\n")
        self._program.chmod(0o755)


@pytest.fixture(scope="module")
def module_ssh(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield FakeSsh(tmp_path_factory.mktemp("bin"), monkeypatch)


@pytest.fixture
def ssh(tmp_path_factory, monkeypatch):
    return FakeSsh(tmp_path_factory.mktemp("bin"), monkeypatch)


@pytest.fixture
def host(ssh):
    return RemoteHost("server", python=sys.executable)


@pytest.fixture
def client(jobs, host):
    with EngineClient(jobs=jobs.__name__, host=host) as client:
        yield client
