"""Another computer that computes, and how OpenSSH reaches it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from unet_napari.errors import SettingsError

if TYPE_CHECKING:
    from unet_napari.engine.arrays import ArrayRef
    from unet_napari.options import HostConfig

__all__ = ["RemoteHost", "hosts_in_config"]

# No option of ssh's, and nothing that a shell would read anything into.
_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@%:\-]*")
_SSH_OPTIONS = (
    *("-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"),
    *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"),
)
_MAX_INCLUDES = 16


@dataclass(frozen=True)
class RemoteHost:
    """A computer that is reached by SSH.

    Attributes
    ----------
    address
        What ``ssh`` is given: a host of ``~/.ssh/config``, or ``user@server``.
    python
        The Python that has unet-napari there, as its shell is given it, such as
        ``~/unet/bin/python`` or ``conda run --no-capture-output -n unet python``.
    folders
        Folders that both computers see: the path here and the path there, for each.

    Raises
    ------
    SettingsError
        If the address or a folder is none.
    """

    address: str
    python: str = "python"
    folders: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.address):
            raise SettingsError(
                f"'{self.address}' is no host: give one of ~/.ssh/config, or user@server."
            )
        if not self.python.strip() or "\n" in self.python:
            raise SettingsError("Give the Python of the host, such as ~/unet/bin/python.")
        for here, there in self.folders:
            if not Path(here).is_absolute() or not PurePosixPath(there).is_absolute():
                raise SettingsError(
                    f"'{here}={there}' is no pair of folders: give the whole path of a folder "
                    "here, =, and its whole path on the host."
                )

    @classmethod
    def from_config(cls, config: HostConfig) -> RemoteHost | None:
        """Return the host that the settings name; None where this computer computes.

        Raises
        ------
        SettingsError
            If the settings name none.
        """
        if config.host is None:
            return None
        given = [text.strip() for text in (config.host_folders or "").split(",")]
        pairs = [text.partition("=")[::2] for text in given if text]
        folders = tuple((str(Path(here).expanduser()), there) for here, there in pairs)
        return cls(config.host, config.host_python, folders)

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs the engine's program there.

        Parameters
        ----------
        *arguments
            Arguments of the program; letters, digits and ``-._`` only.

        Raises
        ------
        SettingsError
            If this computer has no OpenSSH.
        """
        ssh = shutil.which("ssh")
        if ssh is None:
            raise SettingsError("There is no program ssh on this computer: install OpenSSH.")
        # -P: a file that is called random.py, in the home there, must not hide Python's.
        program = f"{self.python} -P -m unet_napari.engine.worker {' '.join(arguments)}"
        return [ssh, *_SSH_OPTIONS, self.address, program]

    def path_there(self, path: str | Path) -> str | None:
        """Return what a file of this computer is called there; None where it is not seen there."""
        whole = Path(path).resolve()
        for here, there in self.folders:
            folder = Path(here).resolve()
            if whole.is_relative_to(folder):
                return str(PurePosixPath(there, *whole.relative_to(folder).parts))
        return None

    def array_there(self, reference: ArrayRef) -> dict[str, str] | None:
        """Return the field of a reference that differs there; None where it is not seen there."""
        if reference.kind not in ("memmap", "zarr"):
            return None
        path = self.path_there(reference.path)
        return None if path is None else {"path": path}


def hosts_in_config(path: Path | None = None) -> list[str]:
    """Return the hosts that the user's configuration of OpenSSH names.

    Parameters
    ----------
    path
        The configuration; by default ``~/.ssh/config``.
    """
    found = _named_in(path or Path.home() / ".ssh" / "config", _MAX_INCLUDES)
    return list(dict.fromkeys(name for name in found if _ADDRESS.fullmatch(name)))


def _named_in(path: Path, includes: int) -> Iterator[str]:
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        keyword, *values = line.replace("=", " ", 1).replace('"', " ").split() or [""]
        if keyword.casefold() == "host":
            yield from values
        elif keyword.casefold() == "include" and includes:
            for value in values:  # relative ones are of ~/.ssh
                wanted = Path.home() / ".ssh" / Path(value).expanduser()
                for file in sorted(Path(wanted.anchor).glob(str(wanted.relative_to("/")))):
                    yield from _named_in(file, includes - 1)
