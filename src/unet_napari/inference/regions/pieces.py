"""The pieces in which a region is segmented. No torch."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from unet_napari.geometry import Box
from unet_napari.inference.regions.placed import merged
from unet_napari.labels.label_axes import labels_axes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unet_napari.images import Image
    from unet_napari.inference.regions.placed import PlacedRegion
    from unet_napari.inference.regions.region_cuts import Margins

__all__ = ["RegionPiece", "pieces_of"]


@dataclass(frozen=True)
class RegionPiece:
    """A box of a region that is segmented in one go.

    Attributes
    ----------
    selection : mapping of str to int
        Its time point and slice, by axis letter, where it has one.
    box : Box
        Its place along the axes that are left.
    shape : tuple of int
        Size of the image along these axes.
    margins : Margins
        How much around it is computed.
    """

    selection: Mapping[str, int]
    box: Box
    shape: tuple[int, ...]
    margins: Margins

    @property
    def index(self) -> tuple[int, ...]:
        """Its position along the first axes of the result."""
        return tuple(self.selection.values())

    def with_margins(self, margins: Margins) -> RegionPiece:
        """Return it with others around it."""
        return replace(self, margins=margins)


def pieces_of(
    region: PlacedRegion, image: Image, ndim: int, margins: Mapping[bool, Margins]
) -> list[RegionPiece]:
    """Return the pieces of a region, in the order of their places.

    Each time point is a piece of its own. So is each slice for a 2D model, unless its slices are
    joined to 3D objects and the piece goes through several. Pieces so near to each other that they
    would be computed together are one, and all are where that is less to compute.

    Parameters
    ----------
    region : PlacedRegion
        The region on the image.
    image : Image
        The whole image.
    ndim : int
        Number of axes of the network.
    margins : mapping of bool to Margins
        How much is computed around a piece; True for a piece of a stack whose slices are joined,
        if they are.
    """
    axes = labels_axes(image)
    places: dict[tuple[bool, tuple[int, ...]], list[Box]] = defaultdict(list)
    for box in region.pieces:
        spatial = len(image.shape)
        stacked = (True in margins) and box.shape[-spatial] > 1
        kept = spatial if stacked else ndim
        leading = box.ndim - kept
        rest = Box(box.start[leading:], box.stop[leading:])
        for index in product(*(range(*span) for span in box.spans[:leading])):
            if region.read(rest.prepend(index)).any():
                places[stacked, index].append(rest)
    pieces = []
    for (stacked, index), boxes in sorted(places.items()):
        around = margins[stacked]
        shape = region.shape[len(index) :]
        selection = dict(zip(axes, index, strict=False))
        margin = tuple(a + b for a, b in zip(around.reach, around.halo, strict=True))
        apart, together = merged(boxes, margin), Box.around(boxes)
        computed = sum(around.cut(box, shape).outer.size for box in apart)
        if computed >= around.cut(together, shape).outer.size:  # many that lie scattered
            apart = [together]
        pieces += [RegionPiece(selection, box, shape, around) for box in apart]
    return pieces
