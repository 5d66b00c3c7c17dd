"""The versions of the model that is being trained, and the way back to one of them."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from magicgui.widgets import ComboBox

from unet_napari._napari.widgets.fields import Message, button
from unet_napari._napari.widgets.form import FormRows
from unet_napari._napari.widgets.model_combo import model_saved
from unet_napari._napari.widgets.narrow import make_narrow
from unet_napari.errors import UnetNapariError
from unet_napari.model.versions import Version, go_back, versions_of

__all__ = ["ModelVersions"]


class ModelVersions:
    """A list of the last versions of a model, and a button that goes back to the chosen one.

    Parameters
    ----------
    rows : FormRows
        The group that the fields are added to.
    is_busy : callable
        Tells whether a training is running, which writes to the model.
    gone_back : callable
        Called when the model is another version.
    """

    def __init__(
        self, rows: FormRows, is_busy: Callable[[], bool], gone_back: Callable[[], None]
    ) -> None:
        self._is_busy, self._gone_back = is_busy, gone_back
        self._path: Path | None = None
        self._versions: tuple[Version, ...] = ()
        self.list = ComboBox(
            name="version",
            tooltip="What the model was before its latest trainings: score, date and what was\n"
            "painted. The last ten versions are kept.",
            choices=self._choices,
            nullable=False,
        )
        make_narrow(self.list.native)
        self.back = button(
            "back_to_version",
            "Back to this version",
            "Let the model be this version again. What it is now becomes a version itself, so\n"
            "that nothing is lost.",
        )
        self._line = Message("about_versions", "Which versions of the model there are.")
        rows.add_wide(self.list)  # its texts need all of the width
        rows.add_wide(self.back)
        rows.add_wide(self._line)
        self.back.changed.connect(self._go_back)
        self.show(None)

    def show(self, path: Path | None) -> None:
        """List the versions of a model; None for no model."""
        self._path = path
        self._versions = () if path is None else versions_of(path)
        with self.list.changed.blocked():  # nobody has chosen, so that an error stays shown
            self.list.reset_choices()
        self.list.visible = self.back.visible = bool(self._versions)
        self._line.say("")

    def _choices(self, _: object) -> list[tuple[str, int]]:
        return [(_title(version), version.number) for version in self._versions]

    def _go_back(self) -> None:
        number = self.list.value
        if self._path is None or number is None:
            return
        if self._is_busy():
            self._line.say("Press Stop first: the running training writes to the model.")
            return
        try:
            go_back(self._path, number)
        except UnetNapariError as error:
            self._line.say(str(error), error=True)
            return
        name = self._path.stem
        self.show(self._path)
        self._line.say(f"'{name}' is version {number} again.")
        model_saved.emit(name)
        self._gone_back()


def _title(version: Version) -> str:
    score = "" if version.score is None else f"{version.score_name} {version.score:.2f}"
    date = datetime.fromtimestamp(version.saved).astimezone().strftime("%d %b, %H:%M")
    parts = (f"{version.number}", score, date, version.painted)
    return " · ".join(part for part in parts if part)
