"""An image of a list with its labels: read beside the viewer, and shown as two layers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from napari.components import ViewerModel
from napari.layers._source import layer_source
from numpy.typing import NDArray

from napari.layers import Image as ImageLayer
from napari.layers import Labels
from unet_napari import images
from unet_napari._napari.layers.background_paint import restore_background
from unet_napari._napari.layers.empty_array import empty_array
from unet_napari._napari.layers.layer_axes import output_axes, output_shape
from unet_napari.collection.image_list import ImageEntry
from unet_napari.collection.kept_facts import ImageFacts
from unet_napari.collection.names import numbered
from unet_napari.collection.paint_file import PaintTarget, Stamp, load_paint, stamp
from unet_napari.errors import UnetNapariError, without_warnings
from unet_napari.folder_run.standing import labels_digest
from unet_napari.images import AXES, Image, LazyArray
from unet_napari.images.result_record import read_record

__all__ = ["HeldPaint", "LoadedImage", "LoadedResult", "load", "show"]

_IN_MEMORY = 1 << 29  # bytes; of a larger image only what is seen is read
_COLOURS = (3, 4)  # channels of a picture that napari shows in colours


@dataclass
class HeldPaint:
    """Labels of an image of the list that are in memory, and the file that they belong to.

    Attributes
    ----------
    labels : ndarray of int
    target : PaintTarget
    background : int or None
        The number that means background.
    """

    labels: NDArray[Any]
    target: PaintTarget
    background: int | None = None


class LoadedResult(NamedTuple):
    """What a model has found in an image, from its file.

    Attributes
    ----------
    labels : ndarray of int
    record : mapping or None
        ``ResultRecord.to_dict()`` of the file; None where it has none.
    digest : str
        Hash of the labels.
    """

    labels: NDArray[Any]
    record: Mapping[str, Any] | None
    digest: str


@dataclass(frozen=True)
class LoadedImage:
    """An image that is ready to be shown.

    Attributes
    ----------
    listed : ImageEntry
    image : Image
        Axes and pixel size; its array is that of the layer.
    paint : HeldPaint
    result : LoadedResult or None
        What a model has found in it.
    notes : list of str
        What is to be said of it.
    """

    listed: ImageEntry
    image: Image
    paint: HeldPaint
    result: LoadedResult | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def rgb(self) -> bool:
        """Whether the layer shows colours."""
        return self.image.axes.endswith("C")


def load(listed: ImageEntry, kept: HeldPaint | None) -> LoadedImage:
    """Read an image and its labels; takes as long as the disk.

    Parameters
    ----------
    listed : ImageEntry
        The image.
    kept : HeldPaint or None
        Its labels where they are in memory still.

    Raises
    ------
    ImageError
        If the image cannot be read.
    ResourceError
        If it is large, and there is no room for its labels.
    """
    with without_warnings():  # the layer says what is not known
        image = _as_shown(images.read_image(listed.image))
    notes: list[str] = []
    shape = output_shape(image.data.shape, image.axes)
    if kept is None or kept.labels.shape != shape:
        kept = _read_labels(listed, image, notes)
    return LoadedImage(listed, image, kept, _read_result(listed, image, notes), notes)


def _read_result(listed: ImageEntry, image: Image, notes: list[str]) -> LoadedResult | None:
    """Return what a model has found in an image, as far as it is still there."""
    path = listed.result
    if path is None or not path.exists():
        return None
    try:
        labels = load_paint(path, image).astype(np.uint32)
        record = read_record(path)
        digest = labels_digest(Image(labels, output_axes(image.axes)))
        return LoadedResult(labels, None if record is None else record.to_dict(), digest)
    except UnetNapariError as error:
        notes.append(str(error))
        return None


def _read_labels(listed: ImageEntry, image: Image, notes: list[str]) -> HeldPaint:
    """Return the labels as they are saved, or empty ones."""
    known: Stamp | None = stamp(listed.labels)
    stored = listed.stored
    if stored is not None:
        try:
            labels = load_paint(stored, image)
        except UnetNapariError as error:
            other = numbered(listed.labels)
            notes.append(f"{error} It stays as it is; what you paint is saved in '{other.name}'.")
            known, listed = None, replace(listed, labels=other, facts=ImageFacts())
        else:
            if stored != listed.labels:
                notes.append(
                    f"Its labels come from '{stored.name}', which stays as it is; what you "
                    f"paint is saved in '{listed.labels.name}'."
                )
            return HeldPaint(labels, PaintTarget(listed.labels, known), listed.facts.background)
    empty = empty_array(output_shape(image.data.shape, image.axes), np.uint16)
    return HeldPaint(empty, PaintTarget(listed.labels, known), listed.facts.background)


def _as_shown(image: Image) -> Image:
    """Return an image with the array of a layer: without axes of one index, colours last."""
    held = {axis: 0 for axis, n in zip(image.axes, image.data.shape, strict=True) if n == 1}
    held = {**{axis: i for axis, i in held.items() if axis in "TC"}, **image.fixed}
    data = _as_array(image.data)[tuple(held.get(axis, slice(None)) for axis in image.axes)]
    left = "".join(axis for axis in image.axes if axis not in held)
    axes = "".join(axis for axis in AXES if axis in left)
    if left.endswith("C") and data.shape[-1] in _COLOURS:
        axes = f"{axes.replace('C', '')}C"
    data = data.transpose([left.index(axis) for axis in axes])
    return replace(image, data=data, axes=axes, fixed={})


def _as_array(data: LazyArray) -> Any:  # noqa: ANN401  a NumPy or a dask array
    size = math.prod(data.shape) * np.dtype(data.dtype).itemsize
    if size <= _IN_MEMORY:  # a file that shrinks under a memory map would end the program
        return np.asarray(data[...])
    if isinstance(data, np.ndarray):
        return data
    import dask.array  # takes half a second

    chunks = getattr(data, "chunks", "auto")
    return dask.array.from_array(data, chunks)  # type: ignore[no-untyped-call]


def show(
    viewer: ViewerModel, loaded: LoadedImage, before: Labels | None = None
) -> tuple[ImageLayer, Labels]:
    """Add an image and its labels as layers, with the brush of the labels before in hand."""
    image, paint = loaded.image, loaded.paint
    letters = image.axes[:-1] if loaded.rgb else image.axes
    with layer_source(path=str(loaded.listed.image), reader_plugin="unet-napari"):
        layer = ImageLayer(image.data, name=image.name, rgb=loaded.rgb, **_place(image, letters))
    place = _place(image, output_axes(image.axes))
    labels = Labels(paint.labels, name=f"{image.name} labels", **place)
    if paint.background is not None:
        restore_background(labels, paint.background)
    for added in (layer, labels):
        viewer.add_layer(added)
    if before is not None:
        labels.brush_size, labels.mode = before.brush_size, before.mode
    return layer, labels


def _place(image: Image, letters: str) -> dict[str, Any]:
    return {
        "scale": [image.pixel_size.get(letter, 1.0) for letter in letters],
        "units": ["um" if letter in image.pixel_size else "pixel" for letter in letters],
        "axis_labels": [letter.lower() for letter in letters],
    }
