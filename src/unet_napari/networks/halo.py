"""How much context a tile needs, measured on the network itself."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor

from unet_napari.networks.base import Network

__all__ = ["exact_halo"]

_CELLS = (8, 16, 32, 64, 128)


def exact_halo(network: Network) -> tuple[int, ...] | None:
    """Return the context beyond a tile that can change the prediction in it.

    One cell of the stride grid is filled with NaN, which no layer lets vanish, and the output is
    looked at: every position that the cell can influence is NaN. That holds for any architecture,
    and for any weights, as they do not matter.

    Parameters
    ----------
    network : Network
        Any network; it is left as it is.

    Returns
    -------
    tuple of int or None
        Pixels per axis, each a multiple of the stride. A tile whose core starts and ends on the
        stride grid, read with this much around it, predicts the core as the whole image does.
        None if there is no bound: instance and group norm look at the whole tile.
    """
    probe = copy.deepcopy(network).cpu().float().eval()
    if probe.normalises_by_tile():
        return None
    with torch.no_grad():
        for tensor in (*probe.parameters(), *probe.buffers()):
            tensor.fill_(1e-3)  # equal and positive, so that nothing cancels or overflows
    halo = [_halo_along(probe, axis) for axis in range(network.ndim)]
    return None if None in halo else tuple(pixels for pixels in halo if pixels is not None)


def _halo_along(probe: Network, axis: int) -> int | None:
    for cells in _CELLS:
        reach = _reach(probe, axis, cells)
        if reach is not None:
            stride = probe.stride[axis]
            return math.ceil(reach / stride) * stride
    return None


@torch.no_grad()
def _reach(probe: Network, axis: int, cells: int) -> int | None:
    """Return how far one cell's influence reaches along a line; None if to one of its ends."""
    stride, margin = probe.stride[axis], probe.margin[axis]
    shape = list(probe.smallest)
    shape[axis] += (cells - 1) * stride
    first = shape[axis] // 2 // stride * stride  # the start of the cell in the middle
    line = torch.zeros(1, probe.in_channels, *shape)
    line.narrow(axis + 2, first, stride).fill_(torch.nan)
    output = probe(line)
    assert isinstance(output, Tensor)  # noqa: S101  in evaluation mode there is one output
    others = [other for other in range(output.ndim) if other != axis + 2]
    touched = output.isnan().amax(dim=others)
    if touched[0] or touched[-1]:
        return None
    positions = torch.nonzero(touched).flatten() + margin
    return max(first - int(positions[0]), int(positions[-1]) + 1 - (first + stride))
