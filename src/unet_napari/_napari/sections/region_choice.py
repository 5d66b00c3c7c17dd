"""The choice of the shapes that say which region of an image is segmented."""

from collections.abc import Callable

from magicgui.widgets import ComboBox
from napari.components import ViewerModel

from napari.layers import Image, Shapes
from unet_napari._napari.layers.grid import LayerGrid
from unet_napari._napari.layers.layer_axes import geometry
from unet_napari._napari.layers.regions import regions_of
from unet_napari._napari.sections.diameter_field import CIRCLE_NAME
from unet_napari._napari.widgets.fields import button
from unet_napari._napari.widgets.form import FormRows
from unet_napari._napari.widgets.layer_combo import layer_choice
from unet_napari.errors import LabelsError, UnetNapariError
from unet_napari.images import Image as ImageData
from unet_napari.inference.regions.placed import place_region
from unet_napari.inference.regions.region import ImageRegion

__all__ = ["RegionChoice"]


class RegionChoice:
    """A choice of a Shapes layer and a button to draw one, shown while a region is the scope.

    Parameters
    ----------
    rows : FormRows
        The group that the fields are added to.
    viewer : napari.components.ViewerModel
    scope : ComboBox
        The choice of how much is segmented.
    changed : callable
        Called when there is more, or less, to segment.
    """

    def __init__(
        self, rows: FormRows, viewer: ViewerModel, scope: ComboBox, changed: Callable[[], None]
    ) -> None:
        self._viewer, self._scope, self._changed = viewer, scope, changed
        self._followed: Shapes | None = None
        self.layer = layer_choice(
            "region",
            Shapes,
            "choose shapes",
            "The Shapes layer whose rectangles, ellipses and polygons are segmented. A shape "
            "counts where it is\nseen: in its slice, or in all of them if its layer has two axes.",
        )
        self.draw = button(
            "draw",
            "Draw",
            "Add a Shapes layer to draw polygons on. It is seen, and counts, in all slices.",
        )
        rows.add_beside(self.layer, self.draw)
        self._show()
        scope.changed.connect(self._rescope)
        self.layer.changed.connect(self._follow)

    @property
    def wanted(self) -> bool:
        """Whether a region is segmented, rather than a view, a slice or all."""
        return bool(self._scope.value == "region")

    def suggest(self) -> None:
        """Choose the shapes that the user most likely means, where nothing was chosen yet."""
        active = self._viewer.layers.selection.active
        shapes = [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Shapes) and layer.name != CIRCLE_NAME
        ]
        if shapes:
            self.layer.suggest(active if active in shapes else shapes[-1])

    def missing(self) -> str:
        """Return what is missing for a region; "" if nothing is, or none is wanted."""
        if not self.wanted:
            return ""
        shapes = self.layer.value
        if shapes is None:
            return "To segment a region, choose a Shapes layer, or draw one (Draw)."
        if any(kind not in ("line", "path") for kind in shapes.shape_type):
            return ""
        why = "; lines and paths enclose nothing" if shapes.shape_type else ""
        return (
            f"To segment a region, draw rectangles, ellipses or polygons in '{shapes.name}'{why}."
        )

    def chosen(self, layer: Image, image: ImageData) -> ImageRegion | None:
        """Return the region of an image that is chosen; None if another scope is.

        Raises
        ------
        LabelsError, SettingsError
            If no shape lies on the image, or one in no plane of it.
        """
        if not self.wanted:
            return None
        if missing := self.missing():
            raise LabelsError(missing)
        grid = LayerGrid(layer, image.axes)
        drawn = regions_of(self.layer.value, grid, "Scope")
        region = ImageRegion.from_outlines(drawn, grid.axes)
        try:
            place_region(region, image)
        except UnetNapariError as error:
            raise LabelsError(
                f"The shapes of '{self.layer.value.name}' hold no pixel of '{layer.name}': draw "
                "them on the image."
            ) from error
        return region

    def add_shapes(self, layer: Image, axes: str) -> None:
        """Add a layer to draw on, which is seen in all slices of an image."""
        place = geometry(layer, axes, without="CTZ")
        shapes = Shapes(ndim=2, name=f"{layer.name} · region", opacity=0.3, **place)
        self._viewer.add_layer(shapes)
        shapes.mode = "add_polygon"
        self.layer.value = shapes

    def _show(self) -> None:
        """Show the fields while a region is wanted."""
        for field in (self.layer, self.draw):
            field.visible = self.wanted

    def _rescope(self) -> None:
        self._show()
        if self.wanted:
            self.suggest()
        self._changed()

    def _follow(self, shapes: Shapes | None) -> None:
        """Follow what is drawn in the chosen layer."""
        if self._followed is not None:
            self._followed.events.data.disconnect(self._drawn)
        self._followed = shapes
        if shapes is not None:
            shapes.events.data.connect(self._drawn)
        self._changed()

    def _drawn(self, _: object = None) -> None:
        self._changed()
