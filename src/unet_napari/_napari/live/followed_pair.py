"""One pair of a running training: what the engine knows of it, and what it must still be told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from napari.components import Dims
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari.layers import Shapes
from unet_napari._napari.live.known_paint import KnownPaint
from unet_napari._napari.live.paint_watch import PaintWatch
from unet_napari._napari.sections.chosen import LayerPair
from unet_napari._napari.sections.paint import Snapshot
from unet_napari.geometry import Box
from unet_napari.images import LazyArray
from unet_napari.labels.sparse import SparseArray, boxes

__all__ = ["Change", "FollowedPair"]


@dataclass(frozen=True)
class Change:
    """New content of a box of a pair's labels.

    Attributes
    ----------
    box : Box
        Along the axes of the labels as the engine has them.
    labels : ndarray of int
    annotated : ndarray of bool or None
        Mask of the pixels of the box that are annotated as a whole; None where the pair has no such
        regions.
    """

    box: Box
    labels: NDArray[np.generic]
    annotated: NDArray[np.generic] | None


class FollowedPair:
    """Collects the boxes in which a pair has changed, and works out what the engine lacks.

    Parameters
    ----------
    pair : LayerPair
    number : int
        The pair's number in the training; -1 until the engine is told of it.
    parent : QObject
        Nothing is followed any more when it is gone.
    dims : napari.components.Dims
    changed : callable
        Called with this object when there is something to be sent.
    """

    def __init__(
        self,
        pair: LayerPair,
        number: int,
        parent: QObject,
        dims: Dims,
        changed: Callable[["FollowedPair"], None],
    ) -> None:
        self.pair, self.number, self._changed = pair, number, changed
        self.boxes: list[Box] = []  # in which the labels may have changed
        self.busy = False  # something of it is on its way
        self._regions_changed = False
        self._known: KnownPaint | None = None
        self._known_mask: KnownPaint | None = None
        self._mask: LazyArray | None = None  # as the regions are now
        self._watch = PaintWatch(parent, pair.labels, dims, self._note)
        self._shapes: Shapes | None = None
        self.follow_regions(pair.annotated)
        self._regions_changed = False

    @property
    def waits(self) -> bool:
        """Whether there is something to be sent, and nothing on its way."""
        ready = self._known is not None and self.number >= 0 and not self.busy
        return ready and (bool(self.boxes) or self._regions_changed)

    def begin(self, settled: Snapshot) -> None:
        """Take a snapshot for what the engine knows; may be called from any thread.

        Parameters
        ----------
        settled : Snapshot
            The pair as the engine gets it.
        """
        self._mask = settled.complete()
        self._known_mask = None if self._mask is None else KnownPaint(self._mask)
        self._known = KnownPaint(settled.labels)

    def follow_regions(self, shapes: Shapes | None) -> None:
        """Let another layer of shapes say where all is painted, or none."""
        self._leave_regions()
        self.pair = self.pair._replace(annotated=shapes)
        self._shapes = shapes
        if shapes is not None:
            shapes.events.data.connect(self._note_regions)
        self._note_regions()

    def fits(self, snapshot: Snapshot) -> bool:
        """Tell whether the layers still have the shape that the engine knows."""
        return self._known is None or self._shape_of(snapshot) == self._known.shape

    def take(self) -> tuple[list[Box], bool]:
        """Return the boxes to be looked at and whether regions have changed, and forget both."""
        taken = self.boxes, self._regions_changed
        self.boxes, self._regions_changed, self.busy = [], False, True
        return taken

    def give_back(self, taken: tuple[list[Box], bool]) -> None:
        """Keep what could not be sent for the next time."""
        self.boxes = [*taken[0], *self.boxes]
        self._regions_changed |= taken[1]

    def changes(self, snapshot: Snapshot, taken: tuple[list[Box], bool]) -> list[Change]:
        """Return what the engine lacks; runs beside the viewer.

        Parameters
        ----------
        snapshot : Snapshot
            The layers as they are now.
        taken : tuple
            What `take` has returned.
        """
        known = self._need_known()
        touched, regions_changed = taken
        labels = snapshot.labels
        if snapshot.resampling is not None:  # a box of the layer is another one on the image
            labels = snapshot.settled().labels
            touched = [*known.painted_boxes(), *boxes(labels)]
        found = [box for box, _ in known.changes(labels, touched)]
        if regions_changed:
            found += self._changed_regions(snapshot)
        return [Change(box, np.array(labels[box.to_slices()]), self._mask_of(box)) for box in found]

    def learn(self, change: Change) -> None:
        """Take note that the engine has got a change."""
        self._need_known().learn(change.box, change.labels)
        if self._known_mask is not None and change.annotated is not None:
            self._known_mask.learn(change.box, change.annotated)

    def close(self) -> None:
        """Follow the layers no more."""
        self._watch.close()
        self._leave_regions()

    def _need_known(self) -> KnownPaint:
        if self._known is None:
            raise RuntimeError("The engine does not know these labels yet.")
        return self._known

    @staticmethod
    def _shape_of(snapshot: Snapshot) -> tuple[int, ...]:
        resampling = snapshot.resampling
        return tuple(snapshot.labels.shape if resampling is None else resampling.shape)

    def _changed_regions(self, snapshot: Snapshot) -> list[Box]:
        empty = SparseArray(self._shape_of(snapshot), bool)
        mask = snapshot.complete()
        if mask is None and self._known_mask is None:
            return []
        self._mask = empty if mask is None else mask
        if self._known_mask is None:
            self._known_mask = KnownPaint(empty)
        touched = [*self._known_mask.painted_boxes(), *boxes(self._mask)]
        return [box for box, _ in self._known_mask.changes(self._mask, touched)]

    def _mask_of(self, box: Box) -> NDArray[np.generic] | None:
        return None if self._mask is None else np.array(self._mask[box.to_slices()])

    def _note(self, found: Sequence[Box]) -> None:
        self.boxes.extend(found)
        self._changed(self)

    def _note_regions(self, *_: object) -> None:
        self._regions_changed = True
        self._changed(self)

    def _leave_regions(self) -> None:
        if self._shapes is not None:
            self._shapes.events.data.disconnect(self._note_regions)
        self._shapes = None
