"""The correction tools in the Train dock: what they take from, and what they paint in."""

from collections.abc import Callable

from napari.components import ViewerModel

from napari.layers import Image, Labels, Layer
from unet_napari._napari.corrections.corrections import Corrections, on_one_grid
from unet_napari._napari.corrections.tools import CorrectionTools
from unet_napari._napari.layers.background_paint import background_number, reserve_background
from unet_napari._napari.layers.layer_axes import image_of, output_axes
from unet_napari._napari.layers.ownership import ndim_noted
from unet_napari._napari.layers.results import latest_labels
from unet_napari._napari.sections.chosen import LayerPair
from unet_napari._napari.widgets.form import FormRows
from unet_napari.errors import LabelsError

__all__ = ["Correcting"]


class Correcting:
    """Offers the correction tools wherever there is a prediction of the chosen image.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    rows : FormRows
        The group that the tools are added to.
    chosen : callable
        Returns the pair that is chosen, or None.
    """

    def __init__(
        self, viewer: ViewerModel, rows: FormRows, chosen: Callable[[], LayerPair | None]
    ) -> None:
        self._viewer, self._chosen = viewer, chosen
        self.tools = CorrectionTools(viewer, rows, self.corrections)

    def offer(self) -> None:
        """Show the tools if there is something to correct, and hide them if not."""
        pair = self._chosen()
        prediction = None if pair is None else self._prediction(pair.image, pair.labels)
        found: list[Layer] = []
        if pair is not None and prediction is not None:
            found = [pair.labels, prediction]
        self.tools.offer(found)

    def corrections(self) -> Corrections:
        """Return what can be done with the newest prediction of the chosen image.

        Raises
        ------
        LabelsError
            If nothing is chosen, nothing was predicted, or the labels lie on a grid of their own.
        """
        pair = self._chosen()
        if pair is None:
            raise LabelsError("To correct a prediction, choose an image and a labels layer.")
        prediction = self._prediction(pair.image, pair.labels)
        if prediction is None:
            raise LabelsError(
                f"There is no prediction of '{pair.image.name}' to take cells from: press Train, "
                "or segment it."
            )
        axes = image_of(pair.image, pair.axes).axes
        if not on_one_grid(pair.image, axes, pair.labels, prediction):
            raise LabelsError(
                f"Cells are taken pixel by pixel, but '{pair.labels.name}' has other pixels than "
                f"'{pair.image.name}': paint in a layer that New adds."
            )
        space = [axis for axis, letter in enumerate(output_axes(axes)) if letter in "ZYX"]
        free = space[-ndim_noted(prediction) :]
        return Corrections(
            pair.labels,
            prediction,
            tuple(free),
            background_number(pair.labels),
            lambda: reserve_background(pair.labels),
        )

    def close(self) -> None:
        """Leave the viewer as it was."""
        self.tools.close()

    def _prediction(self, image: Image, labels: Labels) -> Labels | None:
        return latest_labels(self._viewer, image, besides=labels)
