"""The fields of the Segment dock: those that are always shown, and those that are folded."""

from collections.abc import Callable, Mapping
from typing import Any

from magicgui.widgets import ComboBox, PushButton
from napari.viewer import Viewer

from napari.layers import Image, Labels
from unet_napari._napari.collection.images_section import ImagesSection
from unet_napari._napari.docks.engine_dock import EngineDock
from unet_napari._napari.docks.segment_settings import SegmentSettings
from unet_napari._napari.docks.thresholds import Thresholds
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.layer_axes import axes_of
from unet_napari._napari.outcomes.copy_buttons import CopyButtons
from unet_napari._napari.outcomes.host import DockChoice
from unet_napari._napari.outcomes.numbers import Numbers
from unet_napari._napari.runs.segment_order import scope_choice
from unet_napari._napari.sections.pixel_size import PixelSizeOffer
from unet_napari._napari.sections.region_choice import RegionChoice
from unet_napari._napari.widgets.fields import Message, button
from unet_napari._napari.widgets.host_fields import HostFields
from unet_napari._napari.widgets.layer_combo import LayerCombo, layer_choice
from unet_napari._napari.widgets.model_combo import ModelCombo
from unet_napari.recipes.results import Segmenting

__all__ = ["SegmentFields"]


class SegmentFields(EngineDock):
    """The Segment dock without what its buttons do.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    job : Job
    """

    viewer: Viewer
    model: ModelCombo
    models: PushButton
    run_all: PushButton
    scope: ComboBox
    region: LayerCombo
    draw: PushButton
    found: Message
    numbers: Numbers
    copying: CopyButtons
    thresholds: Thresholds

    def __init__(self, viewer: Viewer, job: Job) -> None:
        super().__init__(viewer, job)
        self._add_shown_fields()
        self._add_folded_fields()
        self.finish()

    def _add_shown_fields(self) -> None:
        rows = self.add_rows()
        rows.add(layer_choice("image", Image, "choose an image", "The image to segment."))
        rows.add(
            ModelCombo(
                "choose one",
                name="model",
                tooltip="A model that you or a colleague have trained. The newest one comes first.",
            ),
            button("models", "All…", "All models, to choose from and to keep in order."),
        )
        rows.add(scope_choice())
        self.drawn = RegionChoice(rows, self.viewer, self.scope, self.refresh_run)
        rows.add_wide(Message("found", "How image and model go together."))
        self.pixel_size = PixelSizeOffer(rows, self.viewer, self.background, self.refresh_run)
        page = "docks.md#segmenting"
        self.add_run(rows, "Segment", "Segment the image with this model.", page)

    def _add_folded_fields(self) -> None:
        images = self.add_folded("Images", "Image after image of a folder.")
        data = self.add_folded("Data", "Axes, pixel size, diameter.")
        result = self.add_folded("Result", "Thresholds, probability maps, a file for the labels.")
        computing = self.add_folded("Computing", "Tiles, memory, device, another computer.")
        self.settings = SegmentSettings(self.viewer, data, result, computing)
        self.computing = HostFields(computing)
        self.images = ImagesSection(images, self.viewer, self._choose_image)
        self.images.add_run_all()
        self.numbers = Numbers(self, self.add_folded("Numbers", "Measurements of any labels."))
        rows = self.add_folded("Repeat", "What was done, as Python or as a command.")
        self.copying = CopyButtons(rows, self.status, self.missing, self._make_recipe)

    def _choose_image(self, image: Image, _: Labels) -> None:
        """Segment an image of the list, in the channel that was chosen before."""
        channel = self.settings.channel.field.value
        self.image.value = image
        self.settings.channel.field.value = channel

    def suggest_layers(self) -> None:
        """Choose the image and the shapes that are most likely meant, where none was chosen yet."""
        super().suggest_layers()
        self.drawn.suggest()

    def _draw_region(self) -> None:
        """Let the user draw on the image."""
        if self.image.value is None:
            self.status.say("To draw a region, choose an image.")
            return
        with self.failing():
            axes = axes_of(self.image.value, self.settings.axes.value)
            self.drawn.add_shapes(self.image.value, axes)

    def chosen(self) -> DockChoice:
        """Return what is chosen, as far as it is; defined by the dock."""
        raise NotImplementedError

    def beside(
        self,
        what: str,
        begin: Callable[[], None],
        take: Callable[[Mapping[str, Any]], str] | None = None,
    ) -> None:
        """Begin a job that is no segmentation; defined by the dock."""
        raise NotImplementedError

    def _make_recipe(self) -> Segmenting:
        """Return how what is chosen would be segmented; defined by the dock."""
        raise NotImplementedError
