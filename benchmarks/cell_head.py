"""Which maps a network should give for cells, and how objects are made of them.

    python benchmarks/cell_head.py DATA_FOLDER [VARIANT ...]    # all: an hour on one core

DATA_FOLDER holds ``dsb2018_fluo`` and ``bbbc050`` (docs/cell-head.md). Every variant trains the
same network from the same weights on the same patches for the same number of steps, on the train
split only, a part of which is held out by the hash of the file names. Networks and maps are kept
in ``--folder``: a second call trains only what is missing, and several may run beside each other.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import edt
import numpy as np
import tifffile
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed
from torch import Tensor

from unet_napari.evaluation.objects import match
from unet_napari.images import Normalisation, as_image
from unet_napari.networks import build_network
from unet_napari.networks.base import Network
from unet_napari.tasks import CellsTask, Criterion, Target
from unet_napari.tasks.losses import multi_class_loss, multi_label_loss
from unet_napari.training.config import AugmentConfig, TrainConfig
from unet_napari.training.data.augment import Augmenter
from unet_napari.training.data.pairs import Pair, load_samples
from unet_napari.training.data.patches import PatchSampler
from unet_napari.training.data.sample import Sample
from unet_napari.training.learner import Learner, Randomness
from unet_napari.training.tiling import predict_sample

Maps = NDArray[np.floating]
Labels = NDArray[Any]
Decoder = Callable[[CellsTask, Maps], Labels]
CPU = torch.device("cpu")
COARSE = Criterion("bce+dice")


# Heads ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WithBoundary(CellsTask):
    """Foreground and boundary; seeds are where the foreground is high and the boundary low."""

    map_names: ClassVar[tuple[str, ...]] = ("foreground", "boundary")
    seed_threshold: float = 0.4

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        values, weight = super().encode(labels, annotated)
        return Target(values[:, :2], weight[:, :2])

    def decode(self, maps: Maps) -> Labels:
        return super().decode(np.stack([maps[0], maps[1], 1 - maps[1]]))


@dataclass(frozen=True)
class WithDepth(CellsTask):
    """Foreground and depth; the watershed floods the depth."""

    map_names: ClassVar[tuple[str, ...]] = ("foreground", "depth")

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        values, weight = super().encode(labels, annotated)
        return Target(values[:, ::2], weight[:, ::2])

    def decode(self, maps: Maps) -> Labels:
        return super().decode(np.stack([maps[0], 1 - maps[1], maps[1]]))


@dataclass(frozen=True)
class ThreeClasses(WithBoundary):
    """Background, inside and boundary exclude each other (softmax)."""

    map_names: ClassVar[tuple[str, ...]] = ("background", "inside", "boundary")

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        values, weight = super().encode(labels, annotated)
        index = torch.where(values[:, 1] > 0, 2, values[:, 0].long())
        return Target(index[:, None], weight[:, :1])

    def loss(self, logits: Tensor, target: Target) -> Tensor:
        return multi_class_loss(Criterion("ce+dice"), logits, target)

    def activate(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=1)

    def decode(self, maps: Maps) -> Labels:
        return super().decode(np.stack([1 - maps[0], maps[2]]))


@dataclass(frozen=True)
class WithDistance(WithBoundary):
    """Foreground, boundary, and the distance to the cell's edge as a share of its largest."""

    map_names: ClassVar[tuple[str, ...]] = ("foreground", "boundary", "distance")

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        values, weight = super().encode(labels, annotated)
        distance = _distances(labels.numpy(), self._spacing(labels.ndim - 1))
        for each, image in zip(distance, labels.numpy(), strict=True):
            each /= _largest(each, image)
        values = torch.cat([values, torch.from_numpy(distance)[:, None]], dim=1)
        return Target(values, torch.cat([weight, weight[:, 1:]], dim=1))


@dataclass(frozen=True)
class DistanceOnly(WithDistance):
    """Foreground, and the distance to the cell's edge as a share of its largest."""

    map_names: ClassVar[tuple[str, ...]] = ("foreground", "distance")

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        values, weight = super().encode(labels, annotated)
        return Target(values[:, ::2], weight[:, ::2])


@dataclass(frozen=True)
class WithOffset(CellsTask):
    """Foreground, and the vector from each pixel to the middle of its cell (in 16 pixels)."""

    map_names: ClassVar[tuple[str, ...]] = ("foreground", "dy", "dx")

    def encode(self, labels: Tensor, annotated: Tensor) -> Target:
        offset = torch.from_numpy(np.stack([_offset(each) for each in labels.numpy()])) / 16
        inside = (labels > 0)[:, None].float()
        weight = annotated[:, None].float()
        vectors = (weight * inside).expand_as(offset)
        return Target(torch.cat([inside, offset], 1), torch.cat([weight, vectors], 1))

    def loss(self, logits: Tensor, target: Target) -> Tensor:
        first = Target(target.values[:, :1], target.weight[:, :1])
        weight = target.weight[:, 1:]
        error = F.smooth_l1_loss(logits[:, 1:], target.values[:, 1:], reduction="none", beta=0.1)
        vectors = (error * weight).sum() / weight.sum().clamp_min(1)
        return multi_label_loss(self.criterion, logits[:, :1], first) + vectors

    def activate(self, logits: Tensor) -> Tensor:
        return torch.cat([logits[:, :1].sigmoid(), logits[:, 1:]], dim=1)


def _distances(labels: Labels, spacing: Sequence[float]) -> NDArray[np.float32]:
    """Distance of each pixel of a batch to the nearest of another id."""
    return np.stack([edt.edt(image, anisotropy=spacing, parallel=1) for image in labels])


def _largest(values: NDArray[np.float32], labels: Labels) -> NDArray[np.float32]:
    """Largest value of the cell that each pixel belongs to."""
    ids, index = np.unique(labels, return_inverse=True)
    index = index.reshape(labels.shape)
    largest = np.asarray(ndimage.maximum(values, index, np.arange(len(ids))), np.float32)
    return np.maximum(largest[index], 1)


def _offset(labels: Labels) -> NDArray[np.float32]:
    ids, index = np.unique(labels, return_inverse=True)
    index = index.reshape(labels.shape)
    middle = np.array(ndimage.center_of_mass(np.ones_like(labels), index, np.arange(len(ids))))
    grid = np.indices(labels.shape, np.float32)
    return np.asarray(np.moveaxis(middle[index], -1, 0) - grid, np.float32)


# Decoders ---------------------------------------------------------------------------------------


def as_shipped(task: CellsTask, maps: Maps) -> Labels:
    """Seeds of high inside, the watershed that ships."""
    return task.decode(maps)


def with_seeds(level: float) -> Decoder:
    """Return the usual decoder with another threshold of the seeds."""
    return lambda task, maps: replace(task, seed_threshold=level).decode(maps)


def regrown(task: CellsTask, maps: Maps) -> Labels:
    """Components of high inside; other pixels of the foreground go to the nearest."""
    mask, seeds = _seeds(task, maps)
    _, nearest = ndimage.distance_transform_edt(seeds == 0, return_indices=True)
    return _clean(np.where(mask, seeds[tuple(nearest)], 0), task)


def on_shape(task: CellsTask, maps: Maps) -> Labels:
    """Take the same seeds, watershed of the distance to the edge of the foreground."""
    mask, seeds = _seeds(task, maps)
    return _clean(watershed(-ndimage.distance_transform_edt(mask), seeds, mask=mask), task)


def on_distance(level: float, *, relief: int = -1) -> Decoder:
    """Seeds where the predicted distance is above `level`, watershed of a map (the distance)."""

    def decode(task: CellsTask, maps: Maps) -> Labels:
        mask = maps[0] > task.foreground_threshold
        seeds, _ = ndimage.label((maps[-1] > level) & mask)
        ground = maps[1] if relief == 1 else -maps[-1]
        return _clean(watershed(ground, seeds, mask=mask), task)

    return decode


def by_votes(task: CellsTask, maps: Maps) -> Labels:
    """Every pixel votes for the middle of its cell; crowded places are cells."""
    mask = maps[0] > task.foreground_threshold
    place = np.stack(np.nonzero(mask))
    target = np.rint(place + 16 * maps[1:, *place]).astype(int)
    target = np.clip(target, 0, np.array(mask.shape)[:, None] - 1)
    votes = np.zeros(mask.shape)
    np.add.at(votes, tuple(target), 1)
    crowd, _ = ndimage.label(ndimage.gaussian_filter(votes, 1) > 1.5)
    if not crowd.any():
        return np.zeros(mask.shape, np.uint32)
    _, nearest = ndimage.distance_transform_edt(crowd == 0, return_indices=True)
    labels = np.zeros(mask.shape, int)
    labels[tuple(place)] = crowd[tuple(nearest[:, *target])]
    return _clean(labels, task)


def _seeds(task: CellsTask, maps: Maps) -> tuple[NDArray[np.bool_], Labels]:
    mask = maps[0] > task.foreground_threshold
    seeds, count = ndimage.label((maps[0] * (1 - maps[1]) > task.seed_threshold) & mask)
    return (mask if count else np.zeros_like(mask)), seeds


def _clean(labels: Labels, task: CellsTask) -> Labels:
    kept = np.bincount(labels.ravel()) >= task.min_size
    kept[0] = False
    return np.where(kept[labels], labels, 0)


# Variants ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Variant:
    """One head and how it is trained; several decoders may read its maps."""

    title: str
    task: CellsTask = field(default_factory=WithBoundary)
    decoders: Mapping[str, Decoder] = field(default_factory=lambda: {"": as_shipped})
    data: str = "dsb"
    seed: int = 0
    ema: float | None = None
    scale: float = 0.25
    diameter: float | None = None  # pixels that every image is rescaled to
    rate: float = 3e-3


READERS = {
    "watershed of the boundary less the foreground": as_shipped,
    "seeds regrown to the nearest": regrown,
    "watershed of the shape's distance": on_shape,
}
SEEDS = {f"seeds above {level}": with_seeds(level) for level in (0.2, 0.35, 0.5, 0.65, 0.8)}
LEVELS = {f"distance seeds above {level}": on_distance(level) for level in (0.4, 0.5, 0.6, 0.7)}
DISTANCE = {
    "watershed of the boundary less the foreground": as_shipped,
    **LEVELS,
    "distance seeds above 0.5, watershed of the boundary": on_distance(0.5, relief=1),
}
VARIANTS = {
    "present": Variant("foreground + boundary, w = 2", decoders=READERS),
    "three": Variant("three classes, w = 2", ThreeClasses()),
    "distance": Variant("foreground + boundary + distance", WithDistance(), DISTANCE),
    "pure": Variant("foreground + distance", DistanceOnly(), LEVELS),
    "offset": Variant("foreground + centre vectors", WithOffset(), {"votes": by_votes}),
    "seed1": Variant("the first again, other seed", seed=1),
    "pure1": Variant("foreground + distance, other seed", DistanceOnly(), LEVELS, seed=1),
    "all": Variant("foreground + boundary + depth up to 5 px", CellsTask(), SEEDS),
    "depth5": Variant("foreground + depth up to 5 px", WithDepth(reach=5), SEEDS),
    "depth8": Variant("foreground + depth up to 8 px", WithDepth(reach=8), SEEDS),
    "width1": Variant("w = 1", WithBoundary(boundary_width=1)),
    "width3": Variant("w = 3", WithBoundary(boundary_width=3)),
    "bce": Variant("loss bce", WithBoundary(criterion=Criterion("bce"))),
    "heavy": Variant(
        "boundary counts 3 times", WithBoundary(criterion=replace(COARSE, class_weights=(1.0, 3.0)))
    ),
    "gaps": Variant(
        "gaps between cells weigh 1 + 5", WithBoundary(criterion=replace(COARSE, border_weight=5.0))
    ),
    "ema": Variant("averaged weights, 0.99", ema=0.99),
    "scale": Variant("sizes varied 1/2 to 2", scale=1.0),
    "sized": Variant("images rescaled to cells of 24 px (true size known)", diameter=24.0),
    "three1": Variant("three classes, w = 1", ThreeClasses(boundary_width=1)),
    "present3d": Variant("foreground + boundary, w = 2", decoders=READERS, data="bbbc050"),
    "pure3d": Variant("foreground + distance", DistanceOnly(), LEVELS, data="bbbc050"),
    "depth3d": Variant("foreground + depth up to 5 px", WithDepth(reach=5), SEEDS, data="bbbc050"),
    "three3d": Variant("three classes, w = 2", ThreeClasses(), data="bbbc050"),
    "distance3d": Variant(
        "foreground + boundary + distance", WithDistance(), DISTANCE, data="bbbc050"
    ),
    "width3d": Variant("w = 1", WithBoundary(boundary_width=1), data="bbbc050"),
}


@dataclass(frozen=True)
class Dataset:
    """Where the images are, how many are held out, and what a network and a step look like."""

    folder: str
    held_out: int
    steps: int
    batch: int
    patch: tuple[int, ...]
    spacing: tuple[float, ...]
    network: Mapping[str, Any]


FEATURES = [16, 32, 64, 128]
DATASETS = {
    "dsb": Dataset(
        "dsb2018_fluo/train", 60, 800, 4, (192, 192), (1.0, 1.0), {"features": FEATURES}
    ),
    "bbbc050": Dataset(
        "bbbc050/train", 6, 240, 2, (28, 64, 64), (1.75 / 0.8, 1.0, 1.0),
        {
            "features": FEATURES,
            "strides": [[1, 2, 2], [2, 2, 2], [2, 2, 2]],
            "kernels": [[1, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]],
        },
    ),
}  # fmt: skip


def load(data: Path, chosen: Dataset, diameter: float | None) -> tuple[list[Sample], list[Sample]]:
    """Read all images, and hold out an equal share of each shape by the hash of the name."""
    names = defaultdict(list)
    for path in (data / chosen.folder / "images").glob("*.tif"):
        with tifffile.TiffFile(path) as file:
            shape = file.series[0].shape
        common = shape if len(shape) == 2 else ()
        names[common].append((hashlib.sha256(path.name.encode()).hexdigest(), path))
    total = sum(map(len, names.values()))
    held_out = {
        path
        for group in names.values()
        for _, path in sorted(group)[: round(chosen.held_out * len(group) / total)]
    }
    training, validation = [], []
    for _, path in sorted(pair for group in names.values() for pair in group):
        sample = _read(path, diameter)
        (validation if path in held_out else training).append(sample)
    return training, validation


def _read(path: Path, diameter: float | None) -> Sample:
    image, labels = tifffile.imread(path), tifffile.imread(path.parents[1] / "labels" / path.name)
    pair = Pair(as_image(image, axes="ZYX"[-image.ndim :]), labels.astype(np.int32))
    config = TrainConfig(ndim=image.ndim, unpainted="background")
    (sample,) = load_samples([pair], config, Normalisation(), 2**34)
    if diameter is None:
        return sample
    sizes = np.unique(labels[labels > 0], return_counts=True)[1]
    zoom = min(3.0, diameter / np.median(sizes) ** (1 / labels.ndim))
    return replace(
        sample,
        image=np.stack([ndimage.zoom(c, zoom, order=1) for c in sample.image]),
        labels=ndimage.zoom(sample.labels, zoom, order=0),
        annotated=ndimage.zoom(sample.annotated, zoom, order=0),
    )


def train(variant: Variant, samples: Sequence[Sample], chosen: Dataset, file: Path) -> Network:
    """Train a variant's network, or load it."""
    ndim = len(chosen.patch)
    size = {"in_channels": 1, "out_channels": variant.task.out_channels, "ndim": ndim}
    randomness = Randomness(variant.seed, CPU)
    with randomness():
        network = build_network("unet", {**chosen.network, **size})
    if file.exists():
        network.load_state_dict(torch.load(file, weights_only=True))
        return network.eval()
    rng = np.random.default_rng(variant.seed)
    generator = torch.Generator().manual_seed(variant.seed)
    augment = AugmentConfig(scale=variant.scale)
    augmenter = Augmenter(augment, chosen.patch, chosen.spacing, rng, generator)
    sampler = PatchSampler(samples, "cells", augmenter, rng, CPU)
    config = TrainConfig(
        ndim=ndim, steps=chosen.steps, ema=variant.ema, mixed_precision=False
    )  # as on every CPU
    task = replace(variant.task, anisotropy=chosen.spacing)
    learner = Learner(network, task, config, variant.rate, CPU, randomness)
    started, loss = time.process_time(), 0.0
    for step in range(chosen.steps):
        loss += learner.step(sampler.draw(chosen.batch), step / chosen.steps)
        if step % 50 == 49:
            seconds = time.process_time() - started
            text = f"{file.stem}: step {step + 1}, loss {loss / 50:.3f}, {seconds:.0f} s"
            print(text, file=sys.stderr, flush=True)
            loss = 0.0
    torch.save(learner.state(), file)
    network.load_state_dict(learner.state())
    return network.eval()


def predict(network: Network, task: CellsTask, sample: Sample, *, turns: bool = False) -> Maps:
    """Return the maps of a sample; with `turns` the mean over the eight symmetries of a square."""
    if not turns:
        return _predict(network, task, sample)
    total = np.zeros((task.out_channels, *sample.labels.shape), np.float32)
    for k in range(8):
        image = np.rot90(sample.image[..., ::-1] if k >= 4 else sample.image, k % 4, (-2, -1))
        maps = _predict(network, task, replace(sample, image=image))
        maps = np.rot90(maps, -(k % 4), (-2, -1))
        total += maps[..., ::-1] if k >= 4 else maps
    return total / 8


def _predict(network: Network, task: CellsTask, sample: Sample) -> Maps:
    halo, most = (0,) * network.ndim, sample.labels.size
    return predict_sample(network, task, sample, CPU, halo=halo, most=most)


# The table --------------------------------------------------------------------------------------

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
