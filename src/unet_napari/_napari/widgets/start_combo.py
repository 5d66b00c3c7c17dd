"""The choice of what a training starts from."""

from unet_napari._napari.widgets.model_combo import ModelCombo
from unet_napari.training.start.given import AUTOMATIC, NOTHING

__all__ = ["StartCombo"]


class StartCombo(ModelCombo):
    """A choice among "automatic", "nothing" and the models; `start` is what a training takes."""

    def __init__(self) -> None:
        super().__init__(
            "automatic",
            name="start_from",
            tooltip="What the training starts from.\n"
            "Automatic: the model that explains best what is painted, after a few steps of each;\n"
            "the first line of the training says which. Nothing: random weights.\n"
            "A model that knows similar images takes fewer labels and less time.",
        )

    @property
    def start(self) -> str:
        """What is chosen, as a `TrainJob` takes it."""
        return AUTOMATIC if self.value is None else self.value

    def _list(self, _: object) -> list[tuple[str, str]]:
        return [(NOTHING, NOTHING), *super()._list(_)]

    def _describe(self, _: object) -> None:
        if self.value == NOTHING:
            self.native.setToolTip(self._plain_tooltip)
        else:
            super()._describe(_)
