"""How the Train dock goes on with the last training of the chosen image."""

from collections.abc import Callable
from functools import partial
from typing import Any

from napari.viewer import Viewer

from napari.layers import Image, Labels
from unet_napari._napari.docks.train_fields import TrainFields
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.live.continuation import Continuation, Paint, bring_back_paint, read_paint
from unet_napari.errors import LabelsError, ModelFileError, UnetNapariError
from unet_napari.model.names import Claim, model_path
from unet_napari.recipes.trained import repeated_training
from unet_napari.recipes.training import RepeatedTraining
from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.training.state.state_file import state_beside

__all__ = ["TrainContinue"]


class TrainContinue(TrainFields):
    """The Train dock's fields, and what they go on with: a training, its paint, its versions.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    job : Job
    """

    def __init__(self, viewer: Viewer, job: Job) -> None:
        super().__init__(viewer, job)
        self._model = ""  # name of the one that was trained last
        self._offered = ""  # name of the model whose training was last offered to go on
        self.continuation = Continuation(self.background, self._on_offer)
        for field in (self.image, self.settings.axes, self.settings.channel.field):
            field.changed.connect(self.look_for_training)
        for widget in self:
            getattr(widget, "changed").connect(self._name_run)  # noqa: B009  of all fields
        # magicgui does not tell of the choice whose value is None, "automatic".
        self.settings.dimensions.native.currentIndexChanged.connect(self._name_run)
        self.paint_back.changed.connect(self._bring_back)
        self.start_over.enabled = self.paint_back.enabled = False

    def goes_on(self) -> bool:
        """Tell whether Train goes on with the last training of the chosen image."""
        offer, wanted = self.continuation.offer, str(self.model_name.value).strip()
        if offer is None or wanted not in ("", offer.name):
            return False
        try:
            return self.continuation.fits(self.image.value, self.settings_now())
        except UnetNapariError:  # Train complains about it
            return False

    def refresh_run(self, *_: object) -> None:
        """Say whether Train goes on with a training, and what is missing for it."""
        self._name_run()
        super().refresh_run()

    def _name_run(self, *_: object) -> None:
        offer = self.continuation.offer
        if offer is not None and self.goes_on():
            about = f"Go on with the training {offer.describe()}, on the labels as they are now."
            self.name_run("Continue", about)
        else:
            self.name_run("Train", "Train on the labels as they are.")

    def values(self) -> dict[str, Any]:
        """Return the fields of a `TrainConfig`, all but the number of axes."""
        return self.settings.values(task=self.task.value, effort=self.effort.value)

    def settings_now(self) -> dict[str, Any]:
        """Return what a training goes by: its settings, and the model that it starts from."""
        others = {"start_from": self.start_from.value, "ndim": self.settings.dimensions.value}
        return {**self.values(), **others}

    def claim(self) -> Claim:
        """Take the name of the model: that of the last training of this image and task, if any."""
        wanted, offer = str(self.model_name.value).strip(), self.continuation.offer
        if not wanted and offer is not None and offer.head.task == self.task.value:
            return Claim(offer.name, again=True)
        return Claim(wanted or f"{self.image.value.name} {task_kind(self.task.value).file_word}")

    def nothing_to_copy(self) -> str:
        """Return why there is no training to copy; "" if there is one."""
        if self.busy:
            return "A training can be copied when it has ended: press Stop first."
        if not self._model and self.continuation.offer is None:
            return "There is no training to copy yet: train first."
        return ""

    def training_to_copy(self) -> Callable[[], RepeatedTraining]:
        """Return what makes the recipe of this dock's last training, or of that of the image."""
        offer = self.continuation.offer
        if self._model:
            return partial(repeated_training, state_beside(model_path(self._model)))
        if offer is None:
            raise ModelFileError(self.nothing_to_copy())
        return partial(repeated_training, offer.state)

    def _bring_back(self) -> None:
        """Add the paint of the last training as a layer."""
        offer = self.continuation.offer
        if offer is not None:
            self.background.run(partial(read_paint, offer), self._try_to_add, self._complain)

    def _try_to_add(self, paint: Paint) -> None:
        try:
            self.add_paint(paint)
        except UnetNapariError as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        self.status.say(str(error), error=True)

    def add_paint(self, paint: Paint) -> None:
        """Add the paint of the last training as the layer that is trained on.

        Raises
        ------
        UnetNapariError
            If its image is not chosen any more, or there is no room for it.
        """
        offer = self.continuation.offer
        if offer is None or self.image.value is None:
            raise LabelsError("The image of this training is not chosen any more.")
        where = (self.viewer, self.image.value, self.settings.axes.value)
        layer, regions = bring_back_paint(*where, offer, paint)
        self.labels.value = layer
        if regions is not None:
            self.settings.annotated.value = regions

    def _on_gone_back(self) -> None:
        """Have the next training start from the version that the model is again."""
        offer = self.continuation.offer
        if offer is not None:
            self.start_from.value = offer.name
            self.continuation.note(offer.state, {})
            self.refresh_run()

    def _choose_pair(self, image: Image, labels: Labels) -> None:
        """Train on an image of the list, and go on with the training of the list."""
        super()._choose_pair(image, labels)
        self.look_for_training()

    def look_for_training(self, *_: object) -> None:
        """Look beside the viewer whether a training of the chosen image can be gone on with."""
        if self.docked:
            settings = self.settings
            self.continuation.look(
                self.image.value,
                settings.axes.value,
                settings.channel.field.value,
                self.images.trained(),
            )

    def _on_offer(self) -> None:
        """Show what can be gone on with."""
        offer = self.continuation.offer
        self.versions.show(None if offer is None else offer.model)
        self.start_over.enabled = offer is not None
        self.paint_back.enabled = offer is not None and offer.number is not None
        if self.busy:
            return
        new = offer is not None and offer.name not in (self._model, self._offered)
        if offer is not None and new:  # napari or the dock was closed, or killed
            self._offered = offer.name
            self.task.value = offer.head.task
        if self.status.is_error:  # which is not to be covered up
            self._name_run()
            self.run.enabled = not self.missing()
            return
        self.refresh_run()
        if offer is not None and new and self.goes_on():
            paint = " and brings its paint back" if self.labels.value is None else ""
            self.status.say(f"Continue goes on with the training {offer.describe()}{paint}.")
