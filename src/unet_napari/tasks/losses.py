"""Losses over labelled pixels only. Equations and sources are in ``docs/guide/models/losses.md``.

A loss is a function of `IndependentMaps` or `ExclusiveMaps`, whose entry in
`unet_napari.tasks.loss_catalogue.LOSSES` names it. Each is a mean over weighted pixels; a pixel of
weight 0 gets a gradient of exactly zero, and a batch without a labelled pixel a loss of 0. Every
sum over a batch goes through `batch_sums`, as several processes may share a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import torch
import torch.nn.functional as F  # noqa: N812  the name that everybody knows
from torch import Tensor

from unet_napari.registry import load_object
from unet_napari.tasks.batch_sums import batch_sums
from unet_napari.tasks.criterion import Criterion
from unet_napari.tasks.loss_catalogue import MapKind, loss_terms
from unet_napari.tasks.target import Target

__all__ = [
    "ExclusiveMaps",
    "IndependentMaps",
    "binary_cross_entropy",
    "binary_focal",
    "class_focal",
    "cross_entropy",
    "multi_class_loss",
    "multi_label_loss",
    "soft_dice",
    "weighted_mean",
]

_DICE_SMOOTHING = 1e-5  # keeps Dice finite where a map is empty; the value of nnU-Net and MONAI


@dataclass(frozen=True)
class IndependentMaps:
    """What a loss compares where each of K maps answers a question of its own.

    Attributes
    ----------
    logits : Tensor
        Output of the network, float ``(N, K, *S)``.
    truth : Tensor
        Output that is right, float ``(N, K, *S)``, 0 to 1.
    weight : Tensor
        Weight of each pixel of each map, float ``(N, K, *S)``.
    criterion : Criterion
        Parameters of the loss.
    """

    logits: Tensor
    truth: Tensor
    weight: Tensor
    criterion: Criterion

    @cached_property
    def probability(self) -> Tensor:
        """Sigmoid of the logits, float ``(N, K, *S)``."""
        return self.logits.sigmoid()


@dataclass(frozen=True)
class ExclusiveMaps:
    """What a loss compares where exactly one of K maps holds at each pixel.

    Attributes
    ----------
    logits : Tensor
        Output of the network, float ``(N, K, *S)``.
    log_probability : Tensor
        Logarithm of the softmax of the logits, float ``(N, K, *S)``.
    index : Tensor
        Index of the map that holds, int64 ``(N, 1, *S)``.
    pixel_weight : Tensor
        Weight of each pixel, the weight of its true class included, float ``(N, 1, *S)``.
    weight : Tensor
        Weight of each pixel of each map, float, broadcasts to ``(N, K, *S)``.
    criterion : Criterion
        Parameters of the loss.
    """

    logits: Tensor
    log_probability: Tensor
    index: Tensor
    pixel_weight: Tensor
    weight: Tensor
    criterion: Criterion

    @cached_property
    def truth(self) -> Tensor:
        """1 in the map that holds and 0 in the others, float ``(N, K, *S)``."""
        return torch.zeros_like(self.logits).scatter_(1, self.index, 1.0)

    @cached_property
    def probability(self) -> Tensor:
        """Softmax of the logits, float ``(N, K, *S)``."""
        return self.log_probability.exp()


def multi_label_loss(criterion: Criterion, logits: Tensor, target: Target) -> Tensor:
    """Compute the loss of K independent maps.

    Parameters
    ----------
    criterion : Criterion
        The loss with its parameters.
    logits : Tensor
        Output of the network, float ``(N, K, *S)``.
    target : Target
        Target with values ``(N, K, *S)`` between 0 and 1.

    Returns
    -------
    Tensor
        A scalar.
    """
    logits = _full_precision(logits)
    values, weight = target.values.to(logits.dtype), target.weight.expand_as(logits)
    if criterion.class_weights:
        weight = weight * _along_channels(criterion.class_weights, logits)
    maps = IndependentMaps(logits, values, weight, criterion)
    return _sum_of_terms(maps, "independent", criterion)


def multi_class_loss(criterion: Criterion, logits: Tensor, target: Target) -> Tensor:
    """Compute the loss of K exclusive maps.

    Parameters
    ----------
    criterion : Criterion
        The loss with its parameters.
    logits : Tensor
        Output of the network, float ``(N, K, *S)``.
    target : Target
        Target with values int64 ``(N, 1, *S)``, from 0 to K - 1.

    Returns
    -------
    Tensor
        A scalar.
    """
    logits = _full_precision(logits)
    index, weight = target.values, target.weight
    class_weight = _along_channels(criterion.class_weights or (1.0,) * logits.shape[1], logits)
    maps = ExclusiveMaps(
        logits=logits,
        log_probability=logits.log_softmax(dim=1),
        index=index,
        pixel_weight=weight * class_weight.flatten()[index],
        weight=weight * class_weight,
        criterion=criterion,
    )
    return _sum_of_terms(maps, "exclusive", criterion)


AnyMaps = TypeVar("AnyMaps", IndependentMaps, ExclusiveMaps)


def _sum_of_terms(maps: AnyMaps, kind: MapKind, criterion: Criterion) -> Tensor:
    """Add up the terms of a criterion, each with its weight."""
    entries = loss_terms(criterion.name, kind)
    terms: list[Tensor] = []
    for entry in entries:
        what = f"the loss {entry.name!r}"
        compute: Callable[[AnyMaps], Tensor] = load_object(entry.implementation(kind), what)
        terms.append(compute(maps))
    if len(terms) == 1:
        return terms[0]
    weights = criterion.term_weights(len(terms))
    total = weights[0] * terms[0]
    for weight, term in zip(weights[1:], terms[1:], strict=True):
        total = total + weight * term
    return total


def binary_cross_entropy(maps: IndependentMaps) -> Tensor:
    """Binary cross entropy of each map."""
    loss = F.binary_cross_entropy_with_logits(maps.logits, maps.truth, reduction="none")
    return weighted_mean(loss, maps.weight)


def binary_focal(maps: IndependentMaps) -> Tensor:
    """Focal loss of each map (Lin 2017, equation 5); a truth between 0 and 1 mixes both sides."""
    alpha, gamma = maps.criterion.focal_alpha, maps.criterion.gamma
    positive = F.logsigmoid(maps.logits)
    negative = F.logsigmoid(-maps.logits)
    loss = -(
        alpha * maps.truth * positive * _focus(positive, gamma)
        + (1 - alpha) * (1 - maps.truth) * negative * _focus(negative, gamma)
    )
    return weighted_mean(loss, maps.weight)


def cross_entropy(maps: ExclusiveMaps) -> Tensor:
    """Cross entropy of the classes."""
    log_true = maps.log_probability.gather(1, maps.index)
    return weighted_mean(-log_true, maps.pixel_weight)


def class_focal(maps: ExclusiveMaps) -> Tensor:
    """Focal loss of the classes (Lin 2017), in which class weights take the role of alpha."""
    log_true = maps.log_probability.gather(1, maps.index)
    loss = -log_true * _focus(log_true, maps.criterion.gamma)
    return weighted_mean(loss, maps.pixel_weight)


def soft_dice(maps: IndependentMaps | ExclusiveMaps) -> Tensor:
    """Soft Dice over the whole batch, averaged over the maps that hold some truth.

    With few painted pixels a patch often lacks a class. For such a class Dice tells nothing: its
    gradient is nearly zero, and its value 1 would only shift the curve.
    """
    truth, probability = maps.truth, maps.probability
    axes = [axis for axis in range(truth.ndim) if axis != 1]
    weight = maps.weight.expand_as(truth)
    shared, both, there = batch_sums(
        (weight * probability * truth).sum(axes),
        (weight * (probability + truth)).sum(axes),
        (weight * truth).sum(axes),
    )
    present = (there > 0).to(both.dtype)
    loss = 1 - (2 * shared + _DICE_SMOOTHING) / (both + _DICE_SMOOTHING)
    return (loss * present).sum() / present.sum().clamp_min(1)


def weighted_mean(loss: Tensor, weight: Tensor) -> Tensor:
    """Average a loss over its weights; the average is 0 where all weights are 0."""
    weighted, total = batch_sums((loss * weight).sum(), weight.sum())
    return weighted / torch.where(total > 0, total, 1.0)


def _full_precision(logits: Tensor) -> Tensor:
    """Return logits in at least 32 bits: sums over many pixels need them."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _along_channels(values: Sequence[float], like: Tensor) -> Tensor:
    """Return one value for each map, shape ``(K, 1, ...)``."""
    return like.new_tensor(values).reshape(-1, *(1,) * (like.ndim - 2))


def _focus(log_probability: Tensor, gamma: float) -> Tensor:
    """Return ``(1 - p) ** gamma``, with a finite gradient where p is 1."""
    if gamma == 0:
        return torch.ones_like(log_probability)
    return (1 - log_probability.exp()).clamp_min(1e-12) ** gamma
