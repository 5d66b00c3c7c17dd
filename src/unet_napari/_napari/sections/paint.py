"""What is painted: labels as they are at one moment, and what they amount to."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari.layers import Image as ImageLayer
from napari.layers import Labels, Shapes
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.background_paint import background_number
from unet_napari._napari.layers.empty_array import painted_parts
from unet_napari._napari.layers.grid import LayerGrid, Resampling
from unet_napari._napari.layers.layer_axes import array_of, image_of
from unet_napari._napari.layers.regions import regions_of
from unet_napari.engine import PairRef
from unet_napari.images import Image, LazyArray
from unet_napari.labels.background import part_background
from unet_napari.labels.label_axes import fit_labels
from unet_napari.labels.outlines import Outline, fill
from unet_napari.labels.painting import Painting, check_labels
from unet_napari.labels.sparse import SparseArray, boxes
from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.training.data.pairs import spacing_of

__all__ = ["Snapshot", "detect", "share_pair", "take_snapshot"]

# So many neighbouring slices with paint mean that somebody painted a volume.
_VOLUME_SLICES = 5
_COPIED_AT_ONCE = 32 << 20  # bytes of all labels; more would hold up the viewer for too long
_TRIES = 3


@dataclass(frozen=True)
class Snapshot:
    """An image and its labels as they were at one moment.

    Attributes
    ----------
    image : Image
        By reference.
    labels : LazyArray
        The labels along the axes of the image without C; before `settled`, on their own grid where
        `resampling` says so.
    axes : str
        Axes of the labels.
    regions : tuple of Outline
        What is annotated completely.
    resampling : Resampling or None
        Way in which the labels come to lie on the image.
    copying : Copying or None
        Copies labels that are too large to be copied at once.
    background : int or None
        The number among the labels that means background; None for none.
    """

    image: Image
    labels: LazyArray
    axes: str
    regions: tuple[Outline, ...]
    resampling: Resampling | None = None
    copying: "Copying | None" = None
    background: int | None = None

    def settled(self) -> "Snapshot":
        """Return the snapshot with labels on the image's grid; may take long.

        Large labels, and those that lie elsewhere, are copied here, as far as they are painted.
        """
        labels: LazyArray
        if self.copying is not None:
            labels = self.copying.copy()
        else:
            labels = painted_parts(self.labels) or self.labels
        if self.resampling is not None:
            labels = _small_as_array(self.resampling.read(labels))
        return replace(self, labels=labels, resampling=None, copying=None)

    def parted(self, task: str) -> tuple[LazyArray, LazyArray | None]:
        """Return the labels without painted background, and where all is known; see `complete`.

        Of classes, the background is one like any other.
        """
        if self.background is None or not task_kind(task).separates_objects:
            return self.labels, self.complete()
        return part_background(self.labels, self.complete(), self.background)

    def complete(self) -> LazyArray | None:
        """Return where everything is painted; None if nobody said so."""
        if not self.regions:
            return None
        return _small_as_array(fill(self.regions, self.labels.shape))


class Copying:
    """Copies what is painted in a layer, beside the viewer in which the user may go on painting.

    A stroke that falls into the copying is noticed, and the copy is made again; somebody who
    does not stop painting gets, after the third time, a copy with a part of the last stroke.

    Parameters
    ----------
    layer : napari.layers.Labels
    """

    def __init__(self, layer: Labels) -> None:
        self._data = array_of(layer)
        self._strokes = 0
        for emitter in (layer.events.labels_update, layer.events.paint, layer.events.set_data):
            emitter.connect(self._note)  # which keeps no reference: it ends with this object

    def copy(self) -> SparseArray:
        """Return a copy of what is painted; may be called from any thread."""
        for _ in range(_TRIES):
            before = self._strokes
            copied = painted_parts(self._data) or SparseArray.of(self._data)
            if self._strokes == before:
                break
        return copied

    def _note(self, *_: object) -> None:
        self._strokes += 1


def take_snapshot(
    image: ImageLayer,
    labels: Labels,
    axes: str | None,
    annotated: Shapes | None,
    *,
    copy: bool,
    share: float = 1.0,
) -> Snapshot:
    """Take hold of an image and of labels as they are now, without holding up the viewer.

    Parameters
    ----------
    image, labels, annotated
        Layers.
    axes : str or None
        The axes of the image, where the user says so.
    copy : bool
        Whether the labels must not change any more; large ones are copied by `settled`.
    share : float
        The share of the bytes that may be copied at once, where several snapshots are taken.

    Raises
    ------
    ImageError
        If the axes cannot be told.
    LabelsError
        If the labels do not lie on the image, or have another shape, naming both.
    """
    source = image_of(image, axes)
    grid = LayerGrid(image, source.axes)
    resampling = grid.resampling(labels)
    regions = () if annotated is None else regions_of(annotated, grid)
    data, copying = array_of(labels), None
    if copy and isinstance(data, np.ndarray) and data.nbytes <= share * _COPIED_AT_ONCE:
        data = np.array(data)
    elif copy:
        copying = Copying(labels)
    background = background_number(labels)
    return Snapshot(source, data, grid.axes, regions, resampling, copying, background)


def detect(
    snapshot: Snapshot,
    *,
    task: Any,  # noqa: ANN401  a choice of the dock
    unpainted: Any,  # noqa: ANN401
    ndim: int | None = None,
) -> Painting:
    """Look at what is painted, and decide between 2D and 3D where `ndim` does not say so.

    Returns
    -------
    Painting
        The painting, whose `ndim` is the number of axes of the network.

    Raises
    ------
    LabelsError
        If nothing can be learned from it.
    """
    if "Z" not in snapshot.axes:
        ndim = 2
    elif ndim is None:
        ndim = 3 if _longest_run(_painted_slices(snapshot)) >= _VOLUME_SLICES else 2
    painted, complete = snapshot.parted(task)
    labels = fit_labels(painted, snapshot.image)
    return check_labels(
        labels,
        labels.shape,
        task=task,
        unpainted=unpainted,
        annotated=None if complete is None else fit_labels(complete, snapshot.image),
        ndim=ndim,
        spacing=spacing_of(snapshot.image, ndim),
    )


def share_pair(job: Job, snapshot: Snapshot, task: str) -> PairRef:
    """Make an image and its labels readable by the engine; takes as long as copying them."""
    mask = snapshot.complete()
    background = snapshot.background if task_kind(task).separates_objects else None
    return PairRef(
        job.share(snapshot.image),
        job.share_array(snapshot.labels),
        None if mask is None else job.share_array(mask),
        background,
        None if snapshot.image.source is None else str(snapshot.image.source.absolute()),
    )


def _small_as_array(data: SparseArray) -> LazyArray:
    return np.asarray(data) if math.prod(data.shape) <= _COPIED_AT_ONCE else data


def _painted_slices(snapshot: Snapshot) -> NDArray[np.bool_]:
    """Tell for each Z whether there is paint, at any time."""
    z = snapshot.axes.index("Z")
    others = tuple(axis for axis in range(len(snapshot.axes)) if axis != z)
    painted = np.zeros(snapshot.labels.shape[z], bool)
    for box in boxes(snapshot.labels):
        index = box.to_slices()
        painted[index[z]] |= np.any(np.asarray(snapshot.labels[index]), axis=others)
    return painted


def _longest_run(values: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], values.astype(np.int8), [0]])))
    return int(np.max(edges[1::2] - edges[::2], initial=0))
