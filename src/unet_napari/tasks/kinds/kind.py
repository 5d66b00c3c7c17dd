"""What a task needs besides its network, as one interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Labelled", "TaskKind", "Units", "ZeroRule"]

ZeroRule: TypeAlias = Literal["ignore", "nearby"]


class Labelled(NamedTuple):
    """The labels of a part of an image.

    Attributes
    ----------
    labels : ndarray of int, shape (*S)
        Painted ids, 0 where nothing is painted.
    annotated : ndarray of bool, shape (*S)
        True where the labels say something, if only "background".
    """

    labels: NDArray[np.integer]
    annotated: NDArray[np.bool_]


@dataclass(frozen=True)
class Units:
    """What can be held out for validation, of one group: objects, or the pixels of a class.

    Attributes
    ----------
    start, stop : ndarray of int, shape (axes, n)
        The box of each unit, in pixels.
    weight : ndarray of float, shape (n,)
        Number of units that each entry stands for.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    weight: NDArray[np.float64]


@dataclass(frozen=True)
class TaskKind(ABC):
    """Everything about a task that needs no network and no torch.

    `unet_napari.tasks.base.Task` is its other half. Two bases do nearly all of the work: in
    `ObjectKind` an id of the painted labels is one object, in `ClassKind` it is a class of pixels.

    Parameters
    ----------
    name : str
        The name in settings, on the command line and in model files.
    implementation : str
        Place of the `Task`, as ``"package.module:name"``.
    title : str
        What the Train dock calls the choice, such as "separate cells".
    help : str
        What its tooltip says of the choice.
    thing, things : str
        What one id stands for, in singular and plural, such as "cell" and "cells".
    found : str
        What a model of this task finds, such as "classes of pixels".
    file_word : str
        Word that a new model's file name ends with.
    nothing_painted : str
        What to do where nothing is painted, as sentences.
    verdicts : tuple of str
        What a score below 0.3, below 0.65, below 0.9 and above means.
    """

    name: str
    implementation: str
    title: str
    help: str
    thing: str
    things: str
    found: str
    file_word: str
    nothing_painted: str
    verdicts: tuple[str, str, str, str]

    separates_objects: ClassVar[bool]
    """Whether the ids of a result are numbers of separate objects, which can be counted and
    measured; if not, an id means the same in every image."""

    zero_rule: ClassVar[ZeroRule]
    """What an unpainted pixel says by default: nothing, or "background" near painted ones."""

    fewest_ids: ClassVar[int]
    """Number of ids that must be painted for anything to be learned."""

    fewest_units: ClassVar[int]
    """Number of units of each group that both sides of a split need for a score."""

    def nouns(self, count: int) -> str:
        """Return a number with its noun, such as "1 cell" and "2,000 classes"."""
        return f"{count:,} {self.thing if count == 1 else self.things}"

    @abstractmethod
    def anchors(self, part: Labelled) -> Mapping[int, NDArray[np.integer]]:
        """Return the pixels that patches are laid around, group by group.

        Returns
        -------
        mapping of int to ndarray of int, shape (n,)
            Positions in the flattened part; a group without a pixel is left out.
        """

    @abstractmethod
    def anchor_share(self, group: int) -> float:
        """Return how often a group of anchors is drawn, relative to the others."""

    @abstractmethod
    def groups(self, parts: Sequence[Labelled]) -> Sequence[int]:
        """Return the groups of which each must be on both sides of a split."""

    @abstractmethod
    def units(self, part: Labelled, group: int) -> Units:
        """Return what can be held out of a group, in pixels of the part."""

    @abstractmethod
    def count_objects(self, part: Labelled) -> int:
        """Return the number of annotated objects; 0 if the task has no objects."""

    @abstractmethod
    def drawing_weight(self, part: Labelled) -> int:
        """Return how much a part counts where some of many are judged."""

    @abstractmethod
    def enough_objects(self, count: int) -> bool:
        """Tell whether so many objects are enough for a score."""

    @abstractmethod
    def why_no_score(self, count: int) -> str:
        """Return why so many held-out objects gave no score, such as "3 of 5 cells"."""

    @abstractmethod
    def scarcest(self, parts: Sequence[Labelled]) -> tuple[int, str]:
        """Return how much is painted of what is rarest, and what that is: ``(3, "cells")``."""

    def compact_ids(self, labels: NDArray[np.generic]) -> NDArray[np.integer]:
        """Return labels in the fewest bytes: int32 where their ids fit, else int64."""
        if labels.dtype == bool or int(labels.max()) < 2**31:
            return labels.astype(np.int32)
        return labels.astype(np.int64)

    def decisions(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return labels such that equal ones mean that two results agree at a pixel."""
        return labels
