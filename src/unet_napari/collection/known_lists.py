"""Which lists of images there were, so that the last one is offered again, with its labels."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from unet_napari.system.atomic import open_atomic

__all__ = ["KnownList", "KnownLists"]

_MOST = 50  # lists that are remembered
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class KnownList:
    """A list that was open.

    Attributes
    ----------
    folder, labels_folder
        Folders of its images and of their labels.
    image
        Name of the image that was open last; empty for none.
    is_open
        Whether it is open, or was when the program was killed.
    """

    folder: str
    labels_folder: str
    image: str = ""
    is_open: bool = True


class KnownLists:
    """The lists that were open on this computer, the latest first.

    Parameters
    ----------
    path
        The file that they are kept in; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[KnownList]:
        """Return the lists whose folders are still there; none if the file is damaged."""
        try:
            with self._path.open("rb") as file:
                found = json.loads(file.read(_MOST_BYTES))
            lists = [KnownList(**values) for values in found]
            return [known for known in lists if Path(known.folder).is_dir()]
        except (OSError, ValueError, TypeError):
            return []

    def labels_folder(self, folder: Path) -> Path | None:
        """Return the folder that the labels of images were saved to last, if it is still there."""
        found = next((known for known in self.all() if known.folder == str(folder)), None)
        labels = None if found is None else Path(found.labels_folder)
        return labels if labels is not None and labels.is_dir() else None

    def note(self, known: KnownList) -> None:
        """Remember a list as the latest.

        Raises
        ------
        OutputError
            If that cannot be written.
        """
        others = [other for other in self.all() if other.folder != known.folder]
        text = json.dumps([asdict(one) for one in [known, *others][:_MOST]], indent=1)
        with open_atomic(self._path) as file:
            file.write(text.encode())

    def close(self, folder: Path) -> None:
        """Remember that a list was closed by its user.

        Raises
        ------
        OutputError
            If that cannot be written.
        """
        latest = next(iter(self.all()), None)
        if latest is not None and latest.folder == str(folder) and latest.is_open:
            self.note(replace(latest, is_open=False))
