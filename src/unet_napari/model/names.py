"""The names of the user's models: what a file can be called, and who has taken a name.

Free of torch.
"""

from __future__ import annotations

import itertools
import os
import re
from typing import TYPE_CHECKING

import psutil

from unet_napari.errors import OutputError, SettingsError
from unet_napari.model.file import SUFFIX
from unet_napari.model.info import list_models, models_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PAINT_SUFFIX", "STATE_SUFFIX", "Claim", "model_path", "unused_name"]

STATE_SUFFIX = ".state"  # of the file beside a model that its training goes on from
PAINT_SUFFIX = ".paint"  # of the folder beside a model of what it was painted with, as files

_LONGEST_NAME = 80  # characters of a file's name


class Claim:
    """A name that a training has taken for its model, so that no other training takes it.

    Two windows may train at once, and so may two programs: a name is taken by a file that can
    be made only once, and that goes with `release`. One that a killed program left is ignored.

    Parameters
    ----------
    wanted : str
        A name. Another training may have it already: then it gets a number.
    again : bool
        Take the name as it is, for a model that gets a new version.

    Raises
    ------
    SettingsError
        If the name is none, or `again` is asked for while another training has taken it.

    Attributes
    ----------
    path : Path
        The model file, which does not exist yet unless it is trained again.
    """

    def __init__(self, wanted: str, *, again: bool = False) -> None:
        path = model_path(wanted)  # says what is wrong with the name
        for name in [path.stem] if again else _unused_names(wanted):
            self.path = model_path(name)
            self._mark = self.path.with_name(f".{self.path.name}.claimed")
            if self._take():
                return
        raise SettingsError(
            f"The model '{path.stem}' is being trained elsewhere, in another window or program: "
            "stop that one first, or give this one another name (under Model)."
        )

    def release(self) -> None:
        """Let others take the name, unless there is a model of it by now."""
        self._mark.unlink(missing_ok=True)

    def _take(self) -> bool:
        try:
            with self._mark.open("x") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            return not self._is_held() and self._take_over()
        except OSError as error:
            raise OutputError(f"'{self.path}' cannot be written: {error.strerror}.") from error
        return True

    def _is_held(self) -> bool:
        try:
            owner = self._mark.read_text()
        except OSError:  # it was released just now
            return False
        return not owner.isdecimal() or psutil.pid_exists(int(owner))

    def _take_over(self) -> bool:
        self.release()
        return self._take()


def unused_name(wanted: str) -> str:
    """Return a name that no model has yet, such as ``nuclei cells 2``."""
    return next(_unused_names(wanted))


def _unused_names(wanted: str) -> Iterator[str]:
    base = _safe(wanted)[: _LONGEST_NAME - 6].strip() or "model"  # with room for a number
    taken = {model.name.casefold() for model in list_models()}
    names = itertools.chain([base], (f"{base} {n}" for n in itertools.count(2)))
    return (name for name in names if name.casefold() not in taken)


def model_path(name: str) -> Path:
    """Return the file of a model in the models folder.

    Raises
    ------
    SettingsError
        If there is nothing in the name that a file could be called.
    OutputError
        If there is no folder that can be written to.
    """
    safe = _safe(name)
    if not safe:
        raise SettingsError("Give the model a name with letters or digits (under Model).")
    return models_folder() / f"{safe}{SUFFIX}"


def _safe(name: str) -> str:
    """Keep what every file system takes; a name is never a path."""
    return re.sub(r"[^\w\-+.,() ]+", "_", name).strip(" ._")[:_LONGEST_NAME].strip()
