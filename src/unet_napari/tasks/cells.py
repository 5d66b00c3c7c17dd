"""Every cell is an object of its own: foreground, boundary, distance, and a watershed."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch

from unet_napari.checks import Range, check_integer, check_number, check_numbers
from unet_napari.errors import SettingsError
from unet_napari.evaluation.objects import Evaluation, Match, as_list, evaluate, match
from unet_napari.tasks.base import PaintedParts, Task
from unet_napari.tasks.cell_sizes import (
    affordable_parts,
    annotated_sizes,
    speck_size,
    whole_sizes,
)
from unet_napari.tasks.criterion import Criterion
from unet_napari.tasks.decoding.blocks import DEFAULT_BLOCKS
from unet_napari.tasks.decoding.decode import CellRule, pack
from unet_napari.tasks.decoding.instances import Instances
from unet_napari.tasks.decoding.stack import StackDecoder
from unet_napari.tasks.encoding.boundary import boundary_target
from unet_napari.tasks.encoding.distance import border_weights, relative_depth
from unet_napari.tasks.familiarity import Familiarity, usual
from unet_napari.tasks.kinds.catalogue import CELLS
from unet_napari.tasks.target import Target

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray
    from torch import Tensor

    from unet_napari.evaluation.objects import Labels
    from unet_napari.tasks.decoding.blocks import Blocks, BoxTarget, Passes, Store
    from unet_napari.tasks.decoding.stack import StackScale
    from unet_napari.tasks.kinds.kind import TaskKind
    from unet_napari.tasks.loss_catalogue import MapKind

__all__ = ["CellsTask"]

_DEFAULT_CRITERION = Criterion("bce+dice")
# Fewest cells that a score needs: of fewer, each one moves the AP by more than a tenth.
_JUDGED_CELLS = 5
# Number of pixels that tuning looks at: they hold some hundred cells, and are decoded a dozen times
# in seconds.
_TUNING_PIXELS = 2**21
_SEED_THRESHOLDS = (0.3, 0.45, 0.55, 0.7, 0.85)
_FOREGROUND_THRESHOLDS = (0.35, 0.5, 0.65)
_BOUNDARY_THRESHOLDS = (0.0, 0.2, 0.4, 0.6)
_TUNING_IOUS = (0.5, 0.7)  # 0.5 counts cells, 0.7 also sees their outlines


@dataclass(frozen=True)
class CellsTask(Task):
    """Foreground, boundary and distance, from which a seeded watershed makes objects.

    Parameters
    ----------
    boundary_width
        Thickness of the boundary inside each cell, in pixels of the finest axis.
    reach
        Depth within a cell, in pixels of the finest axis, from which on the distance map is 1.
    anisotropy
        Pixel size along each spatial axis, in any unit; empty: equal along all.
    foreground_threshold, seed_threshold, min_size, boundary_threshold
        Parameters of decoding, see `CellRule`; `tuned` fits them.
    criterion
        The loss with its parameters; ``bce+dice`` by default.
    least_confidence, most_coverage
        What is usual of an image, see `Familiarity`; `tuned` measures it. 0 and 1: unknown.

    Raises
    ------
    SettingsError
        For a value outside its range.
    """

    kind: ClassVar[TaskKind] = CELLS
    name: ClassVar[str] = CELLS.name
    record_name: ClassVar[str] = "The cells task"
    maps: ClassVar[MapKind] = "independent"
    packed_maps: ClassVar[int] = 3
    packed_dtype: ClassVar[np.dtype[Any]] = np.dtype(np.uint8)
    score_name: ClassVar[str] = "AP50"
    map_names: ClassVar[tuple[str, ...]] = ("foreground", "boundary", "distance")

    boundary_width: float = 2.0
    reach: int = 5
    anisotropy: tuple[float, ...] = ()
    foreground_threshold: float = 0.5
    seed_threshold: float = 0.55
    min_size: int = 10
    criterion: Criterion = _DEFAULT_CRITERION
    boundary_threshold: float = 0.0
    least_confidence: float = 0.0
    most_coverage: float = 1.0

    def __post_init__(self) -> None:
        check_number("boundary_width", self.boundary_width, Range(1, 5))
        check_integer("reach", self.reach, Range(1, 64))
        sizes = check_numbers("anisotropy", self.anisotropy, Range(1e-6, 1e6), lengths=Range(0, 3))
        object.__setattr__(self, "anisotropy", sizes)
        for name in (
            "foreground_threshold",
            "seed_threshold",
            "boundary_threshold",
            "least_confidence",
            "most_coverage",
        ):
            check_number(name, getattr(self, name), Range(0, 1))
        check_integer("min_size", self.min_size, Range(0, 2**31 - 1))
        self._check_criterion()

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        """Mark cells, see `boundary_target` and `relative_depth` for what is unlabelled."""
        spacing = self._spacing(labels.ndim - 1)
        boundary, near = boundary_target(labels, annotated, self.boundary_width, spacing)
        depth, known = relative_depth(labels, annotated, self.reach, spacing)
        values = torch.stack([(labels > 0).float(), boundary, depth], dim=1)
        weight = torch.stack([annotated, near, known], dim=1).float()
        border, sigma = self.criterion.border_weight, self.criterion.border_sigma
        if border > 0:
            weight *= border_weights(labels, border, sigma, spacing).unsqueeze(1)
        return Target(values, weight)

    def pack(self, maps: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Round the maps to 1/255."""
        return pack(maps)

    def provisional(self, packed: NDArray[np.unsignedinteger]) -> NDArray[np.uint32]:
        """Give all cells the id 1."""
        return self._rule.mask(packed).astype(np.uint32)

    def decode_steps(
        self,
        packed: Store,
        scratch: Store,
        out: BoxTarget,
        blocks: Blocks = DEFAULT_BLOCKS,
        first_id: int = 1,
    ) -> Passes:
        """Separate the cells, see `Instances`."""
        return Instances(self._rule, packed, scratch, blocks).run(out, first_id)

    def stack_decoder(self, scale: StackScale) -> StackDecoder:
        """Separate the cells of a stack, see `StackDecoder`."""
        return StackDecoder(self._rule, scale)

    @property
    def _rule(self) -> CellRule:
        return CellRule(
            self.foreground_threshold, self.seed_threshold, self.min_size, self.boundary_threshold
        )

    def familiarity(self) -> Familiarity:
        """Compare images with the validation images, see `Familiarity`."""
        return Familiarity(self._rule, self.least_confidence, self.most_coverage)

    @classmethod
    def suited(cls, options: Mapping[str, Any], painted: PaintedParts, start: Task | None) -> Self:
        """Make the task of a training from what was painted.

        A training that starts from a model of cells keeps its task: the maps of the network mean
        what they meant (`reach`), and what decodes them is better than nothing where the new
        labels are too few to fit it again. Only a `min_size` that would leave out painted cells
        is lowered.
        """
        sizes = np.concatenate([np.zeros(0, int), *map(whole_sizes, painted.training)])
        settings: dict[str, Any] = {}
        if isinstance(start, CellsTask):
            settings = start.to_dict()
            del settings["name"]
            if sizes.size and sizes.min() < start.min_size:
                settings["min_size"] = int(sizes.min()) // 2
        elif sizes.size:
            settings["min_size"] = max(cls.min_size, speck_size(sizes))
        return cls.from_dict({**settings, "anisotropy": list(painted.spacing), **options})

    def rescaled(self, factor: Fraction | int) -> Self:
        """Multiply `min_size`, rounded down; all else is in pixels of the network."""
        return dataclasses.replace(self, min_size=int(self.min_size * factor))

    def compare(self, true: NDArray[np.integer], predicted: NDArray[np.integer]) -> Match:
        """Match the cells of one image."""
        return match(true, predicted)

    def evaluation(self, compared: Sequence[Match]) -> Evaluation:
        """Return average precision and the like of some images."""
        return Evaluation(tuple(compared))

    def score(
        self,
        predicted: Labels,
        true: Labels,
        annotated: NDArray[np.bool_] | Sequence[NDArray[Any]],
    ) -> float | None:
        """AP at IoU 0.5 of the annotated cells; None with fewer than five."""
        return self._average_precision(predicted, true, annotated, (0.5,))

    def uncertainty(
        self,
        score: float,
        true: Labels,
        annotated: NDArray[np.bool_] | Sequence[NDArray[Any]],
    ) -> float:
        """Return the standard error of a share p of n cells: sqrt(p (1 - p) / n)."""
        cells = sum(
            annotated_sizes(t, a).size
            for t, a in zip(as_list(true), as_list(annotated), strict=True)
        )
        return math.sqrt(score * (1 - score) / max(cells, 1))

    def tuned(
        self,
        maps: NDArray[np.floating] | Sequence[NDArray[np.floating]],
        labels: Labels,
        annotated: NDArray[np.bool_] | Sequence[NDArray[Any]],
    ) -> Self:
        """Fit thresholds and `min_size` to validation maps.

        Foreground and seed threshold over a small grid, then the boundary threshold, by AP at
        IoU 0.5 and 0.7, on the first two million pixels; they change only for a gain of more than
        a cell's worth. `min_size` is half the size of the smallest cells. With too few cells to
        judge, the task stays as it is. What is usual is measured with the thresholds found; with
        too few images to tell, it stays as it is, too.
        """
        images = as_list(maps)
        fitted = self._fitted(images, as_list(labels), as_list(annotated))
        least, most = usual(fitted._rule, [pack(image) for image in images])
        if (least, most) == (CellsTask.least_confidence, CellsTask.most_coverage):
            return fitted
        return dataclasses.replace(fitted, least_confidence=least, most_coverage=most)

    def _fitted(
        self, maps: Sequence[NDArray[Any]], true: Sequence[Any], annotated: Sequence[Any]
    ) -> Self:
        parts = affordable_parts([np.asarray(t).shape for t in true], _TUNING_PIXELS)
        images = [image[:, *part] for image, part in zip(maps, parts, strict=False)]
        truth = [t[part] for t, part in zip(true, parts, strict=False)]
        where = [a[part] for a, part in zip(annotated, parts, strict=False)]
        cells = sum(annotated_sizes(t, a).size for t, a in zip(truth, where, strict=True))
        if cells < _JUDGED_CELLS:
            return self
        # The sizes are those of whole images, as the edge of a part cuts cells into smaller ones.
        sizes = np.concatenate(
            [annotated_sizes(t, a) for t, a in zip(true, annotated, strict=True)]
        )
        best = dataclasses.replace(self, min_size=int(np.quantile(sizes, 0.05) / 2))
        highest = best._quality(images, truth, where)
        for others in (CellsTask._seed_trials, CellsTask._boundary_trials):
            trials = [(t._quality(images, truth, where), t) for t in others(best)]
            quality, trial = max(trials, key=lambda pair: pair[0])  # the first, where equal
            # A gain that a single cell decides may be chance, and other cells would pay for it.
            if quality - highest > 1 / cells:
                best, highest = trial, quality
        return best

    def _seed_trials(self) -> list[Self]:
        """Other thresholds, those nearest to the present ones first: they win a tie."""
        grid = itertools.product(_SEED_THRESHOLDS, _FOREGROUND_THRESHOLDS)
        s, f = self.seed_threshold, self.foreground_threshold
        return [
            dataclasses.replace(self, seed_threshold=seed, foreground_threshold=foreground)
            for seed, foreground in sorted(grid, key=lambda t: abs(t[0] - s) + abs(t[1] - f))
        ]

    def _boundary_trials(self) -> list[Self]:
        return [dataclasses.replace(self, boundary_threshold=t) for t in _BOUNDARY_THRESHOLDS]

    def _quality(
        self, maps: Sequence[NDArray[Any]], true: Labels, annotated: Sequence[NDArray[Any]]
    ) -> float:
        predicted = [self.decode(m) for m in maps]
        return self._average_precision(predicted, true, annotated, _TUNING_IOUS) or 0.0

    def _average_precision(
        self,
        predicted: Labels,
        true: Labels,
        annotated: NDArray[np.bool_] | Sequence[NDArray[Any]],
        thresholds: Sequence[float],
    ) -> float | None:
        result = evaluate(true, predicted, annotated)
        if result.true_count < _JUDGED_CELLS:
            return None
        return float(np.mean([result.average_precision(t) for t in thresholds]))

    def _spacing(self, ndim: int) -> tuple[float, ...]:
        sizes = self.anisotropy or (1.0,) * ndim
        if len(sizes) != ndim:
            raise SettingsError(f"anisotropy has {len(sizes)} values for {ndim} axes.")
        return tuple(size / min(sizes) for size in sizes)
