"""Buttons that copy what a dock has done, as Python or as a command."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QApplication

from napari.layers import Image, Labels, Layer
from unet_napari import images
from unet_napari._napari.layers.layer_axes import array_of
from unet_napari._napari.outcomes.recipe import ImageFile, Measuring, Segmenting, with_notes
from unet_napari._napari.runs.segment_order import Order
from unet_napari._napari.sections.measuring import labels_image
from unet_napari._napari.widgets.fields import Message, button
from unet_napari._napari.widgets.form import FormRows
from unet_napari.errors import UnetNapariError, without_warnings
from unet_napari.images import Image as ImageData

__all__ = ["CopyButtons", "file_of", "measuring_of", "saved_name", "segmenting_of"]

Make = Callable[[], Any]
"""Makes a recipe, as `unet_napari._napari.outcomes.recipe` has them."""


class CopyButtons:
    """The two buttons, and what they copy: what was done last, else what is chosen.

    Parameters
    ----------
    rows : FormRows
        The folded group that the buttons are added to.
    status : Message
        Line that says what was copied.
    missing : callable
        Returns what has to be chosen before there is anything to copy; "" if nothing.
    chosen : callable
        Makes a recipe of what is chosen.
    """

    def __init__(
        self, rows: FormRows, status: Message, missing: Callable[[], str], chosen: Make
    ) -> None:
        self._status, self._missing, self._chosen = status, missing, chosen
        self._done: Make | None = None
        self.python = button(
            "copy_python",
            "Copy as Python",
            "Copy a program that does what this dock did last, to paste into a script or a\n"
            "notebook. It gives the same result.",
        )
        self.command = button(
            "copy_command",
            "Copy as command",
            "Copy a command that does what this dock did last, to paste into a terminal.",
        )
        rows.add_beside(self.python, self.command)

    def connect(self) -> None:
        """Follow the buttons; after `Form.finish`, whose own followers take errors away."""
        self.python.changed.connect(lambda: self._copy(command=False))
        self.command.changed.connect(lambda: self._copy(command=True))

    def note(self, make: Make) -> None:
        """Take note of what is being done; the recipe is made when it is copied."""
        self._done = make

    def _copy(self, *, command: bool) -> None:
        if self._done is None and (missing := self._missing()):
            self._status.say(missing)
            return
        try:
            recipe = (self._done or self._chosen)()
        except UnetNapariError as error:
            self._status.say(str(error))
            return
        text = with_notes(recipe, command=command)
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
        notes = " ".join(recipe.notes(command=command))
        self._status.say(f"Copied as {'a command' if command else 'Python'}. {notes}".strip())


def file_of(layer: Layer, image: ImageData, channel: int | None = None) -> ImageFile:
    """Return the file of a layer, and how it is to be read as this image.

    A layer that was read from no file, or has other pixels by now, has to be saved first.
    """
    path = layer.source.path
    found = None if path is None else _opened(str(path))
    shape = tuple(array_of(layer).shape)
    if found is None or _long(found.axes, found.data.shape) != _long(image.axes, shape):
        name = saved_name(layer)
        if found is None or math.prod(found.data.shape) != math.prod(shape):
            return ImageFile(name, layer.name, image.axes, channel, dict(image.pixel_size))
        return ImageFile(str(path), "", image.axes, channel, dict(image.pixel_size))
    known = {axis: found.pixel_size.get(axis, 0.0) for axis in image.pixel_size}
    same = all(math.isclose(known[a], n, rel_tol=1e-6) for a, n in image.pixel_size.items())
    return ImageFile(str(path), "", None, channel, {} if same else dict(image.pixel_size))


def measuring_of(
    labels: Labels, layer: Image | None, image: ImageData | None, *, slicewise: bool
) -> Measuring:
    """Return the recipe of a measurement."""
    return Measuring(
        file_of(labels, labels_image(labels, image)),
        None if layer is None or image is None else file_of(layer, image, image.fixed.get("C")),
        f"{saved_name(labels).removesuffix('.tif')}.csv",
        slicewise=slicewise,
    )


def segmenting_of(
    order: Order,
    model: str,
    settings: Mapping[str, Any],
    thresholds: Mapping[str, float],
    *,
    measured: bool,
) -> Callable[[], Segmenting]:
    """Return what makes the recipe of a segmentation, which looks at the file of the image."""
    layer, image = order.layer, order.image
    output = saved_name(layer).removesuffix(".tif") + "-labels.tif"
    if order.output is not None:
        output = str(order.output)

    def make() -> Segmenting:
        source = file_of(layer, image, image.fixed.get("C"))
        return Segmenting(
            source, model, settings, thresholds, output, measured, part=not order.whole
        )

    return make


def saved_name(layer: Layer) -> str:
    """Return what a layer could be saved as."""
    name = re.sub(r"[^\w\-+.,()]+", "-", layer.name).strip("-.")
    return f"{name or 'layer'}.tif"


def _opened(path: str) -> ImageData | None:
    if not Path(path).exists():
        return None
    try:
        with without_warnings():
            return images.read_image(path)
    except (UnetNapariError, OSError):
        return None


def _long(axes: str, shape: tuple[int, ...]) -> list[tuple[str, int]]:
    """Return the axes that are longer than 1, with their lengths."""
    return [(a, int(n)) for a, n in zip(axes, shape, strict=True) if n > 1]
