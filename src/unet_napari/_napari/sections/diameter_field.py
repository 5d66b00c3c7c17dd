"""The diameter of the objects: a number, estimated on request, and drawn on the image."""

from collections.abc import Sequence

import numpy as np
from magicgui.widgets import LineEdit, PushButton
from napari.components import ViewerModel

from napari.layers import Image, Shapes
from unet_napari._napari.layers.layer_axes import array_of, current_view
from unet_napari._napari.widgets.fields import button, value_of
from unet_napari.errors import SettingsError
from unet_napari.model.info import ModelInfo

__all__ = ["CIRCLE_NAME", "DiameterField"]

CIRCLE_NAME = "diameter"
_COLOUR = "#ffd33d"
_EMPTY_TEXT = "automatic"
_AS_IT_IS = "model"  # the word for the model's own scale


class DiameterField:
    """A field for the diameter, a button that estimates it, and a circle that shows it.

    Parameters
    ----------
    field : magicgui.widgets.LineEdit
        The field; while it is empty, the segmentation finds out whether scaling helps.
    viewer : napari.components.ViewerModel
    """

    def __init__(self, field: LineEdit, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._image: Image | None = None
        self._axes = ""
        self._circle: Shapes | None = None
        self._found = ""  # what the field shows since a segmentation has found it
        self.field = field
        self.field.native.setPlaceholderText(_EMPTY_TEXT)
        self.estimate: PushButton = button(
            "estimate",
            "Estimate",
            "Find the diameter by trying the model at several sizes of the image.",
        )
        self.field.changed.connect(self._draw)

    @property
    def value(self) -> float | str | None:
        """The diameter in the image's smallest pixels, or a word; None if it is to be found out.

        Raises
        ------
        SettingsError
            If there is something else than a number in the field.
        """
        if self.field.enabled and str(self.field.value).strip() == _AS_IT_IS:
            return _AS_IT_IS
        return self.number

    @value.setter
    def value(self, diameter: float | None) -> None:
        self.field.value = "" if diameter is None else f"{diameter:.3g}"

    def show(self, diameter: float | None) -> str:
        """Take over an estimate, None where there is none; return what is to be said of it."""
        self.value = diameter
        if diameter is None:
            return "The diameter cannot be estimated: the model finds too few cells."
        return f"The cells are about {diameter:.3g} pixels across."

    @property
    def number(self) -> float | None:
        """The diameter; None if the field is empty, or says something without a number.

        Raises
        ------
        SettingsError
            If there is something else in the field.
        """
        if not self.field.enabled or str(self.field.value).strip() == _AS_IT_IS:
            return None
        return value_of(self.field, float, positive=True)

    def show_found(self, diameter: float | None) -> None:
        """Show the diameter that a segmentation has found, unless there is one in the field."""
        if diameter is not None and not str(self.field.value).strip():
            self._found = f"{diameter:.3g}"  # first: nobody asked for a circle
            self.value = diameter

    def follow(self, image: Image | None, axes: str) -> None:
        """Belong to this image from now on; `axes` are those of its array."""
        if image is not self._image:
            self.value = None  # that of another image says nothing about this one
        self._image, self._axes = image, axes

    def follow_model(self, info: ModelInfo | None) -> None:
        """Be of use if the model knows how large its objects are."""
        if self._found and self.field.value == self._found:
            self.value = None  # another model may know this size
        known = None if info is None else info.diameter
        self.field.enabled = self.estimate.enabled = known is not None
        text = _EMPTY_TEXT if known is None else f"{_EMPTY_TEXT} ({known:.3g} is usual)"
        self.field.native.setPlaceholderText(text)
        self._draw()

    def hide(self) -> None:
        """Take the circle off the image."""
        circle, self._circle = self._circle, None
        if circle is not None and circle in self._viewer.layers:
            self._viewer.layers.remove(circle)

    def _draw(self) -> None:
        try:
            diameter = self.number
        except SettingsError:  # half typed; Run complains about what stays wrong
            return
        self.hide()
        if self.field.value == self._found:
            return
        self._found = ""
        if diameter is None or diameter <= 0 or self._image not in self._viewer.layers:
            return
        active = self._viewer.layers.selection.active
        self._circle = self._make_circle(self._image, diameter)
        self._viewer.add_layer(self._circle)
        self._viewer.layers.selection.active = active

    def _make_circle(self, image: Image, diameter: float) -> Shapes:
        """Return a layer with a circle in the middle of what the canvas shows."""
        letters = self._axes[: image.ndim]
        plane = [letters.index(letter) for letter in "YX"]
        scale = np.asarray(image.scale)[plane]
        smallest = min(image.scale[letters.index(letter)] for letter in letters if letter in "ZYX")
        translate = np.asarray(image.translate)[plane]
        view = current_view(self._viewer, image, self._axes)
        sizes = dict(zip(self._axes, array_of(image).shape, strict=True))
        ends = [view.region.get(letter, slice(None)).indices(sizes[letter]) for letter in "YX"]
        centre = [(start + stop) / 2 for start, stop, _ in ends]
        return Shapes(
            [np.array([centre, diameter * smallest / scale / 2])],
            shape_type="ellipse",
            name=CIRCLE_NAME,
            edge_color=_COLOUR,
            edge_width=max(1.0, diameter / 20),
            face_color="transparent",
            scale=scale,
            translate=translate,
            units=_of(image.units, plane),
            axis_labels=_of(image.axis_labels, plane),
        )


def _of(values: Sequence[object], indices: Sequence[int]) -> list[object]:
    return [values[i] for i in indices]
