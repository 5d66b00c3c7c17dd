"""The number of cells checked by hand: one place after the other, one key for each answer."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from magicgui.widgets import Label, SpinBox
from qtpy.QtWidgets import QFileDialog

from napari.layers import Labels, Vectors
from unet_napari._napari.corrections.key_list import KeyList
from unet_napari._napari.layers.ownership import is_unedited, pixels_noted
from unet_napari._napari.layers.results import latest_result
from unet_napari._napari.layers.watch import EditWatch
from unet_napari._napari.outcomes.check_buttons import CheckButtons
from unet_napari._napari.outcomes.check_keys import ANSWERS, CHECK_KEYS
from unet_napari._napari.outcomes.check_layer import CheckLayer
from unet_napari._napari.outcomes.check_record import CheckRecord, note_check, noted_check
from unet_napari._napari.outcomes.host import Host
from unet_napari._napari.runs.check_order import CheckOrder
from unet_napari._napari.widgets.fields import Message, button
from unet_napari._napari.widgets.form import FormRows
from unet_napari.errors import LabelsError, UnetNapariError
from unet_napari.evaluation.count_check import FEWEST_CHECKS
from unet_napari.inference.doubt.check_table import check_columns
from unet_napari.labels.table_files import write_table
from unet_napari.recipes.told import saved_as

__all__ = ["Counting", "new_seed"]

_PLACES = 20  # that are drawn, unless the user wants more
_MOST = 1000


class _Draw(NamedTuple):
    """A draw that the engine is asked for, and the check that it makes longer."""

    order: CheckOrder
    labels: Labels
    before: CheckRecord | None
    seed: int


class Counting:
    """The fields that check the count of the last segmentation, and what they do.

    Parameters
    ----------
    host : Host
        The dock.
    rows : FormRows
        The folded group that the fields are added to.
    """

    def __init__(self, host: Host, rows: FormRows) -> None:
        self._host = host
        self.places = SpinBox(
            name="places",
            value=_PLACES,
            min=FEWEST_CHECKS,
            max=_MOST,
            tooltip="How many places are looked at to check the count. More of them make the\n"
            "interval narrower; a larger number goes on with the check that there is.",
        )
        self.check = button(
            "check_count",
            "Check the count",
            "Find out how many cells there really are, with the error of that: look at places\n"
            "that are drawn at random in what was segmented last, some of each degree of doubt,\n"
            "and answer each with a key. The answers are kept with the labels layer, also when\n"
            "this dock is closed, but not when napari is: Save writes them to a file.",
        )
        self._message = Message("counted", "How far the check is, and what it says of the count.")
        self.buttons = CheckButtons(self._do, self._save)
        unit = Label(name="unit", value="places", gui_only=True, tooltip=self.places.tooltip)
        rows.add_beside(self.check, self.places, unit)
        rows.add_native(self.buttons)
        rows.add_wide(self._message)
        self._lines = CheckLayer(host.viewer)
        self._keys = KeyList(host.viewer, CHECK_KEYS)
        self._watch = EditWatch(self.buttons, self._look_again)
        self._labels: Labels | None = None
        self._record: CheckRecord | None = None
        self._draw: _Draw | None = None
        self._more = 0  # cells besides those that the next answer says

    def connect(self) -> None:
        """Follow the button; after `Form.finish`, whose own followers take errors away."""
        self.check.changed.connect(self._press)

    def leave(self) -> None:
        """Take lines and keys away; the answers stay with the labels."""
        self._stop_looking()
        self._record = None
        self.buttons.hide()
        self._message.say("")

    # -- the draw -----------------------------------------------------------------------------

    def _press(self) -> None:
        """Go on with the places that were drawn, or draw some."""
        labels = self._result()
        record = None if labels is None else noted_check(labels)
        if (
            labels is not None
            and record is not None
            and len(record.places) >= min(int(self.places.value), record.found)
        ):
            self._look(labels, record)
            return
        self._host.beside("The count can be checked", self._begin, self._take)

    def _result(self) -> Labels | None:
        """Return the labels that were found last in what is chosen."""
        try:
            layer, _, purpose, _ = self._host.chosen()
        except UnetNapariError:  # the dock complains about it
            return None
        if layer is None or purpose is None:
            return None
        found = latest_result(self._host.viewer, layer, purpose)
        return found if isinstance(found, Labels) else None

    def _begin(self) -> None:
        order, labels = self._host.thresholds.check_order(), self._result()
        if order is None or labels is None:
            raise LabelsError(
                "To check the count, segment the image with a model of cells first: the places are "
                "drawn in what was segmented last, by how sure the model is. That is not kept of a "
                "drawn region, nor of labels that are saved to a file."
            )
        if not is_unedited(labels):
            raise LabelsError(
                f"'{labels.name}' was edited, and what is checked is what the model has found: "
                "segment the image again."
            )
        before = noted_check(labels)
        seed = new_seed() if before is None else before.seed
        self._draw = _Draw(order, labels, before, seed)
        self._host.job.start(order.request(int(self.places.value), seed))

    def _take(self, result: Mapping[str, Any]) -> str:
        draw, self._draw = self._draw, None
        if draw is None or draw.labels not in self._host.viewer.layers:
            return "The labels were removed meanwhile."
        order, labels, before, seed = draw
        places = order.placed(result["places"], labels)
        if not places:
            return "No cell was found, so there is no place to look at."
        record = CheckRecord(
            places,
            order.axes,
            order.free,
            order.bounds,
            not order.run.order.whole,
            seed,
            pixels_noted(labels),
            [] if before is None else before.answers_for(places),
        )
        note_check(labels, record)
        self._look(labels, record)
        return f"{len(places):,} places were drawn at random; the questions stand under Numbers."

    # -- from place to place ------------------------------------------------------------------

    def _look(self, labels: Labels, record: CheckRecord) -> None:
        """Begin to look at places, or go on with it."""
        self._stop_looking()
        self._labels, self._record = labels, record
        self._watch.follow(labels)
        self._host.viewer.layers.events.removed.connect(self._look_again)
        labels.visible = True
        self.buttons.allow(answers=True)
        if not record.complete and record.answers[record.at] is not None:
            record.at = record.following()
        self._show(record, labels)

    def _do(self, name: str) -> None:
        """Do what a button or a key says."""
        record, labels = self._record, self._labels
        if name == "check keys":
            self._keys.toggle()
            return
        if record is None or labels is None or not self._holds():
            return
        if name == "more":
            self._more += 1
        else:
            if name in ANSWERS:
                record.answers[record.at] = ANSWERS[name] + self._more
            self._more = 0
            record.at = max(0, record.at - 1) if name == "check back" else record.following()
        self._show(record, labels)

    def _show(self, record: CheckRecord, labels: Labels) -> None:
        """Show the place, and say how far the check is."""
        place = record.places[record.at].item
        found = self._lines.show(labels, place.point, record.free, record.bounds)
        layer = self._lines.shown
        if layer is not None:
            for entry in CHECK_KEYS:
                layer.bind_key(entry.key, self._key(entry.name), overwrite=True)
        beyond = found is not None and found.goes_on
        self._message.say(record.describe(self._more, goes_on=beyond))

    def _key(self, name: str) -> Callable[[Vectors], None]:
        return lambda _: self._do(name)

    # -- the end ------------------------------------------------------------------------------

    def _look_again(self, _: object = None) -> None:
        """End the check if the labels are no longer those that it is of."""
        self._holds()

    def _holds(self) -> bool:
        """Tell whether the labels are those of the check; if not, end it."""
        record, labels = self._record, self._labels
        if record is None or labels is None:
            return False
        there = labels in self._host.viewer.layers
        if there and record.holds_of(labels):
            return True
        self._stop_looking()
        if there:
            self._host.viewer.layers.selection.active = labels
        self.buttons.allow(answers=False)
        what = "have changed" if there else "were removed"
        self._message.say(
            f"The labels {what} since the places were drawn, so the check has ended: "
            f"{record.answered:,} of {len(record.places):,} were answered. Save keeps these "
            "answers; Check the count draws again.",
            warning=True,
        )
        return False

    def _stop_looking(self) -> None:
        self._watch.close()
        self._host.viewer.layers.events.removed.disconnect(self._look_again)
        self._lines.close()
        self._keys.hide()
        self._labels, self._more = None, 0

    def _save(self) -> None:
        """Save places and answers where the user says."""
        record, labels = self._record, self._labels
        if record is None:
            return
        name = "count" if labels is None else saved_as(labels.name).removesuffix(".tif")
        text, _ = QFileDialog.getSaveFileName(
            self.buttons, "Save the check", f"{name}-check.csv", "Table (*.csv)"
        )
        if not text:
            return
        path = Path(text)
        if path.suffix.lower() != ".csv":
            path = path.with_name(f"{path.name}.csv")
        try:
            write_table(path, check_columns(record.places, record.answers, record.axes))
        except UnetNapariError as error:
            self._host.status.say(str(error), error=True)
        else:
            self._host.status.say(f"Saved: unet-napari count '{path}' says the same of it.")


def new_seed() -> int:
    """Return a number that nobody can foresee, from which all chance of a draw comes."""
    return int(np.random.default_rng().integers(2**31))
