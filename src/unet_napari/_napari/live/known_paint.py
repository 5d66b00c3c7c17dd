"""What the engine knows of the labels, compared with what is painted by now. Runs in any thread."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from unet_napari.geometry import Box, bounding_box
from unet_napari.images import LazyArray
from unet_napari.labels.sparse import SparseArray

__all__ = ["KnownPaint"]

_READ_PIXELS = 1 << 22  # pixels that are compared at a time


class KnownPaint:
    """Labels as the engine has them; only the painted blocks take memory.

    Parameters
    ----------
    labels : LazyArray
        The labels that the training began with.
    """

    def __init__(self, labels: LazyArray) -> None:
        known = labels if isinstance(labels, SparseArray) else SparseArray.of(labels)
        self._known = known

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the labels."""
        return self._known.shape

    def painted_boxes(self) -> list[Box]:
        """Return boxes that hold all that the engine knows to be painted."""
        return list(self._known.boxes())

    def changes(
        self, labels: LazyArray, boxes: Iterable[Box]
    ) -> Iterator[tuple[Box, NDArray[np.generic]]]:
        """Yield what differs within some boxes, each as the smallest box with its new content.

        Parameters
        ----------
        labels : LazyArray
            The labels of now, of the same shape.
        boxes : iterable of Box
        """
        for box in boxes:
            for slab in box.slabs_of(_READ_PIXELS):
                index = slab.to_slices()
                content = np.asarray(labels[index])
                differing = bounding_box(content != self._known[index])
                if differing is not None:
                    yield differing.absolute_in(slab), np.array(content[differing.to_slices()])

    def learn(self, box: Box, content: NDArray[np.generic]) -> None:
        """Take note that the engine has got the new content of a box."""
        wider = np.promote_types(self._known.dtype, content.dtype)
        if wider != self._known.dtype:  # the layer's data were replaced by larger numbers
            self._known = _converted(self._known, wider)
        self._known.put(box, content)


def _converted(array: SparseArray, dtype: np.dtype[np.generic]) -> SparseArray:
    copy = SparseArray(array.shape, dtype)
    for box in array.boxes():
        copy.put(box, array[box.to_slices()])
    return copy
