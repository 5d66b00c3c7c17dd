"""What an image's file knows and napari has dropped: said, used, and offered to the layers."""

from collections.abc import Callable

from magicgui.widgets import PushButton
from napari.viewer import ViewerModel

from napari.layers import Image
from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.layers.calibrate import apply_pixel_size
from unet_napari._napari.layers.file_facts import FileFacts, known_facts, read_facts
from unet_napari._napari.layers.layer_axes import has_pixel_size
from unet_napari._napari.sections.fit import pixel_size_text
from unet_napari._napari.widgets.fields import Message, button
from unet_napari._napari.widgets.form import FormRows

__all__ = ["PixelSizeOffer"]


class PixelSizeOffer:
    """A line that says what the file of the image knows, and a button to apply the pixel size.

    Both docks compute with what the file knows; the button gives it to the layers, so that
    rulers and measurements of napari know it as well.

    Parameters
    ----------
    rows : Rows
        The group that the fields are added to.
    viewer : napari.components.ViewerModel
    background : Background
        Reads the file.
    learnt : callable
        Called when something is known of a file, and when the pixel size was applied.
    """

    def __init__(
        self,
        rows: FormRows,
        viewer: ViewerModel,
        background: Background,
        learnt: Callable[[], None],
    ) -> None:
        self._viewer, self._background, self._learnt = viewer, background, learnt
        self._layer: Image | None = None
        self._message = Message("in_file", "What the file of the image says about its pixels.")
        self.button: PushButton = button(
            "apply_size",
            "Apply",
            "Give this pixel size to the image and to all layers that lie on it. The model is\n"
            "trained and used at this size anyway; this is for napari's scale bar and the like.",
        )
        rows.add_wide(self._message)
        rows.add_wide(self.button)
        self.button.visible = False
        self.button.changed.connect(self._apply)

    def follow(self, layer: Image | None) -> None:
        """Look into the file of this image layer."""
        self._layer = layer
        self._message.say("")
        self.button.visible = False
        if layer is not None:
            self._background.run(
                lambda: read_facts(layer), lambda facts: self._offer(layer, facts), lambda _: None
            )

    def _offer(self, layer: Image, facts: FileFacts) -> None:
        if layer is not self._layer or not facts.axes:
            return
        if facts.pixel_size and not has_pixel_size(layer):
            size = pixel_size_text(facts.pixel_size)
            self._message.say(f"Its file says: axes {facts.axes}, pixels of {size}.")
            self.button.text = f"Apply {size}"
            self.button.visible = True
        self._learnt()

    def _apply(self) -> None:
        if self._layer is not None:
            facts = known_facts(self._layer)
            apply_pixel_size(self._viewer, self._layer, facts.pixel_size)
        self._message.say("")
        self.button.visible = False
        self._learnt()
