"""Each pixel belongs to one of the painted classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch

from unet_napari.checks import Range, check_integers, check_number
from unet_napari.errors import SettingsError
from unet_napari.evaluation.classes import ClassCounts, ClassEvaluation, count_classes
from unet_napari.evaluation.objects import as_list, class_dice
from unet_napari.tasks.base import PaintedParts, Task
from unet_napari.tasks.criterion import MAX_CLASSES, Criterion, frequency_weights
from unet_napari.tasks.decoding.blocks import DEFAULT_BLOCKS
from unet_napari.tasks.kinds.catalogue import SEMANTIC
from unet_napari.tasks.kinds.classes import count_pixels
from unet_napari.tasks.target import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.evaluation.objects import Labels
    from unet_napari.geometry import Box
    from unet_napari.tasks.decoding.blocks import Blocks, BoxTarget, Passes, Store
    from unet_napari.tasks.kinds.kind import TaskKind
    from unet_napari.tasks.loss_catalogue import MapKind

__all__ = ["SemanticTask"]

_DEFAULT_CRITERION = Criterion("ce+dice")
# Fewest true pixels of a class that is judged: each of fewer moves the Dice by several percent.
_JUDGED_PIXELS = 50


@dataclass(frozen=True)
class SemanticTask(Task):
    """One map for each painted class; the output carries the painted ids.

    Parameters
    ----------
    classes
        The painted ids, ascending; 0 is among them only where unpainted pixels are background.
    criterion
        The loss with its parameters; ``ce+dice`` by default.

    Raises
    ------
    SettingsError
        For a value outside its range.
    """

    kind: ClassVar[TaskKind] = SEMANTIC
    name: ClassVar[str] = SEMANTIC.name
    record_name: ClassVar[str] = "The semantic task"
    maps: ClassVar[MapKind] = "exclusive"
    packed_maps: ClassVar[int] = 1
    score_name: ClassVar[str] = "Dice"

    classes: tuple[int, ...] = (1, 2)
    criterion: Criterion = _DEFAULT_CRITERION

    def __post_init__(self) -> None:
        lengths = Range(2, MAX_CLASSES)
        classes = check_integers("classes", self.classes, Range(0, 2**53), lengths=lengths)
        if any(a >= b for a, b in pairwise(classes)):
            raise SettingsError("classes must be in ascending order, each of them once.")
        object.__setattr__(self, "classes", classes)
        self._check_criterion()
        check_number("border_weight of a semantic loss", self.criterion.border_weight, Range(0, 0))

    @property
    def map_names(self) -> tuple[str, ...]:
        """The id of each class."""
        return tuple(f"class {i}" for i in self.classes)

    @property
    def packed_dtype(self) -> np.dtype[Any]:
        """The smallest dtype that holds the positions of the classes."""
        return np.min_scalar_type(len(self.classes) - 1)

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        """Look up the position of each id; ids that are no class count as unlabelled."""
        classes = torch.tensor(self.classes, dtype=torch.int64, device=labels.device)
        index = torch.searchsorted(classes, labels.contiguous()).clamp_max(len(classes) - 1)
        known = (classes[index] == labels) & annotated
        return Target(index.where(known, 0).unsqueeze(1), known.unsqueeze(1).float())

    def pack(self, maps: NDArray[np.floating]) -> NDArray[np.unsignedinteger]:
        """Take the position of the most probable class."""
        kept = np.argmax(maps, axis=0).astype(self.packed_dtype)
        return np.asarray(kept[np.newaxis])

    def provisional(self, packed: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
        """Look up the ids, which are final."""
        ids = np.array(self.classes, np.min_scalar_type(self.classes[-1]))
        return np.asarray(ids[packed[0]])

    def decode(self, maps: NDArray[np.floating]) -> NDArray[np.unsignedinteger]:
        """Return the id of the most probable class, in the smallest unsigned dtype for the ids."""
        return self.provisional(self.pack(maps))

    def decode_steps(
        self,
        packed: Store,
        scratch: Store | None,
        out: BoxTarget,
        blocks: Blocks = DEFAULT_BLOCKS,
        first_id: int = 1,
    ) -> Passes:
        """Look up the ids; a class needs no other pixels, so there is no scratch."""
        del scratch, first_id
        boxes = blocks.cut(out.shape, blocks.unit)
        written = blocks.workers.write(partial(self._looked_up, packed), boxes, out)
        for done, box in enumerate(written, start=1):
            yield done, len(boxes), box

    def _looked_up(self, packed: Store, box: Box) -> NDArray[np.unsignedinteger]:
        return self.provisional(packed[(slice(None), *box.to_slices())])

    @classmethod
    def suited(cls, options: Mapping[str, Any], painted: PaintedParts, start: Task | None) -> Self:
        """Make the task of a training: its classes are the ids that were painted.

        `class_weights` of the criterion may be "frequency", see `frequency_weights`.
        """
        del start
        counts = count_pixels(painted.everything)
        settings = {"classes": sorted(counts), **options}
        criterion = settings.get("criterion")
        if isinstance(criterion, Mapping) and criterion.get("class_weights") == "frequency":
            weights = frequency_weights([counts[number] for number in settings["classes"]])
            settings["criterion"] = {**criterion, "class_weights": list(weights)}
        return cls.from_dict(settings)

    def compare(self, true: NDArray[np.integer], predicted: NDArray[np.integer]) -> ClassCounts:
        """Count the pixels of each class in one image."""
        return count_classes(true, predicted, self.classes)

    def evaluation(self, compared: Sequence[ClassCounts]) -> ClassEvaluation:
        """Return the Dice coefficients of some images."""
        return ClassEvaluation(self.classes, tuple(compared))

    def score(
        self,
        predicted: Labels,
        true: Labels,
        annotated: NDArray[np.bool_] | Sequence[NDArray[Any]],
    ) -> float | None:
        """Mean Dice of the classes that have at least 50 true pixels; None with fewer than two."""
        where = [np.asarray(a, bool) for a in as_list(annotated)]
        truth = np.concatenate([t[w] for t, w in zip(as_list(true), where, strict=True)])
        found = np.concatenate([p[w] for p, w in zip(as_list(predicted), where, strict=True)])
        judged = [i for i in self.classes if np.count_nonzero(truth == i) >= _JUDGED_PIXELS]
        if len(judged) < 2:
            return None
        return float(np.mean([class_dice(truth, found, i) for i in judged]))

    def uncertainty(
        self,
        score: float,
        true: Labels,
        annotated: NDArray[np.bool_] | Sequence[NDArray[Any]],
    ) -> float:
        """Return one percent: neighbouring pixels agree, so their number says little."""
        del score, true, annotated
        return 0.01
