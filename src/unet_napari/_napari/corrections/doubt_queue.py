"""Where to look next: from one doubtful cell to the next, with one key for each answer."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
from napari.components import ViewerModel

from napari.layers import Labels
from unet_napari._napari.corrections.corrections import Corrections
from unet_napari._napari.corrections.keys import entry_of
from unet_napari._napari.corrections.spot_layer import SpotLayer
from unet_napari._napari.layers.layer_axes import array_of
from unet_napari._napari.layers.spots import Spot, go_to, note_spots, ranker_of, spots_of
from unet_napari._napari.widgets.fields import Message
from unet_napari.errors import LabelsError, UnetNapariError

__all__ = ["DoubtQueue"]

_PATIENCE = 5.0  # seconds after which a ranking that has not come is asked for again


class DoubtQueue:
    """Goes through the doubtful cells of the newest prediction of the chosen image.

    What is painted over is settled and does not come back; what was only looked at comes back when
    all others have been seen.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    message : Message
        The line under the tools, in which the reason stands.
    corrections : callable
        Returns the `Corrections` of what is chosen now; an error says why there are none.
    """

    def __init__(
        self, viewer: ViewerModel, message: Message, corrections: Callable[[], Corrections]
    ) -> None:
        self._viewer, self._message, self._corrections = viewer, message, corrections
        self._way: list[Spot] = []  # what has been shown, the latest last
        self._at = -1  # in the way
        self._kept: WeakKeyDictionary[Labels, set[int]] = WeakKeyDictionary()
        self._asked_at = -_PATIENCE  # seconds; the ranking takes a while
        self.marks = SpotLayer(viewer)
        self.all_shown = False

    def next(self) -> None:
        """Go to the next cell that is not settled."""
        self._with_ranking(self._step)

    def back(self) -> None:
        """Go back to the cell before, settled or not."""
        if self._at <= 0:
            self._message.say("There is no doubtful cell before this one.")
            return
        try:
            found = self._corrections()
        except UnetNapariError as error:
            self._message.say(str(error), error=True)
            return
        self._at -= 1
        self._go(found, self._way[self._at])

    def show_all_or_one(self) -> None:
        """Mark all doubtful cells, or again the present one alone."""
        self.all_shown = not self.all_shown
        if self.all_shown:
            self._with_ranking(lambda found, _: self._mark(found))
        else:
            self.marks.show([], self._present())

    def answer(self, name: str) -> bool:
        """Do what a key means for the doubtful cell that is on the screen.

        Parameters
        ----------
        name : str
            One of the tools.

        Returns
        -------
        bool
            Whether there is such a cell; if not, nothing is done.
        """
        spot = self._present()
        if spot is None:
            return False
        try:
            found = self._corrections()
            if not self._on_screen(found, spot):
                return False
            done = self._answer(found, spot, name)
        except UnetNapariError as error:
            self._message.say(str(error), error=True)
            return True
        self._with_ranking(partial(self._step, said=done))
        return True

    def close(self) -> None:
        """Forget the way, and take the marks out of the viewer."""
        self._way, self._at = [], -1
        self.marks.close()

    def _answer(self, found: Corrections, spot: Spot, name: str) -> str:
        if spot.mask is not None:
            if name not in ("take", "reject"):
                raise LabelsError("Nothing was found here: T paints it as a cell, R as background.")
            return found.add(spot.window, spot.mask, cell=name == "take")
        point = found.labels.data_to_world(spot.point)
        if name == "take" and spot.painted:
            number = int(array_of(found.labels)[spot.point])
            self._kept.setdefault(found.labels, set()).add(number)
            return f"Number {number} stays as it is painted."
        if name == "take":
            return found.take(point)
        if name == "reject":
            return found.reject(point, painted=spot.painted)
        if name == "split":
            return found.split_itself(point)
        return found.merge_with_neighbour(point)

    def _present(self) -> Spot | None:
        return self._way[self._at] if 0 <= self._at < len(self._way) else None

    def _with_ranking(self, then: Callable[[Corrections, Sequence[Spot]], None]) -> None:
        """Call a function with the ranking, as soon as there is one."""
        try:
            found = self._corrections()
        except UnetNapariError as error:
            self._message.say(str(error), error=True)
            return
        spots, ranker = spots_of(found.prediction), ranker_of(found.prediction)
        if spots is not None:
            then(found, spots)
        elif ranker is None:
            self._message.say(
                "Nothing tells yet where this prediction is doubtful: let the training go on for "
                "some seconds, or segment the image.",
                error=True,
            )
        elif time.monotonic() - self._asked_at > _PATIENCE:
            self._asked_at = time.monotonic()
            self._message.say("Looking for doubtful cells…")
            arrived = partial(self._arrive, found, then)
            ranker(found.labels, arrived, self._fail)

    def _arrive(
        self,
        found: Corrections,
        then: Callable[[Corrections, Sequence[Spot]], None],
        spots: Sequence[Spot],
    ) -> None:
        self._asked_at = -_PATIENCE
        note_spots(found.prediction, spots)
        then(found, spots)

    def _fail(self, error: Exception) -> None:
        self._asked_at = -_PATIENCE
        self._message.say(str(error), error=True)

    def _step(self, found: Corrections, spots: Sequence[Spot], said: str = "") -> None:
        """Go to the most doubtful cell that is neither settled nor has been seen."""
        if self._at < len(self._way) - 1:  # after a step back
            self._at += 1
            self._go(found, self._way[self._at], said)
            return
        seen = {_object_of(found, spot) for spot in self._way}
        boxes = [spot.box for spot in self._way if spot.missed]
        left = [spot for spot in spots if not self._is_settled(found, spot)]
        unseen = [
            spot
            for spot in left
            if _object_of(found, spot) not in seen
            and not (spot.missed and any(_holds(box, spot.point) for box in boxes))
        ]
        if not unseen:
            again = f"{len(left)} left open" if left else "none left open"
            self._way, self._at = [], -1
            self.marks.show([], None)
            key = entry_of("next").key
            self._message.say(
                f"{said} All doubtful cells were looked at, {again}."
                f"{f' {key} begins again.' if left else ''}".strip()
            )
            return
        self._way.append(unseen[0])
        self._at = len(self._way) - 1
        self._go(found, unseen[0], said, len(unseen) - 1)

    def _is_settled(self, found: Corrections, spot: Spot) -> bool:
        if not _lies_in(found.labels, spot):
            return True
        painted = int(array_of(found.labels)[spot.point])
        if spot.painted:
            return painted in (0, found.reserved) or painted in self._kept.get(found.labels, ())
        is_found = int(array_of(found.prediction)[spot.point]) != 0
        return painted != 0 or is_found == spot.missed

    def _go(self, found: Corrections, spot: Spot, said: str = "", left: int | None = None) -> None:
        """Show a cell in the middle of the screen, and say why it is doubtful."""
        if not _lies_in(found.labels, spot):
            return
        self._viewer.layers.selection.active = found.labels
        go_to(self._viewer, found.labels, spot.point)
        self._mark(found)
        more = "" if left is None else f" {left:,} more."
        keys = "T right, R not a cell, S split, J merge, N next."
        if spot.missed:
            keys = "T a cell, R no cell, N next."
        self._message.say(f"{said} Doubt {spot.doubt:.2f}: {spot.reason}. {keys}{more}".strip())

    def _mark(self, found: Corrections) -> None:
        spots = spots_of(found.prediction) or () if self.all_shown else ()
        others = [spot for spot in spots if not self._is_settled(found, spot)]
        self.marks.show(others, self._present(), like=found.labels)

    def _on_screen(self, found: Corrections, spot: Spot) -> bool:
        """Tell whether a cell is still where the user looks; else the key means the tool."""
        dims = self._viewer.dims
        surplus = dims.ndim - found.labels.ndim
        at = np.rint(found.labels.world_to_data(dims.point)).astype(int)
        low, high = found.labels.corner_pixels
        for axis, place in enumerate(spot.point):
            if axis + surplus in dims.displayed:
                if len(dims.displayed) == 2 and not low[axis] <= place <= high[axis]:
                    return False
            elif at[axis] != place:
                return False
        return True


def _lies_in(layer: Labels, spot: Spot) -> bool:
    shape = array_of(layer).shape
    return len(shape) == len(spot.point) and all(
        0 <= at < size for at, size in zip(spot.point, shape, strict=True)
    )


def _object_of(found: Corrections, spot: Spot) -> tuple[object, ...]:
    """Return what tells the objects apart, also after the prediction has got other numbers."""
    if spot.missed or not _lies_in(found.labels, spot):
        return (spot.point,)
    array = array_of(found.labels if spot.painted else found.prediction)
    fixed = tuple(at for axis, at in enumerate(spot.point) if axis not in found.free)
    return (spot.painted, int(array[spot.point]), fixed)


def _holds(box: Sequence[tuple[int, int]], point: Sequence[int]) -> bool:
    return all(start <= at < stop for (start, stop), at in zip(box, point, strict=True))
