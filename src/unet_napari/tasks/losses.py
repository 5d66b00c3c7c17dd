"""Losses over labelled pixels only. Equations and sources are in ``docs/guide/losses.md``.

Each is a mean over weighted pixels; a pixel of weight 0 gets a gradient of exactly zero, and
a batch without a labelled pixel a loss of 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812  the name that everybody knows
from torch import Tensor

from unet_napari.checks import Range, check_number, check_numbers, check_text
from unet_napari.errors import SettingsError

if TYPE_CHECKING:
    from unet_napari.tasks.base import Target

__all__ = ["Criterion", "frequency_weights", "multi_class_loss", "multi_label_loss"]

_SMOOTH = 1e-5  # keeps Dice finite where a channel is empty; nnU-Net's and MONAI's value
_MOST_CLASSES = 1000


@dataclass(frozen=True)
class Criterion:
    """Which loss, and its parameters.

    Raises
    ------
    SettingsError
        For a value outside its range.
    """

    # cells: bce, dice, focal, bce+dice; semantic: ce, dice, focal, ce+dice.
    name: str
    alpha: float = 0.5  # of a sum: alpha * (ce or bce) + (1 - alpha) * dice
    gamma: float = 2.0  # of focal: how fast easy pixels lose their say (Lin 2017's best)
    # Of focal in cells: weight of foreground against background; 0.5 weighs them equally.
    # In semantic, class_weights play this role.
    focal_alpha: float = 0.25
    class_weights: tuple[float, ...] = ()  # one for each class or map; empty: all 1
    # Of cells: w0 of the border weight map (Ronneberger 2015 takes 10); 0: off. Pixels between
    # two cells weigh up to 1 + w0.
    border_weight: float = 0.0
    border_sigma: float = 5.0  # pixels: how wide a gap still counts as narrow

    def __post_init__(self) -> None:
        check_text("The name of a loss", self.name, 1000)
        check_number("alpha of the loss", self.alpha, Range(0, 1))
        check_number("gamma of the loss", self.gamma, Range(0, 10))
        check_number("focal_alpha of the loss", self.focal_alpha, Range(0, 1))
        check_number("border_weight of the loss", self.border_weight, Range(0, 1000))
        check_number("border_sigma of the loss", self.border_sigma, Range(0.5, 20))
        lengths = Range(0, _MOST_CLASSES)
        weights = check_numbers("class_weights", self.class_weights, Range(0, 1e6), lengths=lengths)
        object.__setattr__(self, "class_weights", weights)

    def check(self, names: Sequence[str], channels: int) -> None:
        """Raise `SettingsError` unless it is one of `names` and fits the number of channels."""
        if self.name not in names:
            raise SettingsError(
                f"There is no loss {self.name[:40]!r} for this task, only {', '.join(names)}."
            )
        if self.class_weights and len(self.class_weights) != channels:
            raise SettingsError(
                f"{len(self.class_weights)} class_weights are given for {channels} classes."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as JSON-able values."""
        return dataclasses.asdict(self) | {"class_weights": list(self.class_weights)}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any] | str) -> Criterion:
        """Make a criterion from `to_dict`, or from its name alone.

        Raises
        ------
        SettingsError
            For an unknown parameter or a value outside its range.
        """
        values: Any = {"name": settings} if isinstance(settings, str) else settings
        known = {f.name for f in dataclasses.fields(cls)}
        if not isinstance(values, Mapping) or "name" not in values or values.keys() - known:
            raise SettingsError(
                f"A loss is its name, or an object with {', '.join(sorted(known))}."
            )
        parameters: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**parameters)


def frequency_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """Weigh classes by the inverse of how often they are painted.

    Parameters
    ----------
    counts
        Painted pixels of each class, such as ``Painting.counts``.

    Returns
    -------
    tuple of float
        ``total / (classes * count)``, so that every class has the same say; 0 for a class
        without a pixel.
    """
    total = sum(counts)
    return tuple(total / (len(counts) * n) if n else 0.0 for n in counts)


def multi_label_loss(criterion: Criterion, logits: Tensor, target: Target) -> Tensor:
    """Loss of K independent maps (sigmoid), values ``(N, K, *S)`` between 0 and 1."""
    logits = _full_precision(logits)
    values, weight = target.values.to(logits.dtype), target.weight.expand_as(logits)
    if criterion.class_weights:
        weight = weight * _along_channels(criterion.class_weights, logits)
    terms = []
    for term in criterion.name.split("+"):
        match term:
            case "bce":
                loss = F.binary_cross_entropy_with_logits(logits, values, reduction="none")
                terms.append(_mean(loss, weight))
            case "focal":
                loss = _binary_focal(logits, values, criterion.focal_alpha, criterion.gamma)
                terms.append(_mean(loss, weight))
            case "dice":
                terms.append(_dice(logits.sigmoid(), values, weight))
    return _combine(terms, criterion.alpha)


def multi_class_loss(criterion: Criterion, logits: Tensor, target: Target) -> Tensor:
    """Loss of K exclusive classes (softmax), values ``(N, 1, *S)`` int64 below K."""
    logits = _full_precision(logits)
    index, weight = target.values, target.weight
    class_weight = _along_channels(criterion.class_weights or (1.0,) * logits.shape[1], logits)
    pixel_weight = weight * class_weight.flatten()[index]
    log_probability = logits.log_softmax(dim=1)
    terms = []
    for term in criterion.name.split("+"):
        match term:
            case "ce" | "focal":
                log_true = log_probability.gather(1, index)
                gamma = criterion.gamma if term == "focal" else 0.0
                terms.append(_mean(-log_true * _modulation(log_true, gamma), pixel_weight))
            case "dice":
                one_hot = torch.zeros_like(logits).scatter_(1, index, 1.0)
                every = weight * class_weight
                terms.append(_dice(log_probability.exp(), one_hot, every))
    return _combine(terms, criterion.alpha)


def _full_precision(logits: Tensor) -> Tensor:
    """Leave mixed precision: sums over many pixels need more than 8 bits."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _along_channels(values: Sequence[float], like: Tensor) -> Tensor:
    return like.new_tensor(values).reshape(-1, *(1,) * (like.ndim - 2))


def _mean(loss: Tensor, weight: Tensor) -> Tensor:
    """Average over weights; 0 where they are all 0."""
    total = weight.sum()
    return (loss * weight).sum() / torch.where(total > 0, total, 1.0)


def _combine(terms: list[Tensor], alpha: float) -> Tensor:
    return terms[0] if len(terms) == 1 else alpha * terms[0] + (1 - alpha) * terms[1]


def _modulation(log_probability: Tensor, gamma: float) -> Tensor:
    """``(1 - p) ** gamma``, with a finite gradient where p is 1."""
    if gamma == 0:
        return torch.ones_like(log_probability)
    return (1 - log_probability.exp()).clamp_min(1e-12) ** gamma


def _binary_focal(logits: Tensor, values: Tensor, alpha: float, gamma: float) -> Tensor:
    """Lin 2017, equation 5; targets between 0 and 1 mix the two sides."""
    positive = F.logsigmoid(logits)
    negative = F.logsigmoid(-logits)
    return -(
        alpha * values * positive * _modulation(positive, gamma)
        + (1 - alpha) * (1 - values) * negative * _modulation(negative, gamma)
    )


def _dice(probability: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Soft Dice over the whole batch, averaged over the channels that hold some truth.

    With few painted pixels a patch often lacks a class, where Dice says nothing: its gradient
    is nearly zero and its value 1 would only shift the curve.
    """
    axes = [axis for axis in range(truth.ndim) if axis != 1]
    weight = weight.expand_as(truth)
    shared = (weight * probability * truth).sum(axes)
    both = (weight * (probability + truth)).sum(axes)
    present = ((weight * truth).sum(axes) > 0).to(both.dtype)
    loss = 1 - (2 * shared + _SMOOTH) / (both + _SMOOTH)
    return (loss * present).sum() / present.sum().clamp_min(1)
