"""The distance that a trained network really looks, mostly less than its layers would let it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from unet_napari.networks.base import Network

__all__ = ["TOLERANCE", "reach", "rounded_halo"]

TOLERANCE = 1e-3
"""The largest change of a probability that does not count."""


@torch.inference_mode()
def reach(
    network: Network, activate: Callable[[Tensor], Tensor], patch: Tensor, other: Tensor, axis: int
) -> int | None:
    """Return how far a change of the image is felt along an axis.

    The patch is cut in two in the middle. The network predicts the first part three times: with the
    rest of the patch behind it, with nothing behind it, as at the border of a tile, and with the
    rest of another patch behind it. The first of these is compared with the two others. Then the
    same is done for the second part.

    Parameters
    ----------
    network : Network
        A network in eval mode, without margin (``padding="same"``).
    activate : callable
        Function from logits to probabilities.
    patch, other : Tensor
        Two parts of normalised images, (1, C, *S), at least two strides long along the axis.
    axis : int
        Spatial axis, counted from 0.

    Returns
    -------
    int or None
        The largest distance, in pixels, at which a probability moves by more than `TOLERANCE`.
        None if it moves in all of a part, so that the distance may be larger still.
    """
    dim, size, stride = axis + 2, patch.shape[axis + 2], network.stride[axis]
    cut = size // 2 // stride * stride

    def predict(image: Tensor) -> Tensor:
        logits = network(image)
        assert isinstance(logits, Tensor)  # noqa: S101  in evaluation mode there is one output
        return activate(logits)

    whole = predict(patch)
    farthest = 0
    for start, stop in ((0, cut), (cut, size)):
        changed = other.clone()
        part = patch.narrow(dim, start, stop - start)
        changed.narrow(dim, start, stop - start).copy_(part)
        expected = whole.narrow(dim, start, stop - start)
        for said in (predict(part), predict(changed).narrow(dim, start, stop - start)):
            axes = [each for each in range(said.ndim) if each != dim]
            moved = torch.nonzero((said - expected).abs().amax(axes) > TOLERANCE).flatten()
            if len(moved):
                first, last = int(moved[0]), int(moved[-1])
                distance = stop - start - first if start == 0 else last + 1
                if distance == stop - start:
                    return None
                farthest = max(farthest, distance)
    return farthest


def rounded_halo(
    distances: tuple[int, ...], stride: tuple[int, ...], exact: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the halo for measured distances: on the stride grid, one stride more for safety.

    It is never more than the exact one.
    """
    return tuple(
        min((math.ceil(d / s) + 1) * s, e) for d, s, e in zip(distances, stride, exact, strict=True)
    )
