"""The interface between a network's output and the labels of a user."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from unet_napari.errors import SettingsError
from unet_napari.records import Record
from unet_napari.tasks.criterion import Criterion
from unet_napari.tasks.decoding.blocks import DEFAULT_BLOCKS
from unet_napari.tasks.losses import multi_class_loss, multi_label_loss

if TYPE_CHECKING:
    from fractions import Fraction
    from typing import TypeAlias

    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.evaluation.classes import ClassCounts, ClassEvaluation
    from unet_napari.evaluation.objects import Evaluation, Labels, Match
    from unet_napari.tasks.decoding.blocks import Blocks, BoxTarget, Passes, Store
    from unet_napari.tasks.decoding.stack import StackDecoder, StackScale
    from unet_napari.tasks.familiarity import Familiarity
    from unet_napari.tasks.kinds.kind import Labelled, TaskKind
    from unet_napari.tasks.loss_catalogue import MapKind
    from unet_napari.tasks.target import Target

    Maps: TypeAlias = NDArray[np.floating] | Sequence[NDArray[np.floating]]

__all__ = ["PaintedParts", "Task"]


class PaintedParts(NamedTuple):
    """What was painted for a training.

    Attributes
    ----------
    everything : sequence of Labelled
        All parts of the images.
    training : sequence of Labelled
        The parts that are trained on.
    spacing : sequence of float
        Pixel size per axis of the network, relative to the smallest.
    """

    everything: Sequence[Labelled]
    training: Sequence[Labelled]
    spacing: Sequence[float]


@dataclass(frozen=True)
class Task(Record, ABC):
    """What a network's output means, from painted labels to predicted ones.

    A task owns encoding, loss and decoding together because they only make sense together.
    It is an immutable value that travels in the model file as `to_dict`.
    """

    kind: ClassVar[TaskKind]
    """The half of the task that needs no torch."""

    name: ClassVar[str]
    """The name of `kind`."""

    score_name: ClassVar[str]
    """What `score` is called, such as "AP50"."""

    maps: ClassVar[MapKind]
    """How the maps belong together, which decides on `activate` and `loss`."""

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

    @property
    @abstractmethod
    def packed_maps(self) -> int:
        """P, the number of maps that `pack` returns."""

    @property
    @abstractmethod
    def packed_dtype(self) -> np.dtype[Any]:
        """Dtype of what `pack` returns, an unsigned one."""

    @abstractmethod
    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        """Turn painted labels into targets, on the device they are on.

        Parameters
        ----------
        labels
            Ids of cells or classes, int64 ``(N, *S)``.
        annotated
            True at the pixels whose label says something, bool ``(N, *S)``.
        """

    def loss(self, logits: Tensor, target: Target) -> Tensor:
        """Compare ``(N, K, *S)`` logits with a target by the criterion.

        Returns
        -------
        Tensor
            A finite scalar, also where nothing is labelled. Its gradient is exactly zero at
            every pixel of weight 0.
        """
        compute = multi_label_loss if self.maps == "independent" else multi_class_loss
        return compute(self.criterion, logits, target)

    def activate(self, logits: Tensor) -> Tensor:
        """Turn ``(N, K, *S)`` logits into probabilities of the same shape."""
        return logits.sigmoid() if self.maps == "independent" else logits.softmax(dim=1)

    @abstractmethod
    def pack(self, maps: NDArray[np.floating]) -> NDArray[np.unsignedinteger]:
        """Reduce probabilities ``(K, *S)`` to what decoding needs of them, ``(P, *S)``.

        All decoding starts from packed maps, so it does not matter how the maps were computed. Any
        part of an image may be packed on its own.
        """

    @abstractmethod
    def provisional(self, packed: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
        """Turn a part of packed maps into what may be shown until the rest is there."""

    @abstractmethod
    def decode_steps(
        self,
        packed: Store,
        scratch: Store,
        out: BoxTarget,
        blocks: Blocks = DEFAULT_BLOCKS,
        first_id: int = 1,
    ) -> Passes:
        """Turn packed maps of one image into labels, block by block.

        Parameters
        ----------
        packed
            Packed maps, ``(P, *S)``, which are read box by box.
        scratch
            Room for the work, uint32 ``(*S)``; whatever it holds is overwritten.
        out
            The labels, ``(*S)``, which are written box by box, every pixel once.
        blocks
            Size of the blocks; the labels do not depend on it.
        first_id
            The smallest id of an object.

        Yields
        ------
        done, total : int
            Number of blocks worked on so far, and in all.
        box : Box or None
            The part of `out` that has just been written.
        """

    def stack_decoder(self, scale: StackScale) -> StackDecoder | None:
        """Return what makes 3D objects of the packed maps of all slices of a stack.

        It returns None where each slice is decoded by itself, as with classes, which need not be
        joined.
        """
        del scale
        return None

    def decode(self, maps: NDArray[np.floating]) -> NDArray[np.unsignedinteger]:
        """Turn probabilities ``(K, *S)`` of one image in memory into labels ``(*S)``."""
        labels: NDArray[np.uint32] = np.empty(maps.shape[1:], np.uint32)
        scratch = np.empty_like(labels)
        for _ in self.decode_steps(self.pack(maps), scratch, labels):
            pass
        return labels

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
    def compare(
        self, true: NDArray[np.integer], predicted: NDArray[np.integer]
    ) -> Match | ClassCounts:
        """Count how far the labels ``(*S)`` of one image agree with the true ones."""

    @abstractmethod
    def evaluation(self, compared: Sequence[Any]) -> Evaluation | ClassEvaluation:
        """Return the measures of some images, of each of which `compare` has counted."""

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
        """Fit the parameters of decoding to validation data; the arguments are those of `score`."""
        del maps, labels, annotated
        return self

    @classmethod
    def suited(cls, options: Mapping[str, Any], painted: PaintedParts, start: Task | None) -> Self:
        """Make the task of a training from what was painted.

        Parameters
        ----------
        options : mapping
            Settings that the user has given; they count more than anything else.
        painted : PaintedParts
            What was painted.
        start : Task, optional
            Task of the model that training starts from.

        Raises
        ------
        SettingsError
            For an unknown setting or a value outside its range.
        """
        del painted, start
        return cls.from_dict(options)

    def rescaled(self, factor: Fraction | int) -> Self:
        """Return the task for images in which each object has `factor` times as many pixels."""
        del factor
        return self

    def familiarity(self) -> Familiarity | None:
        """Return what tells whether an image is like those that the model was judged by.

        It returns None where nothing is known about those images.
        """
        return None

    def _check_criterion(self) -> None:
        """Raise `SettingsError` unless the criterion suits the maps of the task."""
        if not isinstance(self.criterion, Criterion):
            raise SettingsError("criterion must be a Criterion.")
        self.criterion.check(self.maps, self.out_channels)

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON-able values, from which `make_task` makes it again."""
        return {"name": self.name} | super().to_dict()
