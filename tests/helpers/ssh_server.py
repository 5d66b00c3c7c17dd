"""A real server of OpenSSH on 127.0.0.1, with keys of its own, for as long as a test lasts."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


class SshServer:
    """A server that takes one key, and a program ``ssh`` that knows of nothing but it.

    Parameters
    ----------
    folder : Path
        Folder for keys and settings, closed to others.
    paths : sequence of Path
        Folders from which its Python can import.

    Attributes
    ----------
    python : str
        Command of its Python.
    """

    def __init__(self, folder, paths):
        self.folder = folder
        for name in ("host_key", "key", "other_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True)
        (folder / "authorized_keys").write_text((folder / "key.pub").read_text())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._write_settings()
        settings = f"PYTHONPATH={os.pathsep.join(map(str, paths))} OMP_NUM_THREADS=1"
        self.python = str(self._program("python", sys.executable, settings))
        self._ssh = shutil.which("ssh")
        self.lead("")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists, and an image may lack it
        with (folder / "log").open("wb") as log:
            command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
            self._process = subprocess.Popen(command, stderr=log)
        self._wait()

    def _write_settings(self):
        folder = self.folder
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "PermitRootLogin prohibit-password\nPidFile none\n"
        )
        key = (folder / "host_key.pub").read_text().split()[:2]
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {' '.join(key)}\n")
        (folder / "config").write_text(
            f"Host server\n  HostName 127.0.0.1\n  Port {self.port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {folder}/key\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {folder}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
        )

    def _wait(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.05)
            else:
                return

    def put_on_path(self, monkeypatch):
        """Put a program ``ssh`` first on the path that uses this server's settings."""
        folder = self.folder / "bin"
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def lead(self, through):
        """Let the next connections go through a program that runs the rest of its command."""
        self._program("ssh", f"{through} {self._ssh} -F {self.folder}/config")

    def _program(self, name, command, settings=""):
        program = self.folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec env {settings} {command} "$@"\n')
        program.chmod(0o755)
        return program

    def close(self):
        self._process.terminate()
        self._process.wait()


def reason_for_none():
    """Say why there can be no server here; "" if there can be one."""
    if not sys.platform.startswith("linux"):
        return "the tests start a server of OpenSSH on Linux only"
    if SSHD is None or shutil.which("ssh") is None:
        return "there is no openssh-server (python tests/system_libraries.py installs it)"
    return ""
