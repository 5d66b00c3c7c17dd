"""The interface between a network's output and the labels of a user."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from unet_napari.records import Record
from unet_napari.tasks.criterion import Criterion
from unet_napari.tasks.decoding.blocks import DEFAULT_BLOCKS

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.evaluation.objects import Labels
    from unet_napari.tasks.decoding.blocks import Blocks, BoxTarget, Passes, Store
    from unet_napari.tasks.familiarity import Familiarity
    from unet_napari.tasks.loss_catalogue import MapKind
    from unet_napari.tasks.target import Target

    Maps: TypeAlias = NDArray[np.floating] | Sequence[NDArray[np.floating]]

__all__ = ["Task"]


@dataclass(frozen=True)
class Task(Record, ABC):
    """What a network's output means, from painted labels to predicted ones.

    A task owns encoding, loss and decoding together because they only make sense together.
    It is an immutable value that travels in the model file as `to_dict`.
    """

    name: ClassVar[str]
    score_name: ClassVar[str]
    maps: ClassVar[MapKind]

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
        """Of what `pack` returns, unsigned."""

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
    def pack(self, maps: NDArray[np.floating]) -> NDArray[np.unsignedinteger]:
        """Reduce probabilities ``(K, *S)`` to what decoding needs of them, ``(P, *S)``.

        All decoding starts from it, so the way that maps came does not matter. Any part of an
        image may be packed on its own.
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
            From `pack`, ``(P, *S)``, read box by box.
        scratch
            uint32 ``(*S)``, overwritten.
        out
            ``(*S)``, written box by box, every pixel once.
        blocks
            Their size; the labels do not depend on it.
        first_id
            The smallest id of an object.

        Yields
        ------
        done, total : int
            Blocks worked on so far and in all.
        box : tuple of slice or None
            What has been written.
        """

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

    def familiarity(self) -> Familiarity | None:
        """Return what tells whether an image is like those that the model was judged by.

        None: nothing is known about them.
        """
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON-able values, from which `make_task` makes it again."""
        return {"name": self.name} | super().to_dict()
