"""The list of images of each viewer."""

from weakref import WeakKeyDictionary

from napari.components import ViewerModel

from unet_napari._napari.collection.browser import Browser

__all__ = ["browser_of", "browsers"]

browsers: WeakKeyDictionary[ViewerModel, Browser] = WeakKeyDictionary()
"""The list of images of each viewer that has had a dock."""


def browser_of(viewer: ViewerModel) -> Browser:
    """Return the list of images of a viewer, which its docks share."""
    if viewer not in browsers:
        browsers[viewer] = Browser(viewer)
    return browsers[viewer]
