"""Which patches a step sees: places drawn so that every class, or every cell, gets its turn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from unet_napari.geometry import Box
from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.training.data.augment import Augmenter, Patch, Source
from unet_napari.training.data.sample import Sample

__all__ = ["Anchors", "NewPaint", "PatchSampler"]

_KEPT_PLACES = 20_000  # places remembered of one sample and kind; more would not be seen in minutes
_MOST_NEW = 8  # pieces of new paint that are preferred at a time
_NEW_SHARE = 0.75  # of the patches that are laid around paint that has just come


class _Places(NamedTuple):
    """Pixels of one kind in one sample, as positions in the flattened array."""

    shape: tuple[int, ...]
    weight: float
    flat: np.ndarray

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return a pixel, shape (ndim,)."""
        return np.array(np.unravel_index(self.flat[rng.integers(len(self.flat))], self.shape))


def _places(sample: Sample, task: str) -> dict[int, _Places]:
    """Return the places of each kind; where there are very many, a random part of them."""
    found = {}
    for kind, flat in task_kind(task).anchors(sample.labelled).items():
        weight = math.sqrt(len(flat))
        if len(flat) > _KEPT_PLACES:  # the same part whenever the same sample is made again
            rng = np.random.default_rng([sample.group, kind, len(flat), *sample.origin])
            flat = rng.choice(flat, _KEPT_PLACES, replace=False)
        found[kind] = _Places(sample.labels.shape, weight, flat.astype(np.int32))
    return found


class Anchors:
    """The annotated places that patches are laid around, sorted by what was painted there.

    A sample is drawn as often as the root of its number of places says, so that an image of many
    small cells does not leave images of few large ones unseen.

    Parameters
    ----------
    samples
        The places of each sample, by their kind.
    task
        Name of the task; see `TaskKind.anchors` and `TaskKind.anchor_share`.
    """

    def __init__(self, samples: Sequence[Mapping[int, _Places]], task: str) -> None:
        entry = task_kind(task)
        kinds = sorted({kind for sample in samples for kind in sample})
        self._kinds = [
            [(number, sample[kind]) for number, sample in enumerate(samples) if kind in sample]
            for kind in kinds
        ]
        weights = [entry.anchor_share(kind) for kind in kinds]
        self._shares = np.array(weights) / (sum(weights) or 1)
        self._samples = [
            np.array([places.weight for _, places in kind])
            / sum(places.weight for _, places in kind)
            for kind in self._kinds
        ]

    def draw(self, rng: np.random.Generator) -> tuple[int, np.ndarray]:
        """Return the number of a sample and a pixel of it, shape (ndim,)."""
        kind = rng.choice(len(self._kinds), p=self._shares)
        number, places = self._kinds[kind][
            rng.choice(len(self._kinds[kind]), p=self._samples[kind])
        ]
        return number, places.draw(rng)


@dataclass(frozen=True)
class NewPaint:
    """Paint that has just come, which is drawn more often for a while.

    Attributes
    ----------
    key
        Key of its frame or slice, see `Sample.key`.
    box
        Its box there, in pixels of the samples' frame.
    left
        Number of patches that are still to be laid around it.
    """

    key: tuple[int, ...]
    box: Box
    left: int


class _Entry(NamedTuple):
    """A sample as the sampler holds it."""

    sample: Sample
    source: Source
    places: dict[int, _Places]


class PatchSampler:
    """Draws batches of varied patches.

    Parameters
    ----------
    samples
        What is trained on; patches show nothing else.
    task
        Name of the task; see `Anchors`.
    augmenter
        Cuts and varies the patches.
    rng
        Draws the places.
    device
        Device on which samples are held and patches are made.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        task: str,
        augmenter: Augmenter,
        rng: np.random.Generator,
        device: torch.device,
    ) -> None:
        self.augmenter = augmenter
        self._rng, self._task, self._device = rng, task, device
        self._entries: list[_Entry] = []
        self._new: list[NewPaint] = []
        self._new_anchors: list[Anchors | None] = []
        self.show(samples)

    def show(self, samples: Sequence[Sample]) -> None:
        """Draw from these samples from now on; those that it knows already cost nothing."""
        known = {id(entry.sample): entry for entry in self._entries}
        self._entries = [known.get(id(sample)) or self._entry(sample) for sample in samples]
        self._anchors = Anchors([entry.places for entry in self._entries], self._task)
        self.prefer(self._new)

    def prefer(self, new: Iterable[NewPaint]) -> None:
        """Lay three patches of four around new paint while it lasts: its latest eight pieces."""
        self._new = [paint for paint in new if paint.left > 0][-_MOST_NEW:]
        self._new_anchors = [self._anchors_of(paint) for paint in self._new]

    @property
    def new(self) -> tuple[NewPaint, ...]:
        """The new paint that is drawn more often at present."""
        return tuple(self._new)

    def draw(self, count: int) -> Patch:
        """Return a batch: image (N, C, *P), labels (N, *P), annotated (N, *P)."""
        patches = [self._cut() for _ in range(count)]
        image, labels, annotated = (torch.stack(parts) for parts in zip(*patches, strict=True))
        return Patch(self.augmenter.recolour(image), labels, annotated)

    def snapshot(self) -> dict[str, Any]:
        """Return what decides the next batches, as JSON-able values but for a tensor."""
        return {
            "rng": self._rng.bit_generator.state,
            "noise": self.augmenter.generator.get_state(),
            "new": [[one.key, one.box.start, one.box.stop, one.left] for one in self._new],
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Draw what would have been drawn after `snapshot`."""
        self._rng.bit_generator.state = snapshot["rng"]
        if snapshot["noise"].shape == self.augmenter.generator.get_state().shape:  # this device's
            self.augmenter.generator.set_state(snapshot["noise"])
        self.prefer(
            NewPaint(tuple(key), Box(tuple(start), tuple(stop)), int(left))
            for key, start, stop, left in snapshot["new"]
        )

    def _entry(self, sample: Sample) -> _Entry:
        source = Source(
            torch.from_numpy(np.ascontiguousarray(sample.image)).to(self._device),
            torch.from_numpy(np.ascontiguousarray(sample.labels)).to(self._device),
            torch.from_numpy(np.ascontiguousarray(sample.annotated)).to(self._device),
        )
        return _Entry(sample, source, _places(sample, self._task))

    def _anchors_of(self, paint: NewPaint) -> Anchors | None:
        """Return the places in new paint; None where none of it is trained on."""
        places = [
            _places_within(entry.sample, paint, self._task) if _holds(entry.sample, paint) else {}
            for entry in self._entries
        ]
        return Anchors(places, self._task) if any(places) else None

    def _cut(self) -> Patch:
        number, anchor = self._anchor()
        source = self._entries[number].source
        patch = np.asarray(self.augmenter.patch)
        # The anchor lands anywhere in the patch, but the patch stays in the image where it fits.
        centre = anchor + self._rng.uniform(-0.5, 0.5, len(patch)) * patch
        half, size = (patch - 1) / 2, np.asarray(source.labels.shape)
        low, high = np.minimum(half, (size - 1) / 2), np.maximum(size - 1 - half, (size - 1) / 2)
        return self.augmenter.cut(source, np.clip(centre, low, high).tolist())

    def _anchor(self) -> tuple[int, np.ndarray]:
        """Draw a place: most of the time one in new paint, if there is any."""
        if not self._new or self._rng.random() >= _NEW_SHARE:
            return self._anchors.draw(self._rng)
        which = int(self._rng.integers(len(self._new)))
        anchors, paint = self._new_anchors[which], self._new[which]
        self._new[which] = replace(paint, left=paint.left - 1)
        if paint.left <= 1:
            del self._new[which], self._new_anchors[which]
        return (anchors or self._anchors).draw(self._rng)


def _holds(sample: Sample, paint: NewPaint) -> bool:
    """Tell whether a sample is of the frame and slice of new paint, and shares pixels with it."""
    whole = Box.whole(sample.labels.shape).shift(sample.origin)
    return sample.key == paint.key and not whole.intersect(paint.box).is_empty


def _places_within(sample: Sample, paint: NewPaint, task: str) -> dict[int, _Places]:
    """Return the places of each kind in new paint; no more than its box is looked at."""
    whole = Box.whole(sample.labels.shape).shift(sample.origin)
    inside = whole.intersect(paint.box).relative_to(whole)
    shape = sample.labels.shape
    found = {}
    for kind, places in _places(sample.crop(inside), task).items():
        at = np.unravel_index(places.flat, places.shape)
        moved = tuple(a + start for a, start in zip(at, inside.start, strict=True))
        flat = np.ravel_multi_index(moved, shape).astype(np.int32)
        found[kind] = _Places(shape, places.weight, flat)
    return found
