"""The buttons that answer a place of a check of the count."""

from collections.abc import Callable

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from unet_napari._napari.outcomes.check_keys import check_key

__all__ = ["CheckButtons"]

_SAVE = "save"
_ROWS = (("none", "one", "two", "more"), ("check back", "check later", _SAVE))


class CheckButtons(QWidget):
    """Two rows of buttons, which are shown while there is a check.

    Parameters
    ----------
    answered : callable
        Called with the name of the key that a button stands for.
    save : callable
        Called by the button that saves the answers.

    Attributes
    ----------
    by_name : dict of str to QPushButton
    """

    def __init__(self, answered: Callable[[str], None], save: Callable[[], None]) -> None:
        super().__init__()
        lines = QVBoxLayout(self)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(4)
        self.by_name: dict[str, QPushButton] = {}
        for names in _ROWS:
            row = QHBoxLayout()
            row.setSpacing(4)
            for name in names:
                made = QPushButton("Save…" if name == _SAVE else check_key(name).text)
                made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
                row.addWidget(made)
                self.by_name[name] = made
                if name == _SAVE:
                    made.setToolTip("Save places and answers as a table (CSV), which\n"
                                    "unet-napari count reads.")  # fmt: skip
                    made.clicked.connect(lambda _: save())
                else:
                    made.setToolTip(check_key(name).tooltip)
                    made.clicked.connect(lambda _, name=name: answered(name))
            lines.addLayout(row)
        self.hide()

    def allow(self, *, answers: bool) -> None:
        """Show the buttons, with or without those that answer; the answers can be saved."""
        for name, made in self.by_name.items():
            made.setEnabled(answers or name == _SAVE)
        self.show()
