"""Where images may be cut for a model: the stride grid and the halo of its network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unet_napari.errors import warn_user
from unet_napari.inference.planning.tiles import Grid
from unet_napari.networks.halo import exact_halo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unet_napari.model.model import Model
    from unet_napari.networks import Network
    from unet_napari.orientation import Orientation

__all__ = ["make_grid", "next_smaller", "uncut_grid"]


def make_grid(model: Model, halo: str | int, variants: Sequence[Orientation] = ()) -> Grid:
    """Return where images may be cut for a model.

    Parameters
    ----------
    model : Model
        The model.
    halo : {"exact", "measured"} or int
        See `InferenceConfig`. Where the model carries no measured halo, it is the exact one.
    variants : sequence of Orientation
        Where some of them are turned, Y and X get the same halo.

    Warns
    -----
    UnetNapariWarning
        If the network's norm looks at a whole tile, so that no halo is exact; it gets two
        strides then.
    """
    network = model.network
    exact = _exact_halo(network)
    if exact is None:
        warn_user(
            f"The norm of the model {model.name!r} looks at a whole tile, and the image does not "
            "fit in one, so there may be seams where tiles meet. Models with batch norm have none.",
            stacklevel=3,
        )
        exact = tuple(2 * s + m for s, m in zip(network.stride, network.margin, strict=True))
    if isinstance(halo, int):
        beyond = (halo,) * network.ndim
    else:
        wanted = exact if halo == "exact" or model.halo is None else model.halo
        beyond = tuple(max(0, w - m) for w, m in zip(wanted, network.margin, strict=True))
    if any(variant.turned for variant in variants):
        beyond = (*beyond[:-2], *2 * (max(beyond[-2:]),))
    return _grid(network, beyond)


def uncut_grid(network: Network) -> Grid:
    """Return the grid of images that are not cut; finding a halo takes a moment."""
    return _grid(network, (0,) * network.ndim)


def next_smaller(
    grid: Grid, shape: tuple[int, ...], tile: tuple[int, ...], *, first: int = 0
) -> tuple[int, ...] | None:
    """Return the next smaller tile, cut along its longest axis in units of the smallest tile.

    Axes that are short compared with the halo stay whole: cutting them saves little.

    Parameters
    ----------
    grid : Grid
        Where the image may be cut.
    shape : tuple of int
        Of the image.
    tile : tuple of int
        The present outer shape.
    first : int
        Axes before this one are not cut.

    Returns
    -------
    tuple of int or None
        None if the tile cannot get smaller.
    """
    least = grid.smallest_tile()
    order = sorted(range(first, len(tile)), key=lambda axis: tile[axis] / least[axis], reverse=True)
    for axis in order:
        if tile[axis] <= least[axis]:
            continue
        # Ask for less and less until the cut, which is rounded to the grid, gives in.
        largest = max(int(tile[axis] * 0.8), least[axis])
        for wanted in range(largest, least[axis] - 1, -grid.stride[axis]):
            asked = (*tile[:axis], wanted, *tile[axis + 1 :])
            smaller = grid.fit(shape, asked)[0]
            if smaller[axis] < tile[axis]:
                return smaller
    return None


def _grid(network: Network, halo: tuple[int, ...]) -> Grid:
    least = zip(network.smallest, network.margin, network.stride, strict=True)
    surplus = tuple((smallest - 2 * margin) % stride for smallest, margin, stride in least)
    return Grid(network.stride, halo, network.margin, surplus)


_halos: dict[str, tuple[int, ...] | None] = {}


def _exact_halo(network: Network) -> tuple[int, ...] | None:
    """Return the exact halo, found once per architecture: a live preview asks every second."""
    key = f"{network.name} {network.options}"
    if key not in _halos:
        _halos[key] = exact_halo(network)
    return _halos[key]
