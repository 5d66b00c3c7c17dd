"""Which training of an image can be gone on with, and its paint where the layer of it is gone."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import ref

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray

from napari.layers import Image, Labels, Shapes
from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.layers.background_paint import reserve_background
from unet_napari._napari.layers.empty_array import empty_array
from unet_napari._napari.layers.layer_axes import axes_of, geometry, image_of
from unet_napari._napari.layers.regions import outlines
from unet_napari._napari.sections.one_channel import one_channel
from unet_napari.errors import ModelFileError, UnetNapariError
from unet_napari.labels.sparse import SparseArray
from unet_napari.model.file import SUFFIX
from unet_napari.model.info import files_beside_models
from unet_napari.model.names import STATE_SUFFIX
from unet_napari.training.data.identity import fingerprint
from unet_napari.training.state.state_file import (
    painted_in_state,
    read_state_head,
)
from unet_napari.training.state.state_head import StateHead

__all__ = ["Continuation", "Offer", "Paint", "bring_back_paint", "read_paint"]

_LOOKED_AT = 100  # states, the newest; more of them would take seconds
_BUDGET = ("seconds", "epochs", "steps", "live", "device", "memory")  # settings that may change


@dataclass(frozen=True)
class Offer:
    """A training that can be gone on with.

    Attributes
    ----------
    state : Path
        File of the state.
    head : StateHead
    number : int or None
        Number of the image among those that were trained on; None: it is a further one.
    """

    state: Path
    head: StateHead
    number: int | None = 0

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.state.stem

    @property
    def model(self) -> Path:
        """The model's file, which may be gone."""
        return self.state.with_suffix(SUFFIX)

    def describe(self) -> str:
        """Return such as "'nuclei cells' (AP50 0.71)"."""
        score = self.head.score
        judged = "" if score is None else f" ({self.head.score_name} {score:.2f})"
        return f"'{self.name}'{judged}"


class Continuation:
    """Knows the training of the chosen image that can be gone on with.

    Parameters
    ----------
    background : Background
        Reads the image's pixels and the states.
    found : callable
        Called in Qt's thread when `offer` is another one.

    Attributes
    ----------
    offer : Offer or None
    """

    def __init__(self, background: Background, found: Callable[[], None]) -> None:
        self._background, self._found = background, found
        self._image: Callable[[], Image | None] = lambda: None  # whom the offer is for
        self._begun: tuple[Path, str] | None = None  # state and settings of the latest training
        self._number = 0  # of the latest look
        self.offer: Offer | None = None

    def look(self, image: Image | None, axes: str, channel: str, model: str = "") -> None:
        """Look for the newest training of an image.

        Parameters
        ----------
        image : napari.layers.Image or None
        axes, channel : str
            What the user gives.
        model : str
            Name of a model that was trained on other images of its list; its training is gone on
            with where none was on this image.
        """
        self._number += 1
        number = self._number
        if image is None:
            self._take(number, None, None)
            return
        try:
            seen = one_channel(image_of(image, axes), channel)
        except UnetNapariError:  # the dock says what is wrong
            self._take(number, image, None)
            return
        self._background.run(
            lambda: _newest(fingerprint(seen), model),
            lambda offer: self._take(number, image, offer),
            lambda _: self._take(number, image, None),
        )

    def note(self, state: Path, settings: Mapping[str, Any]) -> None:
        """Remember the settings that a training begins with, and the file of its state."""
        self._begun = state, _compared(settings)

    def fits(self, image: Image | None, settings: Mapping[str, Any]) -> bool:
        """Tell whether what is chosen now goes on with the training that is offered.

        Parameters
        ----------
        image : Image or None
        settings : mapping
            Fields of a `TrainConfig`, of which the budget may be another one, and ``start_from``.
        """
        if self.offer is None or image is not self._image():
            return False
        if settings["task"] != self.offer.head.task:
            return False
        if self._begun is None or self._begun[0] != self.offer.state:  # begun by another program
            return settings["start_from"] is None
        return self._begun[1] == _compared(settings)

    def _take(self, number: int, image: Image | None, offer: Offer | None) -> None:
        if number != self._number:
            return
        self._image = (lambda: None) if image is None else ref(image)
        self.offer = offer
        self._found()


def _compared(settings: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in settings.items() if name not in _BUDGET}
    return json.dumps(kept, sort_keys=True, default=repr)


def _newest(pixels: str, model: str) -> Offer | None:
    """Return the newest training of an image with this fingerprint, or else that of a model."""
    other: Offer | None = None
    for state in files_beside_models(STATE_SUFFIX)[:_LOOKED_AT]:
        try:
            head = read_state_head(state)
        except ModelFileError:  # damaged: there is nothing to go on with
            continue
        prints = [image.fingerprint for image in head.images]
        if pixels in prints:
            return Offer(state, head, prints.index(pixels))
        if prints and state.stem == model:
            other = Offer(state, head, None)
    return other


@dataclass(frozen=True)
class Paint:
    """What was painted on an image of a training.

    Attributes
    ----------
    labels : SparseArray
        With the ids of the layer.
    regions : list of ndarray of float
        Polygons around what was painted completely, as corners on the image.
    """

    labels: SparseArray
    regions: list[NDArray[np.floating]]


def read_paint(offer: Offer) -> Paint:
    """Return what was painted on the image of a training; runs beside the viewer.

    Raises
    ------
    ModelFileError
        If the state is gone or damaged, or the training was on other images.
    """
    if offer.number is None:
        raise ModelFileError(f"The training '{offer.name}' was on other images: there is no paint.")
    labels, annotated = painted_in_state(offer.state, offer.number)
    return Paint(labels, [] if annotated is None else outlines(annotated))


def bring_back_paint(
    viewer: ViewerModel, image: Image, axes: str, offer: Offer, paint: Paint
) -> tuple[Labels, Shapes | None]:
    """Add the paint of a training as layers on its image: the labels, and regions where it has any.

    Raises
    ------
    UnetNapariError
        If there is no room for it.
    """
    place = geometry(image, axes_of(image, axes))
    blocks = (paint.labels[box.to_slices()] for box in paint.labels.boxes())
    highest = max((int(block.max()) for block in blocks), default=0)
    # As wide as a layer of New where that is enough.
    dtype = np.dtype(np.uint16) if highest < 1 << 16 else paint.labels.dtype
    data = empty_array(paint.labels.shape, dtype)
    for box in paint.labels.boxes():
        data[box.to_slices()] = paint.labels[box.to_slices()]
    shapes = None
    if paint.regions:
        name = f"{image.name} complete"
        shapes = Shapes(paint.regions, shape_type="polygon", name=name, opacity=0.3, **place)
        viewer.add_layer(shapes)
    layer = Labels(data, name=f"{image.name} labels", **place)
    viewer.add_layer(layer)
    known, painted = offer.head.images[offer.number or 0].background, paint.labels
    if known and any((painted[box.to_slices()] == known[0]).any() for box in painted.boxes()):
        reserve_background(layer)
    return layer, shapes
