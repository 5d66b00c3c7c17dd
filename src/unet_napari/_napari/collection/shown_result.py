"""What a model has found in an image of the list, shown as if it had been segmented just now."""

from pathlib import Path

from napari.components import ViewerModel

from napari.layers import Image, Labels
from unet_napari._napari.collection.loaded_image import LoadedImage
from unet_napari._napari.layers.ownership import (
    ResultOrigin,
    fingerprint_of,
    note_ndim,
    note_origin,
    note_saved,
)
from unet_napari._napari.layers.results import Purpose, show_result
from unet_napari._napari.layers.spots import Spot, note_spots
from unet_napari._napari.widgets.model_combo import model_purpose
from unet_napari.errors import ModelFileError

__all__ = ["show_found"]


def show_found(
    viewer: ViewerModel, layers: tuple[Image, Labels], loaded: LoadedImage
) -> Labels | None:
    """Show what was found in an image below its labels, with its most doubtful object marked.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    layers : tuple
        The layers of the image and of its labels.
    loaded : LoadedImage
        The image, with a result.
    """
    facts, image = loaded.listed.facts, loaded.image
    if loaded.result is None:
        return None
    try:
        purpose = model_purpose(facts.model)
    except ModelFileError:  # it is gone; what it has found is not
        purpose = Purpose(Path(facts.model).stem, f"model {facts.model}")
    found = loaded.result
    shown = show_result(viewer, layers[0], image.axes, found.labels, purpose, below=layers[1])
    if not isinstance(shown, Labels):
        return None
    if found.record is not None:
        note_origin(shown, ResultOrigin(found.record, facts.model))
    note_saved(shown, found.digest, fingerprint_of(shown))
    if image.ndim == 2:
        note_ndim(shown, 2)
    if len(facts.worst_at) == layers[1].ndim and facts.doubt is not None:
        spot = Spot(facts.doubt, "the most doubtful one when all were segmented", facts.worst_at)
        note_spots(shown, [spot])
    return shown
