"""Train from Python: the trainer's generator, drained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from unet_napari.engine.remote.runs import train_elsewhere
from unet_napari.inputs import pair_up_all
from unet_napari.system.heap import keep_freed_memory

if TYPE_CHECKING:
    from unet_napari.engine.remote.host import RemoteHost
    from unet_napari.inputs import ImageSource, LabelsSource, PixelSizes
    from unet_napari.keywords import TrainKeywords
    from unet_napari.model.model import Model
    from unet_napari.training.events import TrainEvent

__all__ = ["train"]


@keep_freed_memory()
def train(
    images: ImageSource | Sequence[ImageSource],
    labels: LabelsSource | Sequence[LabelsSource],
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
    annotated: LabelsSource | Sequence[LabelsSource | None] | None = None,
    start_from: Model | str | Path | None = "auto",
    state: str | Path | None = None,
    resume: str | Path | None = None,
    on_event: Callable[[TrainEvent], None] | None = None,
    host: str | RemoteHost | None = None,
    **settings: Unpack[TrainKeywords],
) -> Model:
    """Train a U-Net on painted labels.

    Parameters
    ----------
    images : array, path, Image, or a list of them
        Any real dtype; (Y, X) or (Z, Y, X), with a channel axis before or behind.
    labels : array of int, path, or a list of them
        One for each image, of its axes without the channels; axes of length 1 may be there or
        not. For ``cells`` each id is a cell, for ``semantic`` a class; 0 is `unpainted`.
    axes : str, optional
        Axes of the images, letters of ``TCZYX``; by default read from the shapes.
    scale : mapping or sequence of float, optional
        Micrometres per pixel, as ``{"Z": 1, "Y": 0.25, "X": 0.25}`` or one for each spatial axis.
    annotated : array of bool, path, or a list of them, optional
        True where every cell is painted, so that unpainted pixels are background; may hold None.
    start_from : Model or str, optional
        A model to start from, or its name or path; ``"auto"``: the one of the library, if any,
        that explains best what is painted; ``"nothing"`` or None: random weights.
    state, resume : path, optional
        File in which the state of the training is kept, such as ``"cells.state"``; the state file
        of a training that goes on, with what was painted since then.
    on_event : callable, optional
        Called with each `TrainEvent`; an exception it raises stops the training.
    host : str or RemoteHost, optional
        Computer that trains instead, such as ``"me@server"`` (``docs/guide/remote.md``).
    **settings
        Fields of `unet_napari.training.config.TrainConfig`, such as ``task="semantic"`` (by
        default ``"cells"``), ``ndim=3`` (by default 2: a stack slice by slice), ``seconds=120``.

    Returns
    -------
    Model
        The model with the weights that had the best validation score.

    Raises
    ------
    ImageError, LabelsError, SettingsError, ModelFileError
        Before the training starts, naming what is wrong and the remedy.
    """
    from unet_napari.training.state.drive import drive_training, make_trainer

    pairs = pair_up_all(images, labels, annotated, axes, scale)
    if host is not None:
        return train_elsewhere(host, pairs, settings, start_from, state, resume, on_event)
    trainer = make_trainer(pairs, settings, start_from, resume)
    return drive_training(trainer, resume if state is None else state, on_event)
