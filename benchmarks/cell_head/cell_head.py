"""Which maps a network should give for cells, and how objects are made of them.

    python benchmarks/cell_head/cell_head.py DATA_FOLDER [VARIANT ...]    # all: an hour on one core

DATA_FOLDER holds ``dsb2018_fluo`` and ``bbbc050`` (docs/guide/models/cell-head.md). Every variant
trains the same network from the same weights on the same patches for the same number of steps, on
the train split only, a part of which is held out by the hash of the file names. Networks and maps
are kept in ``--folder``: a second call trains only what is missing, and several may run beside
each other.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from head_training import load, predict, train
from head_variants import DATASETS, VARIANTS, Variant
from heads import Labels, Maps
from numpy.typing import NDArray

from unet_napari.evaluation.objects import match
from unet_napari.networks.base import Network
from unet_napari.tasks import CellsTask
from unet_napari.training.data.sample import Sample

Counts = NDArray[np.float64]  # (images, 6): true, found, matched at each IoU, sum of their IoU
SCORES = ("AP50", "AP75", "AP90", "PQ")


def rows(
    variant: Variant, network: Network, samples: Sequence[Sample], *, more: bool
) -> Iterator[tuple[str, Counts]]:
    """Judge a variant with each of its decoders, and (`more`) what else the same maps give."""
    maps = [predict(network, variant.task, s) for s in samples]
    for title, decoder in variant.decoders.items():
        yield title, judge(samples, [decoder(variant.task, m) for m in maps])
    if not more:
        return
    # Fitted on one half of the images, judged on the other.
    halves = [list(range(k, len(samples), 2)) for k in range(2)]
    fitted = [_fit(variant.task, [(maps[i], samples[i]) for i in half]) for half in halves]
    found = [fitted[1 - i % 2].decode(m) for i, m in enumerate(maps)]
    text = " and ".join(f"{t.foreground_threshold:g}/{t.seed_threshold:g}" for t in fitted)
    yield f"thresholds fitted to the other half ({text})", judge(samples, found)
    if samples[0].labels.ndim == 2:
        turned = [predict(network, variant.task, s, turns=True) for s in samples]
        yield (
            "mean over 8 flips and turns",
            judge(samples, [variant.task.decode(m) for m in turned]),
        )


def _fit(task: CellsTask, pairs: Sequence[tuple[Maps, Sample]]) -> CellsTask:
    maps, samples = zip(*pairs, strict=True)
    return task.tuned(maps, [s.labels for s in samples], [s.annotated for s in samples])


def judge(samples: Sequence[Sample], found: Sequence[Labels]) -> Counts:
    """Match each image's objects with the true ones."""
    counts = []
    for sample, labels in zip(samples, found, strict=True):
        matches = match(sample.labels, labels)
        iou = [matches.matched_iou(t) for t in (0.5, 0.75, 0.9)]
        hits = [len(each) for each in iou]
        counts.append([matches.true_count, matches.predicted_count, *hits, iou[0].sum()])
    return np.array(counts, float)


def scores(counts: Counts) -> NDArray[np.float64]:
    """Return `SCORES` of one or many sets of images, ``(..., images, 6)``, pooled."""
    true, found, *hits, overlap = np.moveaxis(counts.sum(axis=-2), -1, 0)
    return np.stack([*(n / (true + found - n) for n in hits), 2 * overlap / (true + found)], -1)


def resampled(counts: Counts) -> NDArray[np.float64]:
    """Return the scores of images drawn with replacement, the same for every row."""
    rng = np.random.default_rng(0)
    return scores(counts[rng.integers(len(counts), size=(1000, len(counts)))])


def table(title: str, results: Mapping[str, Counts]) -> Iterator[str]:
    """Yield a row for each result: scores, standard errors, and what AP75 gains on the first."""
    first = resampled(next(iter(results.values())))
    yield f"| {title} | {' | '.join(SCORES)} | AP75 against the first |"
    yield f"|---|{'---|' * 5}"
    for name, counts in results.items():
        drawn = resampled(counts)
        pairs = zip(scores(counts), drawn.std(axis=0), strict=True)
        cells = " | ".join(f"{value:.3f} ± {error:.3f}" for value, error in pairs)
        gain = drawn[:, 1] - first[:, 1]
        yield f"| {name} | {cells} | {gain.mean():+.3f} ± {gain.std():.3f} |"


def results(name: str, keys: Sequence[str], data: Path, folder: Path) -> dict[str, Counts]:
    """Train and judge the variants of one data set; what was judged before is read."""
    chosen, found = DATASETS[name], {}
    for key in keys:
        variant, file = VARIANTS[key], folder / f"{key}.json"
        if not file.exists():
            training, validation = load(data, chosen, variant.diameter)
            network = train(variant, training, chosen, folder / f"{key}.pt")
            judged = rows(variant, network, validation, more=key in ("present", "present3d"))
            file.write_text(json.dumps({title: counts.tolist() for title, counts in judged}))
        for title, counts in json.loads(file.read_text()).items():
            found[", ".join(filter(None, [variant.title, title]))] = np.array(counts)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("variants", nargs="*", help=", ".join(VARIANTS))
    parser.add_argument("--folder", type=Path, default=Path("cell_head_networks"))
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.folder.mkdir(exist_ok=True, parents=True)
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}")
    for name, chosen in DATASETS.items():
        keys = [k for k in arguments.variants or VARIANTS if VARIANTS[k].data == name]
        found = results(name, keys, arguments.data, arguments.folder)
        for counts in list(found.values())[:1]:
            patch = " x ".join(map(str, chosen.patch))
            print(
                f"\n{chosen.folder}: {len(counts)} images held out, {counts[:, 0].sum():.0f} cells;"
            )
            print(f"{chosen.steps} steps of {chosen.batch} patches of {patch}\n")
            print("\n".join(table("head", found)))
