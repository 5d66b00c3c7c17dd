"""All that is painted, as samples: what is trained on and what is held out, now and later."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from unet_napari.errors import LabelsError, UnetNapariError, warn_user
from unet_napari.geometry import Box
from unet_napari.tasks import SemanticTask
from unet_napari.training.data.check_pairs import check_added
from unet_napari.training.data.division import Split
from unet_napari.training.data.identity import fingerprint, group_of_last
from unet_napari.training.data.pairs import Pair
from unet_napari.training.data.patches import NewPaint
from unet_napari.training.data.split import NOT_ASKED, TOO_FEW, divide
from unet_napari.training.live.owned_paint import OwnedPaint
from unet_napari.training.live.painted_box import PaintedBox, check_pair_number, check_update
from unet_napari.training.live.taken import Taken, only_known, same_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.tasks import Task
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.division import Division
    from unet_napari.training.data.load import Place, SampleLoader
    from unet_napari.training.data.sample import Sample
    from unet_napari.training.setup.working_scale import WorkingScale

__all__ = ["PaintedData"]

_PATCHES = 240  # that are laid around new paint: in 2D those of some ten seconds on two cores
_NO_ROOM = (
    "The memory suffices for no more paint: what was painted last is not trained on. Close other "
    "programs, or train on a computer with more memory."
)

Key = tuple[int, ...]


class _Slice(NamedTuple):
    """What is known of one frame or slice of a pair."""

    samples: list[Sample]
    split: Split
    size: int  # bytes


class PaintedData:
    """The pairs of a training and the samples made of them.

    Paint can be changed while the training runs. What is held out is chosen once, as soon as
    enough is painted, and stays (see `Division`); the brightness scale of an image stays, too.

    Parameters
    ----------
    pairs
        Images and what was painted on them.
    groups
        The number of the image of each, see `image_groups`.
    prints
        The `fingerprint` of each image.
    loaded
        Their samples, at the scale of the images.
    loader
        Reads further samples.
    config, spacing, context
        Task, share that is held out and seed; as of `divide`.
    scale
        The scale of the network, to which all samples are brought.
    memory
        Bytes that the samples may take.
    task
        The task, if it is known already, see `know`.

    Attributes
    ----------
    pairs
        The pairs; those that were told of new paint with a copy of it.
    division
        What is held out; None as long as nothing is.
    removed
        Numbers of the pairs that have left.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        groups: Sequence[int],
        prints: Sequence[str],
        loaded: Iterable[tuple[Place, Sample]],
        loader: SampleLoader,
        config: TrainConfig,
        *,
        scale: WorkingScale,
        spacing: Sequence[float],
        context: int,
        memory: int,
        task: Task | None = None,
    ) -> None:
        self.pairs, self.groups, self.prints = list(pairs), list(groups), list(prints)
        self.division: Division | None = None
        self.removed: set[int] = set()
        self._classes: tuple[int, ...] | None = None
        self._loader, self._config, self._scale = loader, config, scale
        self._spacing, self._context, self._memory = tuple(spacing), context, memory
        self._paints: dict[int, OwnedPaint] = {}
        self._waiting: deque[PaintedBox | Pair | int] = deque()  # int: a pair leaves
        self._slices: dict[Key, _Slice] = {}
        self._unknown: set[int] = set()
        if task is not None:
            self.know(task)
        for place, sample in loaded:
            self._store(place, [sample])

    @property
    def samples(self) -> list[Sample]:
        """All samples, in the order of their pairs, frames and slices."""
        return [sample for key in sorted(self._slices) for sample in self._slices[key].samples]

    @property
    def split(self) -> Split:
        """What is trained on and what is held out."""
        keys = sorted(self._slices)
        message = TOO_FEW if self._config.validation else NOT_ASKED
        if self.division is not None:
            keys.sort(key=lambda key: self.groups[key[0]])
            message = self.division.message
        parts = [self._slices[key].split for key in keys]
        return Split(
            [sample for part in parts for sample in part.training],
            [sample for part in parts for sample in part.validation],
            message,
        )

    def divide(self) -> bool:
        """Choose what to hold out, unless that is done; return whether it was chosen now."""
        if self.division is not None:
            return False
        config = self._config
        self.hold_out(
            divide(
                self.samples,
                task=config.task,
                fraction=config.validation,
                spacing=self._spacing,
                context=self._context,
                seed=config.seed,
            )
        )
        return self.division is not None

    def hold_out(self, division: Division | None) -> None:
        """Divide all samples in this way, and those that come."""
        self.division = division
        for key, one in self._slices.items():
            self._slices[key] = one._replace(split=self._divided(one.samples))

    def know(self, task: Task) -> None:
        """Leave out classes that a task does not know, from now on."""
        self._classes = task.classes if isinstance(task, SemanticTask) else None

    def paint(self, number: int) -> OwnedPaint:
        """Return the paint of a pair, copied at the first call."""
        if number not in self._paints:
            self._paints[number] = OwnedPaint(self.pairs[number])
            self.pairs[number] = self._paints[number].pair
        return self._paints[number]

    def put(
        self,
        number: int,
        start: Sequence[int],
        labels: NDArray[Any],
        annotated: NDArray[Any] | None = None,
        background: int | None = None,
    ) -> None:
        """Let a box of new paint wait until `take`; the arrays are copied.

        Raises
        ------
        LabelsError
            If there is no such pair, or the box does not lie within its labels.
        """
        every = self._all_pairs
        self._waiting.append(check_update(every, number, start, labels, annotated, background))

    def add(self, pair: Pair) -> int:
        """Let another pair wait until `take`; return its number.

        Raises
        ------
        ImageError, LabelsError
            If it does not fit the training.
        """
        check_added(pair, self.pairs[0].image, self._config)
        self._waiting.append(pair)
        return len(self._all_pairs) - 1

    def remove(self, number: int) -> None:
        """Let a pair leave at the next `take`, if there is such a pair; raises as `put`."""
        self._waiting.append(check_pair_number(self._all_pairs, number))

    @property
    def _all_pairs(self) -> list[Pair]:
        """The pairs, with those that wait."""
        return [*self.pairs, *(one for one in self._waiting if isinstance(one, Pair))]

    @property
    def waiting(self) -> bool:
        """Whether new paint waits."""
        return bool(self._waiting)

    def take(self) -> Taken:
        """Take in all new paint that waits; only the samples that it touches are made anew."""
        before = self.split.validation
        touched: dict[Key, Box] = {}
        while self._waiting:
            update = self._waiting.popleft()
            if isinstance(update, int):
                self._drop(update)
                touched = {key: box for key, box in touched.items() if key[0] != update}
                continue
            boxes = self._append(update) if isinstance(update, Pair) else self._put(update)
            for key, box in boxes:
                touched[key] = Box.around([touched[key], box]) if key in touched else box
        known = set(self._unknown)
        for key in touched:
            self._remake(key)
        divided = self.divide()
        judged = not same_labels(before, self.split.validation)
        new = tuple(NewPaint(key, self._scaled(box), _PATCHES) for key, box in touched.items())
        return Taken(new, judged, divided, frozenset(self._unknown - known))

    def _drop(self, number: int) -> None:
        self.removed.add(number)
        self.paint(number).clear()
        for key in [key for key in self._slices if key[0] == number]:
            del self._slices[key]

    def _put(self, update: PaintedBox) -> Iterable[tuple[Key, Box]]:
        if update.number in self.removed:
            return []
        paint = self.paint(update.number)
        try:
            if update.background is not None:
                paint.mark(update.background)
            paint.put(update.box, update.labels, update.annotated)
        except LabelsError as error:
            warn_user(str(error), stacklevel=3)
            return []
        self.pairs[update.number] = paint.pair
        return update.places(self._config.ndim)

    def _append(self, pair: Pair) -> Iterable[tuple[Key, Box]]:
        number = len(self.pairs)
        self.pairs.append(pair)
        self.prints.append(fingerprint(pair.image))
        held = () if self.division is None else (*self.division.held, *self.division.slabs)
        images = [each.image for each in self.pairs]
        self.groups.append(group_of_last(images, self.prints, self.groups, held))
        self.paint(number)
        places = list(self._loader.places(self.pairs[number], number))
        return [((number, *place.key), place.box) for place in places]

    def _remake(self, key: Key) -> None:
        """Make the samples of a frame or slice anew."""
        number, keys = key[0], frozenset([key[1:]])
        before = self._slices.pop(key, None)
        try:
            for place in self._loader.places(self.pairs[number], number, keys):
                taken = sum(one.size for one in self._slices.values())
                if self._slices and taken + place.size > self._memory:
                    warn_user(_NO_ROOM, stacklevel=3)
                    return
                sample = self._loader.load(place, self.groups[number])
                self._store(place, [] if sample is None else [sample])
        except (UnetNapariError, OSError) as error:
            if before is not None:
                self._slices[key] = before
            warn_user(
                f"New paint on {self.pairs[number].image.name} cannot join the training: {error}",
                stacklevel=3,
            )

    def _store(self, place: Place, samples: list[Sample]) -> None:
        key = (place.number, *place.key)
        scaled = self._scale.samples(samples)
        if self._classes is not None:
            scaled = [only_known(one, self._classes, self._unknown) for one in scaled]
        scaled = [one for one in scaled if one.annotated.any()]
        before = self._slices.get(key, _Slice([], Split([], [], ""), 0))
        split = self._divided(scaled)
        together = Split(
            before.split.training + split.training, before.split.validation + split.validation, ""
        )
        self._slices[key] = _Slice(before.samples + scaled, together, before.size + place.size)

    def _divided(self, samples: list[Sample]) -> Split:
        return Split(samples, [], "") if self.division is None else self.division.apply(samples)

    def _scaled(self, box: Box) -> Box:
        spans = zip(box.start, box.stop, self._scale.reduction, strict=True)
        return Box.from_spans((start // n, -(-stop // n)) for start, stop, n in spans)
