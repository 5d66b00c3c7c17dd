"""From the Train dock to the Segment dock."""

from qtpy.QtWidgets import QWidget

from napari.layers import Image
from unet_napari._napari.docks.engine_dock import EngineDock
from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.docks.train_settings import TrainSettings
from unet_napari._napari.layers.ownership import choosers

__all__ = ["open_segment"]


def open_segment(
    beside: EngineDock, image: Image, model: str, settings: TrainSettings
) -> SegmentDock:
    """Show the Segment dock of a window, the one that is open if there is one, ready to run.

    Parameters
    ----------
    beside : EngineDock
        A dock of the window.
    image : napari.layers.Image
    model : str
        Name of the model.
    settings : TrainSettings
        The axes and the channel of the image that the model was trained on.
    """
    window = beside.native.window()
    docks = [dock for dock in choosers if isinstance(dock, SegmentDock) and dock.docked]
    dock = next((dock for dock in docks if dock.native.window() is window), None)
    if dock is None:
        _, dock = beside.viewer.window.add_plugin_dock_widget("unet-napari", "Segment with U-Net")
    holder = dock.native.parent()
    if isinstance(holder, QWidget):
        holder.show()
        holder.raise_()
    dock.settings.channel.field.value = settings.channel.field.value
    dock.image.value, dock.settings.axes.value = image, settings.axes.value
    dock.model.value = model
    dock.computing.follow(beside.computing)
    return dock
