"""What is painted: snapshots of labels, what they amount to, and regions drawn as shapes."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Image as ImageLayer
from napari.layers import Labels, Shapes
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from unet_napari._napari.job import Job
from unet_napari._napari.layers import array_of, image_of, output_axes, output_shape
from unet_napari.engine import PairRef
from unet_napari.errors import LabelsError
from unet_napari.images import Image, LazyArray
from unet_napari.images.axes import describe_shape
from unet_napari.labels import Painting, check_labels

__all__ = ["Snapshot", "detect", "share_pair", "take_snapshot"]

# So many neighbouring slices with paint mean that somebody painted a volume.
_VOLUME_SLICES = 5
_ELLIPSE_POINTS = 64


@dataclass(frozen=True)
class Snapshot:
    """An image and its labels as they were at one moment.

    Attributes
    ----------
    image : Image
        By reference.
    labels : LazyArray
        A copy, of the image's axes without C.
    axes : str
        Axes of the labels.
    regions : sequence of ndarray
        Outlines of what is annotated completely, in the pixel coordinates of the labels: shape
        (points, axes), NaN along axes that the outline does not say anything about.
    """

    image: Image
    labels: LazyArray
    axes: str
    regions: tuple[NDArray[np.floating], ...]

    def complete(self) -> NDArray[np.bool_] | None:
        """Return where everything is painted; None if nobody said so."""
        if not self.regions:
            return None
        shape = tuple(self.labels.shape)
        mask = np.zeros(shape, bool)
        for outline in self.regions:
            inside = polygon2mask(shape[-2:], outline[:, -2:])  # type: ignore[no-untyped-call]
            # A shape that was drawn on one slice counts there, a flat one on every slice.
            at = tuple(
                slice(None) if np.isnan(v) else int(np.clip(round(v), 0, n - 1))
                for v, n in zip(outline[0], shape[:-2], strict=False)
            )
            mask[at] |= inside
        return mask


def take_snapshot(
    image: ImageLayer, labels: Labels, axes: str | None, annotated: Shapes | None, *, copy: bool
) -> Snapshot:
    """Take hold of an image and of labels as they are now.

    Parameters
    ----------
    image, labels, annotated
        Layers.
    axes : str or None
        Of the image, where the user says so.
    copy : bool
        Whether the labels must not change any more.

    Raises
    ------
    ImageError
        If the axes cannot be told.
    LabelsError
        If the labels have another shape than the image, naming both.
    """
    source = image_of(image, axes)
    data = array_of(labels)
    wanted = output_shape(source.data.shape, source.axes)
    if tuple(data.shape) != wanted:
        raise LabelsError(
            f"'{labels.name}' has the shape {describe_shape(data.shape)}, but '{image.name}' needs "
            f"labels of {describe_shape(wanted)}. New adds a layer that fits."
        )
    regions = () if annotated is None else _outlines(annotated, labels)
    if copy and isinstance(data, np.ndarray):
        data = np.array(data)
    return Snapshot(source, data, output_axes(source.axes), regions)


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
        With the number of axes of the network as its `ndim`.

    Raises
    ------
    LabelsError
        If nothing can be learned from it.
    """
    painting = check_labels(
        snapshot.labels,
        snapshot.labels.shape,
        task=task,
        unpainted=unpainted,
        annotated=snapshot.complete(),
    )
    if "Z" not in snapshot.axes:
        ndim = 2
    elif ndim is None:
        ndim = 3 if _longest_run(_painted_slices(snapshot)) >= _VOLUME_SLICES else 2
    return replace(painting, ndim=ndim)


def share_pair(job: Job, snapshot: Snapshot) -> PairRef:
    """Make an image and its labels readable by the engine; takes as long as copying them."""
    mask = snapshot.complete()
    return PairRef(
        job.share(snapshot.image),
        job.share_array(_time_first(snapshot.labels, snapshot.axes)),
        None if mask is None else job.share_array(_time_first(mask, snapshot.axes)),
    )


def _time_first(data: LazyArray, axes: str) -> LazyArray:
    return data if axes.find("T") < 1 else np.moveaxis(np.asarray(data), axes.index("T"), 0)


def _painted_slices(snapshot: Snapshot) -> NDArray[np.bool_]:
    """Tell for each Z whether there is paint, at any time."""
    z = snapshot.axes.index("Z")
    before = (slice(None),) * z
    count = snapshot.labels.shape[z]
    return np.array([np.any(np.asarray(snapshot.labels[(*before, i)])) for i in range(count)])


def _longest_run(values: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], values.astype(np.int8), [0]])))
    return int(np.max(edges[1::2] - edges[::2], initial=0))


def _outlines(shapes: Shapes, labels: Labels) -> tuple[NDArray[np.floating], ...]:
    """Return the vertices of shapes in the pixel coordinates of a labels layer."""
    outlines = []
    for vertices, kind in zip(shapes.data, shapes.shape_type, strict=True):
        corners = np.asarray(vertices, float)
        if kind == "ellipse":  # given by the corners of its box
            angles = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)[:, np.newaxis]
            centre = corners.mean(axis=0)
            across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
            corners = centre + np.cos(angles) * across + np.sin(angles) * down
        elif kind in ("line", "path"):
            continue
        missing = max(0, labels.ndim - shapes.ndim)
        world = [(*[0.0] * missing, *shapes.data_to_world(vertex)) for vertex in corners]
        outline = np.array([labels.world_to_data(point) for point in world])
        outline[:, :missing] = np.nan
        outlines.append(outline)
    return tuple(outlines)
