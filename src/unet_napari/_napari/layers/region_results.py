"""Results of a region as layers: what does not belong to the region stays as it is."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray

from napari.layers import Image as ImageLayer
from napari.layers import Labels, Layer
from unet_napari._napari.layers.empty_array import check_room, empty_array
from unet_napari._napari.layers.layer_axes import ViewPlace, array_of, output_axes, output_shape
from unet_napari._napari.layers.ownership import note_highest, writing
from unet_napari._napari.layers.results import (
    Purpose,
    add_result,
    find_result,
    highest_in,
    is_writable,
)
from unet_napari.geometry import Box
from unet_napari.images import Image, LazyArray
from unet_napari.inference.regions.placed import PlacedRegion
from unet_napari.inference.regions.renewal import Renewed, renew
from unet_napari.labels.label_axes import labels_axes

__all__ = ["FoundPieces", "write_region", "write_region_maps"]

Windows = Iterable[tuple[Sequence[int], Sequence[tuple[int, int]]]]


class FoundPieces:
    """What was found in a region, piece by piece.

    Parameters
    ----------
    image : Image
        The image.
    region : PlacedRegion
        The region on it.
    windows, maps_start : iterable, sequence of int
        As the result of a `SegmentRegionJob` has them.
    """

    class Piece(NamedTuple):
        """A piece: where it is in the labels, in the layer, and what of it counts."""

        first: tuple[int, ...]
        place: ViewPlace
        box: Box
        inside: NDArray[np.bool_]

    def __init__(
        self, image: Image, region: PlacedRegion, windows: Windows, maps_start: Sequence[int]
    ) -> None:
        self.image, self.maps_start = image, tuple(maps_start)
        letters, axes = labels_axes(image), output_axes(image.axes)
        self.pieces = []
        for index, spans in windows:
            box = Box.from_spans(spans)
            at = dict(zip(letters, index, strict=False))
            if "T" in axes and "T" not in letters:  # the engine leaves out a single frame
                at["T"] = 0
            inside = region.read(box.prepend(index)).reshape(box.shape)
            self.pieces.append(self.Piece(tuple(index), ViewPlace(at), box, inside))

    def planes(self, array: Any) -> list[Any]:  # noqa: ANN401  an array of a layer
        """Return the views of a layer's array that the pieces lie in."""
        axes = output_axes(self.image.axes)
        return [array[piece.place.indexer(axes)] for piece in self.pieces]


def write_region(
    viewer: ViewerModel,
    layer: ImageLayer,
    labels: LazyArray,
    found: FoundPieces,
    purpose: Purpose,
    *,
    cells: bool,
) -> tuple[Layer, list[tuple[ViewPlace, Renewed]]]:
    """Show the labels of a region, whole cells with numbers of their own or classes.

    Returns
    -------
    Layer
        The layer with the labels.
    list of (ViewPlace, Renewed)
        What has become of the cells of each piece.

    Raises
    ------
    ResourceError
        If the image is large and the disk of temporary files full; nothing is changed.
    """
    done: list[tuple[ViewPlace, Renewed]] = []

    def write(array: Any, earlier: Layer | None) -> None:  # noqa: ANN401
        planes = found.planes(array)
        base = max((highest_in(earlier, p) for p in planes), default=0) if earlier else 0
        for piece, plane in zip(found.pieces, planes, strict=True):
            window = piece.box.to_slices()
            values = labels[(*piece.first, *window)]
            if cells:
                renewed = renew(plane, window, piece.inside, values, base, base=base)
                done.append((piece.place, renewed))
            else:
                np.copyto(plane[window], values, where=piece.inside)

    result = _written(viewer, layer, found, labels.dtype, purpose, Labels, write)
    if cells:
        note_highest(result, max((renewed.highest for _, renewed in done), default=0))
    return result, done


def write_region_maps(
    viewer: ViewerModel,
    layer: ImageLayer,
    values: NDArray[Any],
    found: FoundPieces,
    purpose: Purpose,
    below: Layer | None,
) -> Layer:
    """Show a map of a region, float32 along the axes of the engine's labels."""
    there = Box.whole(values.shape).shift(found.maps_start)

    def write(array: Any, _: Layer | None) -> None:  # noqa: ANN401
        for piece, plane in zip(found.pieces, found.planes(array), strict=True):
            leading = len(piece.first)
            shared = piece.box.prepend(piece.first).intersect(there)
            if shared.is_empty:
                continue
            box = Box(shared.start[leading:], shared.stop[leading:])
            new = values[shared.to_slices(there)].reshape(box.shape)
            inside = piece.inside[box.to_slices(piece.box)]
            np.copyto(plane[box.to_slices()], new, where=inside)

    return _written(viewer, layer, found, values.dtype, purpose, ImageLayer, write, below)


def _written(
    viewer: ViewerModel,
    image: ImageLayer,
    found: FoundPieces,
    dtype: Any,  # noqa: ANN401
    purpose: Purpose,
    layer_type: type[Layer],
    write: Callable[[Any, Layer | None], None],
    below: Layer | None = None,
) -> Layer:
    """Let a function write to the layer of an earlier run, or to a new one."""
    axes = found.image.axes
    shape = output_shape(array_of(image).shape, axes)
    size = sum(piece.box.size for piece in found.pieces) * np.dtype(dtype).itemsize
    layer = find_result(viewer, image, purpose)
    if layer is None or not is_writable(layer, shape):
        data = empty_array(shape, dtype)
        check_room(data, size)
        write(data, None)
        return add_result(viewer, image, axes, data, purpose, layer_type, below)
    check_room(array_of(layer), size)
    with writing(layer):
        write(array_of(layer), layer)
        layer.refresh(extent=False)
    return layer
