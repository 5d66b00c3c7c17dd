"""From image-label pairs to samples: the annotated parts, read and normalised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unet_napari.errors import LabelsError, warn_user
from unet_napari.geometry import Box
from unet_napari.images import measure_scale
from unet_napari.labels.label_blocks import painted_box
from unet_napari.labels.painting import annotated_mask
from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.training.data.pairs import spacing_of
from unet_napari.training.data.sample import Sample
from unet_napari.training.data.sure_background import evident_background

if TYPE_CHECKING:
    from unet_napari.images import Image, Normalisation, Scale
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.pairs import Pair

__all__ = ["Place", "SampleLoader", "load_samples"]

# Image around the annotated pixels that patches may show, in pixels per axis.
_CONTEXT = {2: 128, 3: 32}
_LARGEST_SAMPLE = 2**26  # pixels of one sample; larger painted areas are cut into blocks
# Samples begin at multiples of it, so that a place in one is the same place in another one also
# where the network works at a half, a third or a quarter of the scale.
_GRID = 12


class Place(NamedTuple):
    """Where something was painted; nothing of the image has been read yet."""

    pair: Pair
    number: int  # of the pair
    image: Image  # one frame, or one slice of it
    key: tuple[int, ...]  # of the frame and slice, in labels and annotated
    box: Box

    @property
    def size(self) -> int:
        """Bytes that its sample takes."""
        return self.box.size * (4 * self.image.channels + 5)


def load_samples(
    pairs: Sequence[Pair],
    config: TrainConfig,
    normalisation: Normalisation,
    memory: int,
    groups: Sequence[int] | None = None,
) -> list[Sample]:
    """Read what training needs: the painted areas and some image around them.

    With ``config.ndim == 2`` each painted slice of a stack is a sample of its own. Where all
    of it would not fit into `memory` bytes, a random part (drawn from the seed) is read.

    Parameters
    ----------
    pairs, config
        What to train on, and how.
    normalisation
        Rule by which brightness is scaled.
    memory
        Bytes that the samples may take.
    groups
        Number of the image of each pair, see `image_groups`; None: each has its own.

    Raises
    ------
    ImageError, LabelsError
        If images and labels do not fit each other or the network's axes, or nothing is painted.

    Warns
    -----
    UnetNapariWarning
        If a part is left out; and see `measure_scale`.
    """
    groups = range(len(pairs)) if groups is None else groups
    loaded = SampleLoader(config, normalisation).load_all(pairs, groups, memory)
    return [sample for _, sample in loaded]


class SampleLoader:
    """Reads samples, the brightness of each image being measured once.

    Parameters
    ----------
    config
        Settings, of which the axes, the task and the meaning of unpainted pixels count.
    normalisation
        Rule by which brightness is scaled.
    """

    def __init__(self, config: TrainConfig, normalisation: Normalisation) -> None:
        self._config = config
        self._normalisation = normalisation
        self._scales: dict[int, Scale] = {}

    def load_all(
        self, pairs: Sequence[Pair], groups: Sequence[int], memory: int
    ) -> list[tuple[Place, Sample]]:
        """Return all samples with their places; see `load_samples`."""
        places = [p for number, pair in enumerate(pairs) for p in self.places(pair, number)]
        places = _affordable(places, memory, self._config.seed)
        loaded = [(place, self.load(place, groups[place.number])) for place in places]
        samples = [(place, sample) for place, sample in loaded if sample is not None]
        if not samples:
            raise LabelsError("Nothing is painted: paint a few cells or classes, then train.")
        return samples

    def places(
        self, pair: Pair, number: int, keys: frozenset[tuple[int, ...]] | None = None
    ) -> Iterator[Place]:
        """Yield where something is painted.

        Parameters
        ----------
        pair, number
            The pair and its number.
        keys
            The frames and slices that are looked at; None: all.
        """
        whole = self._config.unpainted == "background"
        for image, index in _frames(pair, self._config.ndim):
            if keys is not None and index not in keys:
                continue
            box = _painted(pair, index, image.shape, whole=whole)
            if box is not None:
                for block in _blocks(box):
                    yield Place(pair, number, image, index, block)

    def load(self, place: Place, group: int) -> Sample | None:
        """Read the sample of a place; None where nothing is annotated.

        Parameters
        ----------
        place
            Place of the sample.
        group
            Number of its image.
        """
        config = self._config
        index = (*place.key, *place.box.to_slices())
        labels = np.asarray(place.pair.labels[index])
        region = place.pair.annotated
        spacing = spacing_of(place.image, config.ndim)
        annotated = annotated_mask(
            labels,
            task=config.task,
            unpainted=config.unpainted,
            annotated=None if region is None else np.asarray(region[index]) != 0,
            spacing=spacing,
        )
        if not annotated.any():
            return None
        scale = self._scale(place)
        image = scale.rule.apply(place.image.read(place.box.to_slices()), scale.of(place.image))
        kind = task_kind(config.task)
        if kind.separates_objects and config.unpainted == "auto":
            # The limits are those beside cells, not those of a region that may be all far from
            # them.
            near = annotated_mask(labels, task=config.task, spacing=spacing)
            annotated |= evident_background(image, labels, near, spacing)
        key = (place.number, *place.key)
        return Sample(image, kind.compact_ids(labels), annotated, group, place.box.start, key)

    def _scale(self, place: Place) -> Scale:
        """Measure the whole stack or series, as in inference: a slice alone may hold nothing."""
        if place.number not in self._scales:
            self._scales[place.number] = measure_scale(self._normalisation, place.pair.image)
        return self._scales[place.number]


def _frames(pair: Pair, ndim: int) -> Iterator[tuple[Image, tuple[int, ...]]]:
    """Yield every frame, and for a network with fewer axes than the image every slice of it."""
    image = pair.image
    timed = image.frames > 1
    for frame in range(image.frames):
        still = image.select(T=frame) if timed else image
        index = (frame,) if timed else ()
        if image.ndim == ndim:
            yield still, index
        else:
            for z in range(image.shape[0]):
                yield still.select(Z=z), (*index, z)


def _painted(
    pair: Pair, index: tuple[int, ...], shape: tuple[int, ...], *, whole: bool
) -> Box | None:
    """Return the box around what was painted, with context; None where nothing was."""
    arrays = [pair.labels] if pair.annotated is None else [pair.labels, pair.annotated]
    box = painted_box(arrays, index)
    if box is None:
        return None
    if whole:
        return Box.whole(shape)
    outer = box.grow(_CONTEXT[len(shape)]).clip(shape)
    return Box(tuple(start - start % _GRID for start in outer.start), outer.stop)


def _blocks(box: Box) -> list[Box]:
    """Halve a box along its longest axis until every part is small enough."""
    if box.size <= _LARGEST_SAMPLE:
        return [box]
    axis = int(np.argmax(box.shape))
    start, stop = box.spans[axis]
    middle = start + (stop - start) // 2
    middle -= middle % _GRID
    halves = box.replace_axis(axis, start, middle), box.replace_axis(axis, middle, stop)
    return [block for half in halves for block in _blocks(half)]


def _affordable(places: list[Place], memory: int, seed: int) -> list[Place]:
    """Keep a random part of the places where all would not fit; always one."""
    needed = [place.size for place in places]
    if sum(needed) <= memory:
        return places
    kept: list[int] = []
    used = 0
    for number in np.random.default_rng(seed).permutation(len(places)):
        if not kept or used + needed[number] <= memory:
            kept.append(int(number))
            used += needed[number]
    warn_user(
        f"The memory suffices for {used / sum(needed):.0%} of what is painted: {len(kept)} of "
        f"{len(places)} parts of the images are trained on, chosen at random. For more, close "
        "other programs, or train on a computer with more memory.",
        stacklevel=2,
    )
    return [places[number] for number in sorted(kept)]
