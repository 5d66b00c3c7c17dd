"""The interface between a network's output and the labels of a user."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from unet_napari.errors import SettingsError
from unet_napari.tasks.losses import Criterion

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.metrics import Labels

    Maps: TypeAlias = NDArray[np.floating] | Sequence[NDArray[np.floating]]

__all__ = ["Target", "Task"]


class Target(NamedTuple):
    """What a network should have said about a batch.

    Attributes
    ----------
    values
        ``cells``: float ``(N, K, *S)``, 0 to 1. ``semantic``: int64 ``(N, 1, *S)``, the position
        of each pixel's id in the task's classes.
    weight
        Float ``(N, 1, *S)`` or ``(N, K, *S)``: how much each pixel counts, 0 where unlabelled.
    """

    values: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Task(ABC):
    """What a network's output means, from painted labels to predicted ones.

    A task owns encoding, loss and decoding together because they only make sense together.
    It is an immutable value that travels in the model file as `to_dict`.
    """

    name: ClassVar[str]
    score_name: ClassVar[str]

    @property
    @abstractmethod
    def criterion(self) -> Criterion:
        """Which loss, and its parameters."""

    @property
    @abstractmethod
    def map_names(self) -> tuple[str, ...]:
        """One name for each of the K output maps."""

    @property
    def out_channels(self) -> int:
        """K, the number of output maps."""
        return len(self.map_names)

    @abstractmethod
    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        """Turn painted labels into targets, on the device they are on.

        Parameters
        ----------
        labels
            Int64 ``(N, *S)``: ids of cells or classes.
        annotated
            Bool ``(N, *S)``: where a pixel says something.
        """

    @abstractmethod
    def loss(self, logits: Tensor, target: Target) -> Tensor:
        """Compare ``(N, K, *S)`` logits with a target.

        Returns
        -------
        Tensor
            A finite scalar, also where nothing is labelled. Its gradient is exactly zero at
            every pixel of weight 0.
        """

    @abstractmethod
    def activate(self, logits: Tensor) -> Tensor:
        """Turn ``(N, K, *S)`` logits into probabilities of the same shape."""

    @abstractmethod
    def decode(self, maps: NDArray[np.floating]) -> NDArray[np.unsignedinteger]:
        """Turn probabilities ``(K, *S)`` of one image into labels ``(*S)``."""

    @abstractmethod
    def provisional(self, maps: NDArray[np.floating]) -> NDArray[np.unsignedinteger]:
        """Turn a part of the maps ``(K, *S)`` into what may be shown until the rest is there."""

    @abstractmethod
    def score(
        self, predicted: Labels, true: Labels, annotated: NDArray[np.bool_] | Sequence[NDArray[Any]]
    ) -> float | None:
        """Judge decoded labels on the annotated pixels.

        Parameters
        ----------
        predicted, true, annotated
            Arrays ``(*S)`` of one image, or a list with one array for each image.

        Returns
        -------
        float or None
            `score_name`, 0 to 1, higher is better, pooled over the images. None where there
            are too few labels to judge.
        """

    @abstractmethod
    def uncertainty(
        self, score: float, true: Labels, annotated: NDArray[np.bool_] | Sequence[NDArray[Any]]
    ) -> float:
        """Return the standard error of a `score`: smaller differences mean nothing.

        Few labels judge coarsely; `true` and `annotated` are those of `score`.
        """

    def tuned(
        self, maps: Maps, labels: Labels, annotated: NDArray[np.bool_] | Sequence[NDArray[Any]]
    ) -> Self:
        """Fit what decoding leaves open to validation data; arguments as in `score`."""
        del maps, labels, annotated
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON-able values, from which `make_task` makes it again."""
        settings = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        settings["criterion"] = self.criterion.to_dict()
        return {"name": self.name} | {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in settings.items()
        }

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Self:
        """Make a task from its settings; what is not given has its default.

        Raises
        ------
        SettingsError
            For an unknown setting or a value outside its range.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(str(key) for key in settings.keys() - known)
        if unknown:
            raise SettingsError(
                f"The {cls.name} task has no setting {', '.join(unknown)[:80]}; "
                f"it has {', '.join(sorted(known))}."
            )
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in settings.items()
        }
        if "criterion" in values:
            values["criterion"] = Criterion.from_dict(values["criterion"])
        return cls(**values)
