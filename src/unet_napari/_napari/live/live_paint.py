"""What is painted while a training runs joins it: the changed boxes are sent to the engine."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from napari.components import ViewerModel
from qtpy.QtCore import QObject, QTimer

from napari.layers import Layer, Shapes
from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.background_paint import background_number
from unet_napari._napari.layers.layer_axes import array_of
from unet_napari._napari.live.followed_pair import Change, FollowedPair
from unet_napari._napari.live.other_paint import OtherPaint
from unet_napari._napari.sections.chosen import LayerPair
from unet_napari._napari.sections.paint import Snapshot, share_pair
from unet_napari.engine import ArrayRef, PaintUpdate, PairAdded, PairRef, PairRemoved
from unet_napari.errors import UnetNapariError
from unet_napari.tasks.kinds.catalogue import task_kind

__all__ = ["LivePaint"]

_RETRY_PAUSE = 5000  # milliseconds until what could not be sent is tried again
_SETTLING_TIME = 300  # milliseconds; a shape that is dragged changes with every move of the mouse

_Shared = tuple[Change, ArrayRef, ArrayRef | None]


class LivePaint:
    """Sends every change of the labels to the running training, and each of them once.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    job : Job
        The engine that trains.
    background : Background
        Reads, compares and shares what has changed.
    parent : QObject
        Nothing is sent any more when it is gone.
    warn : callable
        Shows a line to the user, such as that a layer is gone.
    sent : callable
        Called with the number of the latest command.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        job: Job,
        background: Background,
        parent: QObject,
        warn: Callable[[str], None],
        sent: Callable[[int], None],
    ) -> None:
        self._viewer, self._job, self._background = viewer, job, background
        self._parent, self._warn, self._sent = parent, warn, sent
        self._followed: list[FollowedPair] = []
        self._count = 0  # of the pairs that the engine knows of
        self._number = 0  # of the latest command
        self._is_open = False
        self._waiting: list[PairAdded | PairRemoved] = []  # until the training has started
        self._task = ""
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._send_all)
        self._others = OtherPaint(viewer, self.pairs, warn)
        viewer.layers.events.removed.connect(self._on_removed)

    def pairs(self) -> list[LayerPair]:
        """Return the pairs that are trained on."""
        return [followed.pair for followed in self._followed]

    def follow(self, pairs: Sequence[LayerPair], task: str) -> None:
        """Follow the pairs that the training begins with, from now on; `task` is what it learns."""
        self._task = task
        for number, pair in enumerate(pairs):
            self._followed.append(self._follow(pair, number))

    def begin(self, settled: Sequence[Snapshot], others: int = 0) -> None:
        """Take the snapshots that the engine gets for what it knows; from any thread.

        Behind them the engine gets some others, of images that no layer shows.
        """
        self._count = len(self._followed) + others
        for followed, snapshot in zip(self._followed, settled, strict=True):
            followed.begin(snapshot)

    def open(self) -> None:
        """Send what has changed since then, as the training has started."""
        self._is_open = True
        waiting, self._waiting = self._waiting, []
        for command in waiting:
            self._tell(command)
        self._send_all()

    def add(self, pair: LayerPair) -> None:
        """Let a further pair join the training.

        Raises
        ------
        UnetNapariError
            If its labels do not fit its image.
        """
        if self._of(pair.image, pair.labels):
            return
        snapshot = pair.snapshot(copy=True)
        followed = self._follow(pair, -1)
        self._followed.append(followed)

        def prepare() -> PairRef:
            settled = snapshot.settled()
            followed.begin(settled)
            return share_pair(self._job, settled, self._task)

        def tell(reference: PairRef) -> None:
            followed.number, self._count = self._count, self._count + 1
            self._tell(PairAdded(reference, self._next()))
            if followed in self._followed:
                self._send(followed)
            else:  # it was removed on its way
                self._tell(PairRemoved(followed.number, self._next()))

        def fail(error: Exception) -> None:
            self._leave(followed)
            self._warn(str(error))

        self._background.run(prepare, tell, fail)

    def remove(self, pair: LayerPair) -> None:
        """Let a pair leave the training, with all that is painted on it."""
        for followed in self._of(pair.image, pair.labels):
            self._leave(followed)
            if followed.number >= 0:
                self._tell(PairRemoved(followed.number, self._next()))

    def drop(self, number: int) -> None:
        """Let one of the others leave the training, see `begin`."""
        self._tell(PairRemoved(number, self._next()))

    def follow_regions(self, shapes: Shapes | None) -> None:
        """Let other shapes say where the first pair is painted completely, or none."""
        for followed in self._followed:
            if followed.number == 0 and followed.pair.annotated is not shapes:
                followed.follow_regions(shapes)

    def close(self) -> None:
        """Follow nothing any more."""
        self._is_open = False
        self._waiting.clear()
        with suppress(RuntimeError):  # Qt has destroyed it with its parent
            self._timer.stop()
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._others.close()
        for followed in list(self._followed):
            self._leave(followed)

    def _follow(self, pair: LayerPair, number: int) -> FollowedPair:
        pair.image.events.data.connect(self._on_image)
        return FollowedPair(pair, number, self._parent, self._viewer.dims, self._note)

    def _leave(self, followed: FollowedPair) -> None:
        if followed in self._followed:
            self._followed.remove(followed)
            followed.close()
        image = followed.pair.image
        if image not in [other.image for other in self.pairs()]:
            image.events.data.disconnect(self._on_image)

    def _of(self, image: Layer, labels: Layer) -> list[FollowedPair]:
        """Return what is followed of an image and a labels layer: once or not at all."""
        return [
            one for one in self._followed if one.pair.image is image and one.pair.labels is labels
        ]

    def _note(self, followed: FollowedPair) -> None:
        if followed.boxes:
            self._send(followed)
        else:  # the regions alone
            self._timer.start(_SETTLING_TIME)

    def _send_all(self) -> None:
        for followed in self._followed:
            self._send(followed)

    def _send(self, followed: FollowedPair) -> None:
        """Have what has changed of a pair compared, shared and sent."""
        if not self._is_open or not followed.waits:
            return
        snapshot = self._snapshot(followed)
        if snapshot is None:
            return
        taken = followed.take()

        def share() -> list[_Shared]:
            return [self._share(change) for change in followed.changes(snapshot, taken)]

        def tell(shared: list[_Shared]) -> None:
            followed.busy = False
            for change, labels, annotated in shared:
                followed.learn(change)
                start, background = change.box.start, self._background_of(followed)
                told = (followed.number, start, labels, annotated, self._next(), background)
                self._tell(PaintUpdate(*told))
            self._send(followed)

        def fail(error: Exception) -> None:
            followed.busy = False
            followed.give_back(taken)
            self._warn(f"Strokes are kept and sent later: {error}")
            self._timer.start(_RETRY_PAUSE)

        self._background.run(share, tell, fail)

    def _snapshot(self, followed: FollowedPair) -> Snapshot | None:
        """Return a pair as it is now; None where it does not fit the training any more."""
        pair = followed.pair
        try:
            snapshot = pair.snapshot(copy=False)
            fits = followed.fits(snapshot)
        except UnetNapariError as error:
            self._warn(f"What is painted now does not join the training: {error}")
            return None
        if not fits:
            shape = " x ".join(map(str, array_of(pair.labels).shape))
            self._warn(
                f"'{pair.labels.name}' has other data now ({shape}), which do not join the "
                "training. It goes on with what was painted before; press Stop, then Start over "
                "(under Model), to train on them."
            )
            return None
        return snapshot

    def _share(self, change: Change) -> _Shared:
        annotated = None if change.annotated is None else self._job.share_array(change.annotated)
        return change, self._job.share_array(change.labels), annotated

    def _background_of(self, followed: FollowedPair) -> int | None:
        """Return the number that means background; of classes, background is one like any other."""
        known = background_number(followed.pair.labels)
        return known if task_kind(self._task).separates_objects else None

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _tell(self, command: PaintUpdate | PairAdded | PairRemoved) -> None:
        if self._is_open:
            self._job.tell(command)
            self._sent(command.number)
        elif not isinstance(command, PaintUpdate):
            self._waiting.append(command)

    def _on_image(self, event: Any) -> None:  # noqa: ANN401  an event of napari's
        self._warn(
            f"'{event.source.name}' shows another image now. The training goes on with the one "
            "that it was started with; press Stop and Train to train on this one."
        )

    def _on_removed(self, event: object) -> None:
        layer = getattr(event, "value", None)
        for followed in list(self._followed):
            pair = followed.pair
            if layer is pair.labels or layer is pair.image:
                what = "what was painted in it" if layer is pair.labels else "it"
                self._warn(f"'{layer.name}' was removed. The training goes on with {what}.")
            elif layer is pair.annotated:
                followed.follow_regions(None)
