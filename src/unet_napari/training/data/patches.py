"""Which patches a step sees: places drawn so that every class, or every cell, gets its turn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from unet_napari.tasks.kinds.catalogue import task_kind
from unet_napari.training.data.augment import Augmenter, Patch, Source
from unet_napari.training.data.sample import Sample

__all__ = ["Anchors", "PatchSampler"]

_KEPT_PLACES = 20_000  # places remembered of one sample and kind; more would not be seen in minutes


class Anchors:
    """The annotated places that patches are laid around, sorted by what was painted there.

    A sample is drawn as often as the root of its number of places says, so that an image of many
    small cells does not leave images of few large ones unseen.

    Parameters
    ----------
    samples
        What is trained on.
    task
        Name of the task; see `TaskKind.anchors` and `TaskKind.anchor_share`.
    rng
        Draws which places are remembered where there are very many.
    """

    def __init__(self, samples: Sequence[Sample], task: str, rng: np.random.Generator) -> None:
        kinds: dict[int, list[_Places]] = {}
        task_entry = task_kind(task)
        for number, sample in enumerate(samples):
            for kind, flat in task_entry.anchors(sample.labelled).items():
                weight = math.sqrt(len(flat))
                if len(flat) > _KEPT_PLACES:
                    flat = rng.choice(flat, _KEPT_PLACES, replace=False)
                kinds.setdefault(kind, []).append(
                    _Places(number, sample.labels.shape, weight, flat.astype(np.int32))
                )
        self._kinds = [kinds[kind] for kind in sorted(kinds)]
        weights = [task_entry.anchor_share(kind) for kind in sorted(kinds)]
        self._shares = np.array(weights) / sum(weights)
        self._samples = [
            np.array([p.weight for p in kind]) / sum(p.weight for p in kind) for kind in self._kinds
        ]

    def draw(self, rng: np.random.Generator) -> tuple[int, np.ndarray]:
        """Return the number of a sample and a pixel of it, shape (ndim,)."""
        kind = rng.choice(len(self._kinds), p=self._shares)
        places = self._kinds[kind][rng.choice(len(self._kinds[kind]), p=self._samples[kind])]
        flat = places.flat[rng.integers(len(places.flat))]
        return places.sample, np.array(np.unravel_index(flat, places.shape))


@dataclass(frozen=True)
class _Places:
    """Pixels of one kind in one sample, as positions in the flattened array."""

    sample: int
    shape: tuple[int, ...]
    weight: float
    flat: np.ndarray


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
        Where samples are held and patches are made.
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
        self._rng = rng
        self._anchors = Anchors(samples, task, rng)
        self._sources = [
            Source(
                torch.from_numpy(np.ascontiguousarray(s.image)).to(device),
                torch.from_numpy(np.ascontiguousarray(s.labels)).to(device),
                torch.from_numpy(np.ascontiguousarray(s.annotated)).to(device),
            )
            for s in samples
        ]

    def draw(self, count: int) -> Patch:
        """Return a batch: image (N, C, *P), labels (N, *P), annotated (N, *P)."""
        patches = [self._cut() for _ in range(count)]
        image, labels, annotated = (torch.stack(parts) for parts in zip(*patches, strict=True))
        return Patch(self.augmenter.recolour(image), labels, annotated)

    def _cut(self) -> Patch:
        number, anchor = self._anchors.draw(self._rng)
        source = self._sources[number]
        patch = np.asarray(self.augmenter.patch)
        # The anchor lands anywhere in the patch, but the patch stays in the image where it fits.
        centre = anchor + self._rng.uniform(-0.5, 0.5, len(patch)) * patch
        half, size = (patch - 1) / 2, np.asarray(source.labels.shape)
        low, high = np.minimum(half, (size - 1) / 2), np.maximum(size - 1 - half, (size - 1) / 2)
        return self.augmenter.cut(source, np.clip(centre, low, high).tolist())
