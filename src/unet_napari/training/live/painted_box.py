"""A box of new paint on its way into a training."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unet_napari.errors import LabelsError
from unet_napari.geometry import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.training.data.pairs import Pair

__all__ = ["PaintedBox", "check_pair_number", "check_update"]


class PaintedBox(NamedTuple):
    """What the labels of a pair hold in a box from now on.

    Attributes
    ----------
    number
        Number of the pair.
    box
        A part of its labels.
    labels, annotated
        Arrays of the shape of the box; see `OwnedPaint.put`.
    background
        Label number that means background from now on; None: as before.
    """

    number: int
    box: Box
    labels: NDArray[Any]
    annotated: NDArray[Any] | None
    background: int | None = None

    def places(self, ndim: int) -> list[tuple[tuple[int, ...], Box]]:
        """Return each frame or slice that it touches: its key, the pair first, and the box there.

        Parameters
        ----------
        ndim
            Spatial axes of the network.
        """
        spans = self.box.spans
        positions = (range(a, b) for a, b in spans[: len(spans) - ndim])
        inner = Box.from_spans(spans[len(spans) - ndim :])
        return [((self.number, *at), inner) for at in itertools.product(*positions)]


def check_update(
    pairs: Sequence[Pair],
    number: int,
    start: Sequence[int],
    labels: NDArray[Any],
    annotated: NDArray[Any] | None,
    background: int | None = None,
) -> PaintedBox:
    """Return new paint, its arrays copied.

    Parameters
    ----------
    pairs
        The pairs of the training.
    number
        Number of the pair that it is on.
    start
        First pixel of the box, along each axis of the labels.
    labels, annotated
        What it holds.
    background
        Label number that means background from now on.

    Raises
    ------
    LabelsError
        If there is no such pair, or the box does not lie within its labels.
    """
    pair, labels = pairs[check_pair_number(pairs, number)], np.array(labels)
    known = None if annotated is None else np.array(annotated)
    if known is not None and known.shape != labels.shape:
        raise LabelsError(
            f"The annotated region has the shape {known.shape}, but the labels {labels.shape}."
        )
    begin = tuple(map(int, start))
    shape = pair.shape
    if len(begin) == labels.ndim == len(shape):
        box = Box(begin, tuple(a + n for a, n in zip(begin, labels.shape, strict=True)))
        if Box.whole(shape).intersect(box) == box and not box.is_empty:
            return PaintedBox(number, box, labels, known, background)
    raise LabelsError(
        f"New paint of the shape {labels.shape} at {begin} does not lie within the labels of "
        f"{pair.image.name}, which have the shape {shape}."
    )


def check_pair_number(pairs: Sequence[Pair], number: int) -> int:
    """Return the number of a pair.

    Raises
    ------
    LabelsError
        If there is no such pair.
    """
    if not 0 <= number < len(pairs):
        raise LabelsError(f"There is no pair {number} in this training, which has {len(pairs)}.")
    return number
