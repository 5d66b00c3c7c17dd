"""A trained model: everything that is needed to use it, in memory and in one safe file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from unet_napari.errors import ModelFileError, SettingsError
from unet_napari.images import Normalisation
from unet_napari.model.file import SUFFIX, open_model_file, write_model_file
from unet_napari.model.info import find_model
from unet_napari.model.schema import ModelInfo, encode_info, parse_info
from unet_napari.model.weights import load_weights, network_weights
from unet_napari.networks import Network, build_network
from unet_napari.tasks import Task, make_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Model"]

Description = TypeVar("Description")
ModelPart = TypeVar("ModelPart")


@dataclass(repr=False)
class Model:
    """A network together with all that its output means.

    Parameters
    ----------
    network
        The network, with its trained weights.
    task
        What its output channels mean, how they are decoded, and the tuned thresholds.
    normalisation
        Rule by which an image is normalised before the network sees it.
    pixel_size
        Micrometres per axis letter of the training images; an unknown axis is absent.
    name
        What the user calls it: plain text, never followed as a path.
    halo
        Measured context in pixels per spatial axis: changing the input farther away moves no
        output by more than the tolerance stated in the provenance. None: not measured.
    diameter
        Typical (median) diameter of the training objects: that of a disc, or ball, of the same
        size, in the smallest pixels. None: unknown, or the task has no objects.
    provenance
        Its origin, as JSON-able values: ``score`` and ``score_name`` of the best
        validation, versions, data, settings.
    thumbnail
        A small picture of a prediction, ``(Y, X, 3)``.
    """

    network: Network
    task: Task
    normalisation: Normalisation
    pixel_size: dict[str, float] = field(default_factory=dict)
    name: str = "model"
    halo: tuple[int, ...] | None = None
    diameter: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    thumbnail: NDArray[np.uint8] | None = None

    def __repr__(self) -> str:
        """Say in one line what it is; `info` has the rest."""
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        weights = f"{self.network.parameter_count:,} weights"
        task = f"{self.task.name}, {self.ndim}D, {channels}"
        return f"<Model {self.name!r}: {task}, {self.network.name}, {weights}>"

    @property
    def ndim(self) -> int:
        """Number of spatial axes the network works on: 2 or 3."""
        return self.network.ndim

    @property
    def channels(self) -> int:
        """Number of image channels the network takes."""
        return self.network.in_channels

    @property
    def info(self) -> ModelInfo:
        """Everything but the weights, as `read_info` reads it from the file."""
        return ModelInfo(
            name=self.name,
            task=self.task.to_dict(),
            network={"name": self.network.name, "options": dict(self.network.options)},
            normalisation=self.normalisation.to_dict(),
            channels=self.channels,
            ndim=self.ndim,
            parameters=self.network.parameter_count,
            pixel_size=dict(self.pixel_size),
            halo=self.halo,
            diameter=self.diameter,
            provenance=dict(self.provenance),
        )

    def save(self, path: str | Path, *, overwrite: bool = True, half: bool = False) -> Path:
        """Save to a model file, in one step: a file that was there is whole until then.

        Parameters
        ----------
        path
            Path of the file; ``.unet`` is appended where it is missing.
        overwrite
            Whether an existing file may be replaced.
        half
            Store the weights in float16, which halves the file; see
            ``docs/guide/models/compression.md``.

        Returns
        -------
        Path
            The file that was written. Equal models make equal files.

        Raises
        ------
        OutputError
            If the file cannot be written, the model cannot be described, or a weight is too
            large for float16.
        """
        path = Path(path)
        if path.suffix != SUFFIX:
            path = path.with_name(path.name + SUFFIX)
        weights = network_weights(self.network, half=half)
        picture = None if self.thumbnail is None else np.ascontiguousarray(self.thumbnail)
        write_model_file(path, encode_info(self.info), weights, picture, overwrite=overwrite)
        return path

    @classmethod
    def load(cls, name_or_path: str | Path) -> Model:
        """Load a model by the name of a bundled or own model, or by its path, onto the CPU.

        Nothing in the file is executed, and nothing is allocated for it before its sizes
        have been compared with those of the network that it describes.

        Raises
        ------
        ModelFileError
            If there is no such model, or it is damaged, hostile or of a newer format.
        """
        with open_model_file(find_model(name_or_path)) as file:
            info = parse_info(file.description())
            network = _rebuild(_build_empty, info, "network")
            task = _rebuild(make_task, info.task, "task")
            normalisation = _rebuild(Normalisation.from_dict, info.normalisation, "normalisation")
            _check_agreement(info, network, task)
            load_weights(file, network)
            return cls(
                network=network.eval(),
                task=task,
                normalisation=normalisation,
                pixel_size=info.pixel_size,
                name=info.name,
                halo=info.halo,
                diameter=info.diameter,
                provenance=info.provenance,
                thumbnail=file.thumbnail(),
            )


def _rebuild(
    make: Callable[[Description], ModelPart], description: Description, what: str
) -> ModelPart:
    """Make a part of the model out of its description in the file."""
    try:
        return make(description)
    except (SettingsError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"its {what} cannot be understood ({error})") from error


def _build_empty(info: ModelInfo) -> Network:
    """Build the network without allocating its weights."""
    options = info.network["options"]
    with torch.device("meta"):
        return build_network(info.network["name"], options)


def _check_agreement(info: ModelInfo, network: Network, task: Task) -> None:
    said = (info.ndim, info.channels, info.parameters, task.out_channels)
    built = (network.ndim, network.in_channels, network.parameter_count, network.out_channels)
    if said != built:
        raise ModelFileError(
            f"axes, channels, weights and outputs of its network are {built}, not {said}"
        )
