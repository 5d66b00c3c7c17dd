"""A look at painted labels: which ids, how much, whether one can train on them. No torch.

Labels may be any array that can be sliced (NumPy, memory-mapped, zarr, dask); they are read
block by block and nothing is allocated by the size of an id.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unet_napari.errors import LabelsError
from unet_napari.labels.annotated import annotated_mask, unpainted_rule
from unet_napari.labels.label_blocks import painted_box, tally
from unet_napari.labels.label_problems import find_problem, split_components
from unet_napari.tasks.kinds.catalogue import task_kind

if TYPE_CHECKING:
    from unet_napari.images import LazyArray
    from unet_napari.labels.annotated import Rule, Unpainted
    from unet_napari.labels.label_blocks import Tally

__all__ = ["Painting", "annotated_mask", "check_labels", "split_components"]

_MOST_CLASSES = 1000
# Number of classes above which the ids are rather those of cells.
_MANY_CLASSES = 10
# All but a rim of the image counts as painted where the first share of a box is painted, and the
# box takes the second share of each axis.
_COMPLETE_SHARE = 0.9
_COMPLETE_AXIS = 2 / 3


@dataclass(frozen=True)
class Painting:
    """The content of a labels array, as far as training is concerned.

    Attributes
    ----------
    task
        Name of the task, "cells" or "semantic".
    ndim
        Number of spatial axes of the network that learns from the labels.
    ids
        Ids of the cells, or of the classes in ascending order. The latter hold 0 only where it
        counts as background.
    counts
        Number of pixels of each id.
    painted_fraction
        Share of the pixels that are not 0, from 0 to 1.
    sparse
        Whether some pixels may say nothing, so that training leaves them out.
    unpainted
        Meaning of 0: "ignore", "background" or, for cells, "nearby", which is background near
        painted cells.
    nearly_complete
        Whether all but a rim of the image is painted, and only the rim may say nothing. Then
        ``unpainted="background"`` is likely meant.
    problem
        One sentence on something that is allowed but likely not meant; None without any problem.
    splittable
        Whether `split_components` would put the problem right.
    """

    task: str
    ndim: int
    ids: tuple[int, ...]
    counts: tuple[int, ...]
    painted_fraction: float
    sparse: bool
    unpainted: Rule
    nearly_complete: bool = False
    problem: str | None = None
    splittable: bool = False

    def describe(self) -> str:
        """Say in one line what was found, such as "2D, 3 classes, sparse, 4.1 % painted"."""
        parts = [f"{self.ndim}D", task_kind(self.task).nouns(len(self.ids))]
        if self.sparse:
            parts.append("all but a rim" if self.nearly_complete else "sparse")
        digits = 1 if self.painted_fraction >= 0.001 else 3
        parts.append(f"{100 * self.painted_fraction:.{digits}f} % painted")
        return ", ".join(parts)


def check_labels(
    labels: LazyArray,
    image_shape: Sequence[int],
    *,
    task: str,
    unpainted: Unpainted = "auto",
    annotated: LazyArray | None = None,
    ndim: int | None = None,
    spacing: Sequence[float] | None = None,
) -> Painting:
    """Look at painted labels and refuse those that nothing can be learned from.

    Parameters
    ----------
    labels
        Whole numbers (bool, any integer, or float without fractions).
    image_shape
        Shape of the image along its spatial axes (and time, where the labels have it).
    task
        "cells", where each id is one cell, or "semantic", where each id is a class.
    unpainted
        Meaning of 0.
    annotated
        Nonzero inside regions that are annotated completely, of the shape of the labels.
    ndim
        Number of spatial axes of the network. The axes in front are looped over, so that an id
        may stand for another cell in each slice or frame. By default it is the number of axes of
        the labels, but at most three.
    spacing
        Pixel size along each of these axes, in any unit; by default equal along all.

    Raises
    ------
    LabelsError
        With one sentence that names what is wrong and what to do.
    """
    _check_shape("labels have", labels, image_shape)
    if annotated is not None:
        _check_shape("annotated region has", annotated, image_shape)
    ndim = ndim or min(3, len(image_shape))
    rule = unpainted_rule(task, unpainted, has_region=annotated is not None)
    counts = tally(labels, annotated)
    if not counts.painted:
        raise LabelsError(task_kind(task).nothing_painted)
    return _painting(labels, counts, task, rule, ndim, spacing)


def _painting(
    labels: LazyArray,
    counts: Tally,
    task: str,
    rule: Rule,
    ndim: int,
    spacing: Sequence[float] | None,
) -> Painting:
    """Return what counted labels hold, and refuse classes that cannot be learned."""
    kind = task_kind(task)
    painted = dict(sorted(counts.painted.items()))
    pixels, size = sum(painted.values()), math.prod(labels.shape)
    background = size - pixels
    complete = rule == "background"
    sparse = not complete and background > counts.zeros_in_region
    if not kind.separates_objects:
        zeros = background if complete else counts.zeros_in_region
        painted = {0: zeros, **painted} if zeros else painted
        found = _check_classes(painted), False
    else:
        found = find_problem(labels, painted, ndim, complete=complete, spacing=spacing)
    return Painting(
        task=task,
        ndim=ndim,
        ids=tuple(painted),
        counts=tuple(painted.values()),
        painted_fraction=pixels / size,
        sparse=sparse,
        unpainted=rule,
        nearly_complete=sparse and _all_but_a_rim(labels, pixels, ndim),
        problem=found[0],
        splittable=found[1],
    )


def _check_shape(what: str, array: LazyArray, image_shape: Sequence[int]) -> None:
    """Refuse an array that has not the shape of the image."""
    shape, expected = tuple(array.shape), tuple(image_shape)
    if shape != expected:
        raise LabelsError(
            f"The {what} the shape {_x(shape)} but the image has {_x(expected)}: choose the "
            "labels that belong to this image."
        )


def _x(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape)


def _check_classes(painted: dict[int, int]) -> str | None:
    """Refuse classes that cannot be learned, and return a sentence on what is likely not meant."""
    if len(painted) == 1:
        raise LabelsError(
            f"Only class {next(iter(painted))} is painted: paint at least one other class, for "
            "example the background, or count unpainted pixels as background."
        )
    if len(painted) > _MOST_CLASSES:
        raise LabelsError(
            f"{len(painted):,} classes are painted, at most {_MOST_CLASSES:,} can be learned: "
            'if every number is one object, choose the task "cells".'
        )
    if len(painted) > _MANY_CLASSES:
        return (
            f"{len(painted)} classes are painted: if every number is one cell, learn separate "
            "cells instead."
        )
    return None


def _all_but_a_rim(labels: LazyArray, painted: int, ndim: int) -> bool:
    """Tell whether a box that leaves only a rim of each frame is painted nearly everywhere."""
    box = painted_box([labels])
    if box is None or painted / math.prod(labels.shape) < _COMPLETE_SHARE * _COMPLETE_AXIS**ndim:
        return False
    leading = box.ndim - ndim
    return painted >= _COMPLETE_SHARE * box.size and all(
        taken >= (1 if axis < leading else _COMPLETE_AXIS) * size
        for axis, (taken, size) in enumerate(zip(box.shape, labels.shape, strict=True))
    )
