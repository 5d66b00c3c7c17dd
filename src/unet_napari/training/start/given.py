"""What a caller says about the start of a training: a model, nothing, or "choose one"."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from unet_napari.model.model import Model

__all__ = ["AUTOMATIC", "NOTHING", "GivenStart", "given_start"]

AUTOMATIC: Literal["auto"] = "auto"
"""A model is chosen, see `choose_start`."""

NOTHING = "nothing"
"""No model: the training starts from random weights."""

GivenStart: TypeAlias = "Model | Literal['auto'] | None"


def given_start(start: Model | str | Path | None) -> GivenStart:
    """Return what a training starts from.

    Parameters
    ----------
    start
        A model, its name or its path; `AUTOMATIC`; `NOTHING` or None. The words count more than
        models of these names, which can be given by their path.

    Returns
    -------
    Model, "auto" or None
        A model that is named by its file is called as the file is.

    Raises
    ------
    ModelFileError
        If there is no such model, or its file is damaged.
    """
    from unet_napari.model.info import find_model
    from unet_napari.model.model import Model

    if start is None or isinstance(start, Model):
        return start
    if str(start) == NOTHING:
        return None
    if str(start) == AUTOMATIC:
        return AUTOMATIC
    path = find_model(start)
    return replace(Model.load(path), name=path.stem)
