"""What is chosen to be trained on, image by image.

Labels, regions, axes and channel belong to one image.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple
from weakref import WeakKeyDictionary, ref

from magicgui.widgets import LineEdit

from napari.layers import Image, Labels, Layer, Shapes
from unet_napari._napari.sections.one_channel import one_channel
from unet_napari._napari.sections.paint import Snapshot, take_snapshot
from unet_napari._napari.widgets.layer_combo import LayerCombo
from unet_napari.errors import UnetNapariError

__all__ = ["Chosen", "LayerPair"]


class LayerPair(NamedTuple):
    """An image and what was painted on it.

    Attributes
    ----------
    image : napari.layers.Image
    labels : napari.layers.Labels
    annotated : napari.layers.Shapes or None
        Around what is painted completely.
    axes : str
        The axes of the image, where the user says so.
    """

    image: Image
    labels: Labels
    annotated: Shapes | None = None
    axes: str = ""
    channel: str = ""

    def snapshot(self, *, copy: bool, share: float = 1.0) -> Snapshot:
        """Take hold of the pair as it is now; see `take_snapshot`."""
        layers = (self.image, self.labels, self.axes, self.annotated)
        taken = take_snapshot(*layers, copy=copy, share=share)
        return replace(taken, image=one_channel(taken.image, self.channel))


@dataclass
class _Memory:
    """What was chosen for an image; layers that are gone are not kept by it."""

    labels: Callable[[], Layer | None] = lambda: None
    annotated: Callable[[], Layer | None] = lambda: None
    axes: str = ""
    channel: str = ""
    used: bool = False  # in a training


class Chosen:
    """The fields that say what to train on.

    What belongs to one image does not count for another: when the user chooses another image,
    labels, regions and axes become what was chosen for that one before.

    Parameters
    ----------
    image, labels, annotated : LayerCombo
    axes, channel : magicgui.widgets.LineEdit
    layers : callable
        Returns the viewer's layers.
    """

    def __init__(
        self,
        image: LayerCombo,
        labels: LayerCombo,
        annotated: LayerCombo,
        axes: LineEdit,
        channel: LineEdit,
        layers: Callable[[], Sequence[Layer]],
    ) -> None:
        self._image, self._labels = image, labels
        self._annotated, self._axes, self._channel = annotated, axes, channel
        self._layers = layers
        self._memories: WeakKeyDictionary[Image, _Memory] = WeakKeyDictionary()
        self._owner: Callable[[], Layer | None] = lambda: None  # whom the other fields belong to
        self._owned = self._owner_suggested = self._labels_suggested = False
        self._suggesting = False
        image.changed.connect(self._change_image)
        labels.changed.connect(self._remember_labels)
        for field in (annotated, axes, channel):
            field.changed.connect(self._remember)

    def pair(self) -> LayerPair | None:
        """Return what is chosen; None if an image or labels are missing."""
        image, labels = self._image.value, self._labels.value
        if image is None or labels is None:
            return None
        texts = str(self._axes.value), str(self._channel.value)
        return LayerPair(image, labels, self._annotated.value, *texts)

    def use(self) -> None:
        """Take note that the pair is trained on: its labels belong to its image from now on."""
        if isinstance(owner := self._owner(), Image):
            self._memory(owner).used = True

    @contextmanager
    def suggesting(self) -> Iterator[None]:
        """Within the block it is not the user who chooses."""
        self._suggesting = True
        try:
            yield
        finally:
            self._suggesting = False

    def suggest_labels(self, may_be: Callable[[Labels], bool]) -> None:
        """Choose the only labels that lie on the image, if nobody has chosen any.

        Parameters
        ----------
        may_be : callable
            Tells whether a layer may be proposed at all.
        """
        image = self._image.value
        if image is None or self._labels.value is not None:
            return
        others = {id(m.labels()) for i, m in self._memories.items() if i is not image}
        fitting = [
            layer
            for layer in self._layers()
            if isinstance(layer, Labels)
            and id(layer) not in others
            and may_be(layer)
            and self._lies_on(image, layer)
        ]
        if len(fitting) == 1:
            with self.suggesting():
                self._labels.suggest(fitting[0])

    def _lies_on(self, image: Image, labels: Labels) -> bool:
        try:
            taken = LayerPair(image, labels, axes=str(self._axes.value)).snapshot(copy=False)
        except UnetNapariError:
            return False
        return taken.resampling is None

    def _memory(self, image: Image) -> _Memory:
        return self._memories.setdefault(image, _Memory())

    def _change_image(self, image: Image | None) -> None:
        """Let the other fields belong to another image, unless they were chosen before it."""
        if image is None or image is self._owner():
            return
        first, self._owned = not self._owned, True
        before, self._owner = self._owner(), ref(image)
        was_suggested, self._owner_suggested = self._owner_suggested, self._suggesting
        loose = isinstance(before, Image) and was_suggested and not self._memory(before).used
        if (first or loose) and not self._labels_suggested:
            if isinstance(before, Image):
                self._memories.pop(before, None)
            self._remember()
            return
        memory = self._memory(image)
        kept, annotated = memory.labels(), memory.annotated()
        axes, channel = memory.axes, memory.channel
        self._labels.value = kept = kept if kept in self._labels.choices else None
        self._annotated.value = annotated if annotated in self._annotated.choices else None
        self._axes.value, self._channel.value = axes, channel
        if kept is None:
            self._labels.untouched = True

    def _remember_labels(self, _: object) -> None:
        self._labels_suggested = self._suggesting
        self._remember()

    def _remember(self, *_: object) -> None:
        if isinstance(owner := self._owner(), Image):
            memory = self._memory(owner)
            memory.labels = _reference(self._labels.value)
            memory.annotated = _reference(self._annotated.value)
            memory.axes, memory.channel = str(self._axes.value), str(self._channel.value)


def _reference(layer: Layer | None) -> Callable[[], Layer | None]:
    return (lambda: None) if layer is None else ref(layer)
