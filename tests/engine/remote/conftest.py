"""A host that is this computer, behind a program that stands in for OpenSSH."""

import os
import sys
from pathlib import Path

import pytest

from ssh_server import SshServer, reason_for_none
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
def server(tmp_path_factory):
    """Return a real server of OpenSSH on this computer."""
    if reason_for_none():
        pytest.skip(reason_for_none())
    tests = Path(__file__).parents[2]
    paths = (tests.parent / "src", tests / "engine" / "worker_jobs")
    server = SshServer(tmp_path_factory.mktemp("sshd"), paths)
    yield server
    server.close()


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
