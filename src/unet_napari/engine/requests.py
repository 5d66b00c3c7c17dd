"""The jobs that the engine does, as the docks describe them. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unet_napari.engine.arrays import ArrayRef
from unet_napari.engine.protocol import message

__all__ = [
    "AugmentationJob",
    "CompareJob",
    "DiameterJob",
    "ImageRef",
    "MeasureJob",
    "PairRef",
    "PreviewRequest",
    "SegmentFileJob",
    "SegmentJob",
    "TrainJob",
]


@message
@dataclass(frozen=True)
class ImageRef:
    """An `unet_napari.images.Image` whose data the engine opens by reference.

    Attributes
    ----------
    data
        Reference to the array.
    axes
        One letter per axis of the array.
    pixel_size
        Micrometres per axis letter; unknown axes are absent.
    name
        What messages call it.
    fixed
        Axes held at one index, as by ``Image.select``.
    source
        The file that the pixels are read from; None if they may be others.
    """

    data: ArrayRef
    axes: str
    pixel_size: Mapping[str, float] = field(default_factory=dict)
    name: str = "image"
    fixed: Mapping[str, int] = field(default_factory=dict)
    source: str | None = None


@message
@dataclass(frozen=True)
class PairRef:
    """An image with its labels.

    Attributes
    ----------
    image, labels
        They have one shape, but for the channels.
    annotated
        Mask of the parts where the labels are complete; None where nobody said so.
    background
        The number among the labels that means background; None: none does.
    file
        The file that the image was read from, though its pixels may be others by now.
    """

    image: ImageRef
    labels: ArrayRef
    annotated: ArrayRef | None = None
    background: int | None = None
    file: str | None = None


@message
@dataclass(frozen=True)
class TrainJob:
    """Train a model and save the best one.

    Its events are ``Started``, ``Step``, ``Validated`` and ``Resting`` of `unet_napari.training`,
    `Saved` whenever the model was saved (see `unet_napari.training.keep`), `Preview` if asked for
    with a `PreviewRequest`, and `PaintTaken` for what it was told to take in. Cancelling it ends
    it with `JobFinished`, the best model so far being saved, or with `JobCancelled` where there is
    none yet. Its result has ``model`` (the path), ``score``, ``score_name``, ``verdict`` (what the
    score means), ``step`` (which the model is of), ``steps`` (that were made), ``stopped`` and
    ``reason``.

    Attributes
    ----------
    pairs
        What to train on.
    config
        ``TrainConfig.to_dict()``.
    output
        The model file to write.
    name
        What the user calls the model.
    start_from
        Name or path of a model to refine; "auto": it is chosen; "nothing" or None: none is.
    state
        The file in which the state of the training is kept, beside the model, so that it can be
        continued whatever ends it; None: it is not kept.
    resume
        Whether to go on from the state in that file. The pairs are then those as painted now, and
        of the settings the budget, the device and the memory count.

    Commands are a `PreviewRequest`, a `PaintUpdate` and a `PairAdded`.
    """

    pairs: tuple[PairRef, ...]
    config: Mapping[str, Any]
    output: str
    name: str
    start_from: str | None = None
    state: str | None = None
    resume: bool = False


@message
@dataclass(frozen=True)
class AugmentationJob:
    """Draw patches as training would see them.

    It has no events. Its result has ``picture``: uint8 ``(Y, X, 3)``.

    Attributes
    ----------
    pairs, config
        As of a `TrainJob`.
    """

    pairs: tuple[PairRef, ...]
    config: Mapping[str, Any]


@message
@dataclass(frozen=True)
class PreviewRequest:
    """Show the training network's labels of this image again and again, as it learns.

    Attributes
    ----------
    image
        A part of the first pair's image, such as the slice that the viewer shows, or a slab
        around it for a 3D network; None: no previews any more.
    key
        Comes back in each `Preview`, to tell which view it belongs to.
    frame
        Time point that the part is of, as its brightness scale may be its own; None without time.
    place
        Where the part lies in the image, start and stop by axis letter, so that it can be compared
        with what is painted there; by default it is not.
    """

    image: ImageRef | None
    key: str = ""
    frame: int | None = None
    place: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@message
@dataclass(frozen=True)
class SegmentJob:
    """Segment an image.

    Its events are `ArraysReady` with the arrays it is going to fill in, and ``Progress`` of
    `unet_napari.inference`, which says what part of the labels is new. Its result has
    ``objects`` (how many were found; None for classes, time series and very large images),
    ``highest`` (no label is higher; absent where that is the number of objects), ``unfamiliar``
    (None, or where the image is unlike those that the model knows, what is wrong and what helps;
    the same comes as a `JobWarning` before), ``kept`` (the number by which a `DecodeJob` names its
    maps; None where they were not kept) and, where asked for, ``table`` and ``doubt``.

    Attributes
    ----------
    image
        What to segment.
    model
        Name or path of the model.
    config
        ``InferenceConfig.to_dict()``.
    maps
        Whether to return the probability maps.
    statistics
        ``Statistics.to_dict()`` of the whole where `image` is a part; by default it is measured.
    inner
        ``(start, stop)`` for each spatial axis: what is wanted of it, the rest being context.
    around
        Whether all of `image` is labelled, so that cells at the border of the part are whole.
    thresholds
        Decoding parameters of the task that replace the model's, such as ``seed_threshold``.
    measure
        Whether to return a ``table`` of the objects, see `unet_napari.labels.measure`.
    attention
        Whether to return the gates of an attention U-Net, behind the maps.
    result_file
        The file that a client is going to save the labels in: the result then has ``record``.
    doubt
        Whether to return `unet_napari.inference.doubt.found_facts` as ``doubt``.
    """

    image: ImageRef
    model: str
    config: Mapping[str, Any] = field(default_factory=dict)
    maps: bool = False
    statistics: Mapping[str, Any] | None = None
    inner: tuple[tuple[int, int], ...] | None = None
    around: bool = False
    thresholds: Mapping[str, float] = field(default_factory=dict)
    measure: bool = False
    attention: bool = False
    result_file: str | None = None
    doubt: bool = False


@message
@dataclass(frozen=True)
class SegmentFileJob:
    """Segment an image into a file, which appears under its name when it is whole.

    Its events are ``Progress``. Its result is that of a `SegmentJob`; if it was cancelled, it
    has ``stopped`` (True) and ``kept``: whether the same job goes on from there. That takes an
    image whose `source` is known.

    Attributes
    ----------
    output
        The file or folder to write, see `unet_napari.images.open_output`.
    image, model, config, thresholds, measure
        As of a `SegmentJob`.
    """

    image: ImageRef
    model: str
    output: str
    config: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    measure: bool = False


@message
@dataclass(frozen=True)
class DiameterJob:
    """Estimate how large the objects of an image are.

    Its events are ``Progress`` of `unet_napari.inference`. Its result has ``diameter``: in the
    smallest pixels of the image, or None where too few objects were found.

    Attributes
    ----------
    image, model, config, statistics
        As of a `SegmentJob`.
    """

    image: ImageRef
    model: str
    config: Mapping[str, Any] = field(default_factory=dict)
    statistics: Mapping[str, Any] | None = None


@message
@dataclass(frozen=True)
class CompareJob:
    """Compare labels with others that are right.

    Its events are ``Progress`` of `unet_napari.inference`. Its result has ``scores``, as
    `Evaluation.row` names them, ``text`` (all of them in lines), ``layers`` (for each of
    `ERROR_KINDS` that there is, an array of the labels that are wrong in this way, else 0) and
    ``places`` (for each the centres of these objects: time point, if there are several, and axes).
    With a rival it has ``difference`` (which of the two is better, in a sentence), and the kinds
    are `RIVAL_KINDS`: true objects that only one of them has right.

    Attributes
    ----------
    true, predicted
        Labels of one shape and the same axes, without a channel axis.
    rival
        Labels of another result, if two are compared with each other.
    """

    true: ImageRef
    predicted: ImageRef
    rival: ImageRef | None = None


@message
@dataclass(frozen=True)
class MeasureJob:
    """Measure the objects of labels that there are already.

    Its events are ``Progress`` of `unet_napari.inference`. Its result has ``table``, see
    `unet_napari.labels.measure`.

    Attributes
    ----------
    labels
        Labels, without a channel axis.
    image
        The image that they lie on, of the same axes but for the channels; None: there is none.
    slicewise
        Whether each slice of a stack is measured as an image of its own.
    """

    labels: ImageRef
    image: ImageRef | None = None
    slicewise: bool = False
