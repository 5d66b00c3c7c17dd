"""The models there are, and what each of them is, without loading its weights.

Free of torch, so that the docks and ``unet-napari info`` can list and describe models at once.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from unet_napari.errors import ModelFileError, OutputError, warn_user
from unet_napari.model.file import SUFFIX, open_model_file
from unet_napari.model.schema import ModelInfo, parse_info
from unet_napari.system.atomic import check_output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "ListedModel",
    "ModelInfo",
    "Storage",
    "files_beside_models",
    "find_model",
    "is_bundled",
    "is_temporary",
    "list_models",
    "models_folder",
    "read_info",
    "read_storage",
    "read_thumbnail",
]

ENVIRONMENT_VARIABLE = "UNET_NAPARI_MODELS"
_BUNDLED_FOLDER = Path(__file__).parents[1] / "models"


@dataclass(frozen=True)
class ListedModel:
    """A model in one of the models folders.

    Attributes
    ----------
    name
        What `find_model` and ``Model.load`` take: the file's name without its ending.
    path
        Path of the file.
    info
        What it says about itself; None if the file is damaged.
    problem
        What is wrong with it, for the user; None if nothing is.
    bundled
        Whether it comes with unet-napari.
    """

    name: str
    path: Path
    info: ModelInfo | None
    problem: str | None = None
    bundled: bool = False


@dataclass(frozen=True)
class Storage:
    """How a model is stored.

    Attributes
    ----------
    size
        Bytes of the file.
    precision
        Type of the weights: ``"fp32"``, or ``"fp16"`` if it was saved with ``half=True``.
    """

    size: int
    precision: str

    def describe(self) -> str:
        """Return ``"2.0 MiB, weights in fp32"``."""
        return f"{self.size / 2**20:.1f} MiB, weights in {self.precision}"


def read_info(path: str | Path) -> ModelInfo:
    """Read what a model file says about itself; its weights are not read.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, hostile or of a newer format.
    """
    with open_model_file(Path(path)) as file:
        return parse_info(file.description())


def read_storage(path: str | Path) -> Storage:
    """Read how large a model file is and in which precision it keeps its weights.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged or hostile.
    """
    path = Path(path)
    with open_model_file(path) as file:
        table = file.table()
    half = any(entry.dtype == "F16" for entry in table.values())
    return Storage(path.stat().st_size, "fp16" if half else "fp32")


def read_thumbnail(path: str | Path) -> NDArray[np.uint8] | None:
    """Read a model file's small picture, ``(Y, X, 3)``; None if it has none."""
    with open_model_file(Path(path)) as file:
        return file.thumbnail()


def list_models() -> list[ListedModel]:
    """List the user's models by name, then the bundled ones, reading no weights.

    A damaged file is listed with its ``problem``, so that it can be shown and not chosen. A
    model of the user's hides a bundled one of the same name.
    """
    models = [_listed(name, path) for name, path in sorted(_model_paths().items())]
    return sorted(models, key=lambda model: model.bundled)


def find_model(name_or_path: str | Path) -> Path:
    """Find a model by its name, among the bundled and the user's models, or by its path.

    Raises
    ------
    ModelFileError
        If there is none; the message lists the models that there are.
    """
    models = _model_paths()
    text = str(name_or_path)
    if text in models:
        return models[text]
    path = Path(name_or_path)
    if _is_file(path):
        return path
    known = ", ".join(f"'{name}'" for name in sorted(models)) or "none yet"
    raise ModelFileError(
        f"There is no model '{text[:200]}'. Models to choose from: {known}; or give the path of a "
        f"{SUFFIX} file."
    )


def models_folder() -> Path:
    """Return the folder that the user's models are saved to, creating it where needed.

    It is the one named by the environment variable ``UNET_NAPARI_MODELS``, else the
    system's place for application data. Where that cannot be written, it is a temporary
    folder, and a `UnetNapariWarning` says so.
    """
    preferred, other = _user_folders()
    if _is_usable(preferred):
        return preferred
    if not (_is_usable(other) and _is_own(other)):
        raise OutputError(f"Models can be saved neither in '{preferred}' nor in '{other}'.")
    warn_user(
        f"'{preferred}' cannot be written to: models are saved in '{other}', which the system "
        f"may clear. Set {ENVIRONMENT_VARIABLE} to a folder of your own to keep them.",
        stacklevel=2,
    )
    return other


def files_beside_models(suffix: str) -> list[Path]:
    """Return the files with an ending in the user's folders of models, newest first.

    Unlike `models_folder`, this makes no folder.
    """
    found: dict[Path, float] = {}
    for folder in _user_folders():
        for path in folder.glob(f"*{suffix}"):
            with suppress(OSError):  # it has gone just now
                found[path] = path.stat().st_mtime
    return sorted(found, key=lambda path: -found[path])


def is_bundled(model: Path) -> bool:
    """Tell whether a model file comes with unet-napari."""
    return model.parent == _BUNDLED_FOLDER


def is_temporary(model: Path) -> bool:
    """Tell whether a model file was saved where the system may clear it."""
    return model.parent == _user_folders()[1]


def _user_folders() -> tuple[Path, Path]:
    """Return the preferred folder and the one to fall back on."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    preferred = Path(chosen) if chosen else platformdirs.user_data_path("unet-napari") / "models"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return preferred, Path(tempfile.gettempdir()) / f"unet-napari-models-{user}"


def _is_usable(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_output(folder / f"probe{SUFFIX}", overwrite=True)
    except (OSError, OutputError):
        return False
    return True


def _is_own(folder: Path) -> bool:
    """Tell whether a folder below the shared /tmp was made by this user."""
    return not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a null character
        return False


def _model_paths() -> dict[str, Path]:
    """Map names to files; the user's own model hides a bundled one of the same name."""
    paths: dict[str, Path] = {}
    for folder in (_BUNDLED_FOLDER, *reversed(_user_folders())):
        try:
            paths |= {path.stem: path for path in folder.glob(f"*{SUFFIX}") if path.is_file()}
        except OSError:  # an unreadable folder holds no models that we could use
            continue
    return paths


def _listed(name: str, path: Path) -> ListedModel:
    bundled = is_bundled(path)
    try:
        return ListedModel(name, path, read_info(path), bundled=bundled)
    except ModelFileError as error:
        return ListedModel(name, path, None, str(error), bundled)
