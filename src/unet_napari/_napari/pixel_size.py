"""The offer to give an image the pixel size that its file knows and napari has dropped."""

from collections.abc import Callable

from magicgui.widgets import PushButton
from napari.components import ViewerModel
from napari.layers import Image

from unet_napari._napari.background import Background
from unet_napari._napari.fields import button
from unet_napari._napari.fit import micrometres
from unet_napari._napari.form import Rows
from unet_napari._napari.layers import apply_pixel_size, pixel_size_in_file

__all__ = ["PixelSizeOffer"]


class PixelSizeOffer:
    """A button that is shown while there is a pixel size to apply.

    Parameters
    ----------
    rows : Rows
        The group that the button is added to.
    viewer : napari.components.ViewerModel
    background : Background
        Reads the file.
    applied : callable
        Called when the image has got its pixel size.
    """

    def __init__(
        self,
        rows: Rows,
        viewer: ViewerModel,
        background: Background,
        applied: Callable[[], None],
    ) -> None:
        self._viewer, self._background, self._applied = viewer, background, applied
        self._layer: Image | None = None
        self._pixel_size: dict[str, float] = {}
        self.button: PushButton = button(
            "apply_size", "Apply", "Give the image the pixel size that its file knows."
        )
        rows.add_wide(self.button)
        self.button.visible = False
        self.button.changed.connect(self._apply)

    def follow(self, layer: Image | None) -> None:
        """Look into the file of this image layer."""
        self._layer, self._pixel_size = layer, {}
        self.button.visible = False
        if layer is not None:
            self._background.run(
                lambda: pixel_size_in_file(layer),
                lambda size: self._offer(layer, size),
                lambda _: None,
            )

    def _offer(self, layer: Image, size: dict[str, float]) -> None:
        if size and layer is self._layer:
            self._pixel_size = size
            self.button.text = f"Pixel size {micrometres(size)} found, apply"
            self.button.visible = True

    def _apply(self) -> None:
        if self._layer is not None:
            apply_pixel_size(self._viewer, self._layer, self._pixel_size)
        self.button.visible = False
        self._applied()
