"""The choice of a loss with its parameters, as settings and model files hold it. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from unet_napari.checks import Range, check_number, check_numbers, check_text
from unet_napari.errors import SettingsError
from unet_napari.records import Record
from unet_napari.tasks.loss_catalogue import MapKind, loss_terms

__all__ = ["MAX_CLASSES", "Criterion", "frequency_weights"]

MAX_CLASSES = 1000
"""Largest number of classes or maps that a task may have."""


@dataclass(frozen=True)
class Criterion(Record):
    """A loss or a sum of losses, and its parameters.

    Parameters
    ----------
    name : str
        A name in `LOSSES`, or several joined by "+". The task decides which of them suit.
    alpha : float
        Weight of the first term of a sum, 0 to 1. The other terms share ``1 - alpha`` equally.
    gamma : float
        Exponent of a focal loss: the larger it is, the less easy pixels count. The default is
        the best value of Lin 2017.
    focal_alpha : float
        Weight of the foreground against the background in a focal loss of independent maps;
        0.5 weighs them equally. For exclusive maps, `class_weights` play this role.
    class_weights : tuple of float
        One weight for each class or map; empty: all weights are 1.
    border_weight : float
        Weight w0 of the map that stresses narrow gaps between cells (Ronneberger 2015 takes 10):
        pixels between two cells weigh up to ``1 + w0``. 0: there is no such map.
    border_sigma : float
        Width up to which a gap counts as narrow, in pixels.

    Raises
    ------
    SettingsError
        For a value outside its range.
    """

    record_name: ClassVar[str] = "The loss"

    name: str
    alpha: float = 0.5
    gamma: float = 2.0
    focal_alpha: float = 0.25
    class_weights: tuple[float, ...] = ()
    border_weight: float = 0.0
    border_sigma: float = 5.0

    def __post_init__(self) -> None:
        check_text("The name of a loss", self.name, 1000)
        check_number("alpha of the loss", self.alpha, Range(0, 1))
        check_number("gamma of the loss", self.gamma, Range(0, 10))
        check_number("focal_alpha of the loss", self.focal_alpha, Range(0, 1))
        check_number("border_weight of the loss", self.border_weight, Range(0, 1000))
        check_number("border_sigma of the loss", self.border_sigma, Range(0.5, 20))
        lengths = Range(0, MAX_CLASSES)
        weights = check_numbers("class_weights", self.class_weights, Range(0, 1e6), lengths=lengths)
        object.__setattr__(self, "class_weights", weights)

    def check(self, maps: MapKind, channels: int) -> None:
        """Raise `SettingsError` unless the loss suits a task.

        Parameters
        ----------
        maps : {"independent", "exclusive"}
            Kind of the maps of the task.
        channels : int
            Number of maps.
        """
        loss_terms(self.name, maps)
        if self.class_weights and len(self.class_weights) != channels:
            raise SettingsError(
                f"{len(self.class_weights)} class_weights are given for {channels} classes."
            )

    def term_weights(self, count: int) -> tuple[float, ...]:
        """Return the weight of each of `count` terms; the weights add up to 1."""
        if count == 1:
            return (1.0,)
        return (self.alpha, *[(1 - self.alpha) / (count - 1)] * (count - 1))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | str) -> Self:
        """Make a criterion from `to_dict`, or from its name alone.

        Raises
        ------
        SettingsError
            For an unknown parameter or a value outside its range.
        """
        return super().from_dict({"name": values} if isinstance(values, str) else values)


def frequency_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """Weigh classes by the inverse of how often they are painted.

    Parameters
    ----------
    counts : sequence of int
        Painted pixels of each class, such as ``Painting.counts``.

    Returns
    -------
    tuple of float
        ``total / (classes * count)``, so that every class has the same influence; 0 for a class
        without a pixel.
    """
    total = sum(counts)
    return tuple(total / (len(counts) * n) if n else 0.0 for n in counts)
