"""Buttons that copy what a dock has done, as Python or as a command."""

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtWidgets import QApplication

from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.widgets.fields import Message, button
from unet_napari._napari.widgets.form import FormRows
from unet_napari.errors import UnetNapariError
from unet_napari.recipes.told import Repeatable, with_notes

__all__ = ["CopyButtons"]


class CopyButtons:
    """The two buttons, and what they copy: what was done last, else what is chosen.

    Parameters
    ----------
    rows : FormRows
        The folded group that the buttons are added to.
    status : Message
        Line that says what was copied.
    missing : callable
        Returns what has to be chosen before there is anything to copy; "" if nothing.
    chosen : callable
        Makes a recipe of what is chosen, or, where `background` is given, returns a function that
        makes it beside the viewer.
    background : Background, optional
        Where recipes that take a while are made.
    """

    def __init__(
        self,
        rows: FormRows,
        status: Message,
        missing: Callable[[], str],
        chosen: Callable[[], Any],
        background: Background | None = None,
    ) -> None:
        self._status, self._missing, self._chosen = status, missing, chosen
        self._background = background
        self._done: Callable[[], Any] | None = None
        self.python = button(
            "copy_python",
            "Copy as Python",
            "Copy a program that does what this dock did last, to paste into a script or a\n"
            "notebook. It gives the same result, or a comment says why not.",
        )
        self.command = button(
            "copy_command",
            "Copy as command",
            "Copy a command that does what this dock did last, to paste into a terminal.",
        )
        rows.add_beside(self.python, self.command)

    def connect(self) -> None:
        """Follow the buttons; after `Form.finish`, whose own followers take errors away."""
        self.python.changed.connect(lambda: self._copy(command=False))
        self.command.changed.connect(lambda: self._copy(command=True))

    def note(self, make: Callable[[], Any]) -> None:
        """Take note of what is being done; the recipe is made when it is copied."""
        self._done = make

    def _copy(self, *, command: bool) -> None:
        if self._done is None and (missing := self._missing()):
            self._status.say(missing)
            return
        try:
            made = (self._done or self._chosen)()
        except UnetNapariError as error:
            self._status.say(str(error))
            return
        if self._background is None:
            self._put(made, command=command)
        else:
            put = partial(self._put, command=command)
            self._background.run(made, put, lambda error: self._status.say(str(error)))

    def _put(self, recipe: Repeatable, *, command: bool) -> None:
        text = with_notes(recipe, command=command)
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
        notes = " ".join(recipe.notes(command=command))
        self._status.say(f"Copied as {'a command' if command else 'Python'}. {notes}".strip())
