"""Which patches a step sees: places drawn so that every class, or every cell, gets its turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from unet_napari.training.augment import Augmenter, Patch, Source
from unet_napari.training.sample import Sample

__all__ = ["Anchors", "PatchSampler"]

_KEPT = 100_000  # places remembered of one sample and kind; more would not be seen in minutes


class Anchors:
    """The annotated places that patches are laid around, sorted by what was painted there.

    Parameters
    ----------
    samples
        What is trained on.
    task
        ``"semantic"``: a class is drawn first, all alike, then one of its pixels. ``"cells"``:
        three times out of four a cell, all alike whatever their size, else an annotated pixel
        of the background.
    rng
        Draws which places are remembered where there are very many.
    """

    def __init__(self, samples: Sequence[Sample], task: str, rng: np.random.Generator) -> None:
        kinds: dict[int, list[np.ndarray]] = {}
        for number, sample in enumerate(samples):
            for kind, flat in _places(sample, task).items():
                if len(flat) > _KEPT:
                    flat = rng.choice(flat, _KEPT, replace=False)
                place = np.stack(np.unravel_index(flat, sample.labels.shape), axis=1)
                kinds.setdefault(kind, []).append(np.insert(place, 0, number, axis=1))
        self._places = {kind: np.concatenate(kinds[kind]) for kind in sorted(kinds)}
        weights = [
            1.0 if task == "semantic" else {True: 0.75, False: 0.25}[kind > 0]
            for kind in self._places
        ]
        self._shares = np.array(weights) / sum(weights)

    def draw(self, rng: np.random.Generator) -> tuple[int, np.ndarray]:
        """Return the number of a sample and a pixel of it, shape (ndim,)."""
        places = list(self._places.values())[rng.choice(len(self._places), p=self._shares)]
        row = places[rng.integers(len(places))]
        return int(row[0]), row[1:]


class PatchSampler:
    """Draws batches of varied patches.

    Parameters
    ----------
    samples
        What is trained on; patches show nothing else.
    task
        ``"cells"`` or ``"semantic"``; see `Anchors`.
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


def _places(sample: Sample, task: str) -> dict[int, np.ndarray]:
    """Return the flat indices of the places of each kind: a class; or 1 for cells, 0 for none."""
    said = np.flatnonzero(sample.annotated)
    labels = sample.labels.ravel()[said]
    if task == "semantic":
        return {int(kind): said[labels == kind] for kind in np.unique(labels)}
    background = said[labels == 0]
    places = {0: background} if len(background) else {}
    ids, first = np.unique(labels, return_index=True)
    cells = said[first[ids > 0]]
    return {**places, 1: cells} if len(cells) else places
