"""The jobs of the engine on the maps of the last segmentation. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unet_napari.engine.arrays import ArrayRef
from unet_napari.engine.protocol import message
from unet_napari.inference.doubt.check_table import CheckPlace
from unet_napari.inference.doubt.doubtful_object import DoubtfulObject

__all__ = ["CheckJob", "DecodeJob", "DoubtJob", "FitJob", "KeepThresholdsJob"]

message(DoubtfulObject)
message(CheckPlace)


@message
@dataclass(frozen=True)
class DecodeJob:
    """Decode the maps of the last `SegmentJob` again, with other thresholds.

    Its events are ``Progress``. Its result has ``labels``, and ``objects`` and ``highest`` as of a
    `SegmentJob`. It fails if the maps are gone, as they are with the next `SegmentJob`.

    Attributes
    ----------
    kept
        Number of the maps, from the result of the `SegmentJob`.
    thresholds
        As of a `SegmentJob`.
    box
        ``(start, stop)`` for each axis of the labels of that job: the part that is wanted, decoded
        by itself. By default all of it, as a new run would find it.
    """

    kept: int
    thresholds: Mapping[str, float] = field(default_factory=dict)
    box: tuple[tuple[int, int], ...] | None = None


@message
@dataclass(frozen=True)
class DoubtJob:
    """Rank the objects of the last `SegmentJob` by how far they are to be doubted.

    Its events are ``Progress``. Its result has ``doubtful``: a tuple of `DoubtfulObject`, the most
    doubtful first, whose points are pixels of the labels of that job.

    Attributes
    ----------
    kept
        Number of the maps.
    thresholds
        As of a `DecodeJob`: those that the labels have been made with.
    labels, background
        What was painted, as of a `PairRef`, in the shape of the labels of that job: painted
        objects are settled. By default nothing was painted.
    """

    kept: int
    thresholds: Mapping[str, float] = field(default_factory=dict)
    labels: ArrayRef | None = None
    background: int | None = None


@message
@dataclass(frozen=True)
class CheckJob:
    """Draw objects of the last `SegmentJob` at random, to be looked at for a count with its error.

    Its events are ``Progress``. Its result has ``places``: a tuple of `CheckPlace`, in the order in
    which they are to be looked at, whose points are pixels of the labels of that job; none where
    there is no object.

    Attributes
    ----------
    kept
        Number of the maps.
    thresholds
        As of a `DecodeJob`: those that the labels have been made with.
    number
        Number of objects to draw.
    seed
        Number from which all chance comes; a larger `number` begins with the same objects.
    box
        ``(start, stop)`` for each axis of the labels of that job: objects that have no pixel in
        there are not counted. By default all of them are.
    """

    kept: int
    thresholds: Mapping[str, float] = field(default_factory=dict)
    number: int = 20
    seed: int = 0
    box: tuple[tuple[int, int], ...] | None = None


@message
@dataclass(frozen=True)
class FitJob:
    """Fit the thresholds to what was painted, by the maps of the last `SegmentJob`.

    It has no events. Its result has ``thresholds``, ``cells`` (how many were painted),
    ``score_name``, and the scores of these cells: ``score`` with the fitted thresholds, and
    ``before`` with those of the model.

    Attributes
    ----------
    kept
        Number of the maps.
    labels, annotated, background
        What was painted, as of a `PairRef`, in the shape of the labels of that job.
    """

    kept: int
    labels: ArrayRef
    annotated: ArrayRef | None = None
    background: int | None = None


@message
@dataclass(frozen=True)
class KeepThresholdsJob:
    """Store thresholds in a model file.

    It has no events. Its result has ``model``: the path.

    Attributes
    ----------
    model
        Name or path of the model.
    thresholds
        As of a `SegmentJob`.
    output
        The file to write, where the model's own is not to be changed.
    source
        Origin of the thresholds, for the provenance.
    """

    model: str
    thresholds: Mapping[str, float]
    output: str | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
