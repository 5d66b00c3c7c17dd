"""What is done with the models of a user as files: renamed, duplicated, and what belongs to one.

A model is more than its file: what its training goes on from, and its versions, lie beside it and
go with it. Free of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unet_napari.errors import ModelFileError, OutputError
from unet_napari.model.info import is_bundled
from unet_napari.model.names import PAINT_SUFFIX, STATE_SUFFIX, Claim, model_path
from unet_napari.model.versions import copy_model_file, versions_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["duplicate_model", "files_of_model", "remove_model", "rename_model"]


def files_of_model(path: Path) -> tuple[Path, ...]:
    """Return the file of a model and what there is beside it, the model first."""
    suffixes = (STATE_SUFFIX, PAINT_SUFFIX)
    beside = (*(path.with_suffix(suffix) for suffix in suffixes), versions_folder(path))
    return (path, *(file for file in beside if file.exists()))


def rename_model(path: Path, name: str) -> Path:
    """Give one of the user's models another name, with all that lies beside it.

    Returns
    -------
    Path
        The model file under its new name.

    Raises
    ------
    SettingsError
        If the name is none, or a training is writing to the model.
    ModelFileError
        If the model comes with unet-napari, or there is one of that name already.
    OutputError
        If a file cannot be renamed; those that were are called as before.
    """
    _refuse_bundled(path, "renamed")
    target = path.with_name(model_path(name).name)
    if target == path:
        return path
    _refuse_taken(target, of=path)
    claim = Claim(path.stem, again=True)
    done: list[tuple[Path, Path]] = []
    try:
        for file in files_of_model(path):
            new = target.with_suffix(file.suffix)
            file.rename(new)
            done.append((file, new))
    except OSError as error:
        for old, new in reversed(done):
            new.rename(old)
        raise OutputError(f"'{path.stem}' cannot be renamed: {error.strerror}.") from error
    finally:
        claim.release()
    return target


def duplicate_model(path: Path, name: str) -> Path:
    """Copy a model, also one that comes with unet-napari, into the user's folder of models.

    The copy has the weights of now; a training goes on, and versions stay, with the original.

    Returns
    -------
    Path
        The new model file.

    Raises
    ------
    SettingsError
        If the name is none.
    ModelFileError
        If there is a model of that name already.
    OutputError
        If the file cannot be written.
    """
    target = model_path(name)
    _refuse_taken(target)
    copy_model_file(path, target)
    return target


def remove_model(path: Path, remove: Callable[[Path], bool]) -> None:
    """Have one of the user's models removed, with all that lies beside it.

    Parameters
    ----------
    path
        The model file.
    remove
        Moves a file or folder to the trash, and tells whether it could.

    Raises
    ------
    SettingsError
        If a training is writing to the model.
    ModelFileError
        If the model comes with unet-napari.
    OutputError
        If there is no trash for its folder. Nothing is deleted then.
    """
    _refuse_bundled(path, "deleted")
    claim = Claim(path.stem, again=True)
    try:
        for file in files_of_model(path):
            if not remove(file):
                raise OutputError(
                    f"'{file.name}' cannot be moved to the trash, so it was not deleted: "
                    f"delete it yourself in '{file.parent}'."
                )
    finally:
        claim.release()


def _refuse_bundled(path: Path, verb: str) -> None:
    if is_bundled(path):
        raise ModelFileError(
            f"'{path.stem}' comes with unet-napari and cannot be {verb}; duplicate it to have one "
            "of your own."
        )


def _refuse_taken(target: Path, of: Path | None = None) -> None:
    """Refuse a name that another model has; upper and lower case may be the same file."""
    same = of is not None and target.exists() and target.samefile(of)
    if target.exists() and not same:
        raise ModelFileError(f"There is a model '{target.stem}' already: choose another name.")
