"""From image-label pairs to samples: the annotated parts, read and normalised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unet_napari.errors import LabelsError, warn_user
from unet_napari.geometry import Box
from unet_napari.images import measure_scale
from unet_napari.labels.background import part_background
from unet_napari.labels.label_axes import fit_labels, labels_shape
from unet_napari.labels.label_blocks import painted_box
from unet_napari.labels.painting import annotated_mask
from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.training.data.sample import Sample
from unet_napari.training.data.sure_background import evident_background

if TYPE_CHECKING:
    from unet_napari.images import Image, LazyArray, Normalisation, Scale
    from unet_napari.training.config import TrainConfig

__all__ = ["Pair", "load_samples", "reference_image", "spacing_of"]

# Image around the annotated pixels that patches may show, in pixels per axis.
_CONTEXT = {2: 128, 3: 32}
_LARGEST_SAMPLE = 2**26  # pixels of one sample; larger painted areas are cut into blocks


@dataclass(frozen=True)
class Pair:
    """An image and what was painted on it.

    Parameters
    ----------
    image
        May have channels and time.
    labels
        Integers, of the image's axes without the channels; axes of length 1 may be there or
        not, see `fit_labels`. 0 is unpainted.
    annotated
        An array of the same shape, true where everything is painted, so that a 0 is background.
    """

    image: Image
    labels: LazyArray
    annotated: LazyArray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", fit_labels(self.labels, self.image))
        if self.annotated is not None:
            object.__setattr__(self, "annotated", fit_labels(self.annotated, self.image))

    def with_background(self, number: int | None) -> Pair:
        """Return the pair with pixels of a label number as known background, see `TrainConfig`."""
        if number is None:
            return self
        return Pair(self.image, *part_background(self.labels, self.annotated, number))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the labels must have."""
        return labels_shape(self.image)

    def slices(self, ndim: int) -> int:
        """Return how many slices a network with `ndim` axes sees of each frame."""
        return self.image.shape[0] if self.image.ndim > ndim else 1


class _Place(NamedTuple):
    """Where something was painted; nothing of the image has been read yet."""

    pair: Pair
    number: int  # of the pair
    image: Image  # one frame, or one slice of it
    key: tuple[int, ...]  # of the frame and slice, in labels and annotated
    box: Box


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
        How brightness is scaled.
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
    places = [place for number, pair in enumerate(pairs) for place in _places(pair, number, config)]
    places = _affordable(places, memory, config.seed)
    # Of the whole stack or series, as in inference: a slice alone may hold nothing at all.
    scales = {
        number: measure_scale(normalisation, pairs[number].image)
        for number in {place.number for place in places}
    }
    loaded = (_load(place, groups[place.number], config, scales[place.number]) for place in places)
    samples = [sample for sample in loaded if sample is not None]
    if not samples:
        raise LabelsError("Nothing is painted: paint a few cells or classes, then train.")
    return samples


def spacing_of(image: Image, ndim: int) -> tuple[float, ...]:
    """Return the pixel size per axis of the network, relative to the smallest; 1 if unknown."""
    sizes = [image.pixel_size.get(axis) for axis in image.spatial_axes[-ndim:]]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return (1.0,) * ndim
    return tuple(size / min(known) for size in known)


def reference_image(pairs: Sequence[Pair], ndim: int) -> Image:
    """Return the image whose pixel size stands for all: the first that knows all of it, if any."""
    for pair in pairs:
        if all(axis in pair.image.pixel_size for axis in pair.image.spatial_axes[-ndim:]):
            return pair.image
    return pairs[0].image


def _places(pair: Pair, number: int, config: TrainConfig) -> Iterator[_Place]:
    whole = config.unpainted == "background"
    for image, index in _frames(pair, config.ndim):
        box = _painted(pair, index, image.shape, whole=whole)
        if box is not None:
            for block in _blocks(box):
                yield _Place(pair, number, image, index, block)


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
    return box.grow(_CONTEXT[len(shape)]).clip(shape)


def _blocks(box: Box) -> list[Box]:
    """Halve a box along its longest axis until every part is small enough."""
    if box.size <= _LARGEST_SAMPLE:
        return [box]
    axis = int(np.argmax(box.shape))
    start, stop = box.spans[axis]
    middle = start + (stop - start) // 2
    halves = box.replace_axis(axis, start, middle), box.replace_axis(axis, middle, stop)
    return [block for half in halves for block in _blocks(half)]


def _affordable(places: list[_Place], memory: int, seed: int) -> list[_Place]:
    """Keep a random part of the places where all would not fit; always one."""
    needed = [place.box.size * (4 * place.image.channels + 5) for place in places]
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


def _load(
    place: _Place,
    group: int,
    config: TrainConfig,
    scale: Scale,
) -> Sample | None:
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
    image = scale.rule.apply(place.image.read(place.box.to_slices()), scale.of(place.image))
    kind = task_kind(config.task)
    if kind.separates_objects and config.unpainted == "auto":
        # The limits are those beside cells, not those of a region that may be all far from them.
        near = annotated_mask(labels, task=config.task, spacing=spacing)
        annotated |= evident_background(image, labels, near, spacing)
    return Sample(
        image,
        kind.compact_ids(labels),
        annotated,
        group,
        place.box.start,
    )
