"""The example in napari: painted nuclei, and both docks ready."""

import napari
from unet_napari._napari.sample_data import nuclei_2d_painted

__all__ = ["open_demo"]


def open_demo() -> napari.Viewer:
    """Open napari with the example; return the viewer when its window was closed."""
    viewer = fill_viewer(napari.Viewer(title="U-Net"))
    napari.run()
    return viewer


def fill_viewer(viewer: napari.Viewer) -> napari.Viewer:
    """Add the example and both docks to a viewer, the Train dock in front."""
    for data, options, kind in nuclei_2d_painted():
        getattr(viewer, f"add_{kind}")(data, **options)
    viewer.window.add_plugin_dock_widget("unet-napari", "Segment with U-Net")
    viewer.window.add_plugin_dock_widget("unet-napari", "Train U-Net")
    return viewer
