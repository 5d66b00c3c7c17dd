"""What corrections are worth where the queue asks for them, against corrections anywhere.

Run with ``python benchmarks/round_two/corrector.py DATA``; it takes about ten minutes on one core.
A perfect corrector plays the second round on one image of ``usiigaci_phase`` (2D) and of
``bbbc050`` (3D): some cells are painted, and a small network is trained on them. Then 20 of its
objects are corrected: those that are doubted most, or any 20. Right ones are taken, what is no
cell is painted as background, and where the outline is wrong, the true cells under the object are
painted. Either corrections join the same training, which goes on for the same number of steps, and
AP at IoU 0.5 is measured on other images.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from unet_napari import Model, doubtful_objects, segment
from unet_napari.evaluation.objects import evaluate
from unet_napari.images import Image
from unet_napari.training import Pair, Step, TrainConfig, Trainer
from unet_napari.training.events import TrainEvent

sys.path.append(str(Path(__file__).parents[1]))
from machine import conditions

CORRECTIONS = 20
WAYS = ("queue", "random")
BACKGROUND = 60_000  # the painted number that means background
RIGHT = 0.5  # IoU from which on an object is right
UNDER = 0.25  # share of an object, or of a cell, from which on the cell is painted instead
NETWORK = {2: [8, 16, 32, 48], 3: [8, 16, 32]}
PATCH = {2: (160, 160), 3: (16, 64, 64)}


@dataclass(frozen=True)
class Data:
    """Images of one kind: one that is corrected, and others that judge."""

    name: str
    image: np.ndarray
    truth: np.ndarray
    others: list[tuple[np.ndarray, np.ndarray]]
    first: int  # cells that are painted before

    @property
    def ndim(self) -> int:
        return self.image.ndim


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--steps", type=int, nargs=2, default=(400, 200), metavar="N")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=["usiigaci_phase", "bbbc050"])
    arguments = parser.parse_args()
    print(conditions(1), "\n")
    print("| images | seed | AP50 before | queue | random | wrong in the queue | wrong at random |")
    print("|---|--:|--:|--:|--:|--:|--:|", flush=True)
    for load in (phase, embryos):
        data = load(arguments.data)
        if arguments.only in (None, data.name):
            gains = [round_of(data, seed, arguments.steps) for seed in range(arguments.seeds)]
            queue, random = (statistics.median(gain[way] for gain in gains) for way in WAYS)
            ratio = f"{queue / random:.1f} times" if random > 0 else "no ratio: random gains none"
            print(f"| {data.name} | median gain | | {queue:+.3f} | {random:+.3f} | {ratio} | |")


def phase(folder: Path) -> Data:
    train, test = folder / "usiigaci_phase" / "train", folder / "usiigaci_phase" / "test"
    image, truth = pair(train, "set03")
    others = [pair(test, name) for name in ("set04", "set06", "set31")]
    return Data("usiigaci_phase", image, truth, others, first=8)


def embryos(folder: Path) -> Data:
    image, truth = pair(folder / "bbbc050" / "train", "Emb03_t501")
    validation = folder / "bbbc050" / "val"
    names = sorted(path.stem for path in (validation / "images").glob("*_t501.tif"))
    return Data("bbbc050", image, truth, [pair(validation, name) for name in names[:3]], first=8)


def pair(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    (labels,) = (folder / "labels").glob(f"{name}.*")
    return tifffile.imread(folder / "images" / f"{name}.tif"), tifffile.imread(labels)


def round_of(data: Data, seed: int, steps: tuple[int, int]) -> dict[str, float]:
    """Play one round in both ways; return what each has gained."""
    rng = np.random.default_rng(seed)
    ids = np.unique(data.truth)[1:]
    painted = np.zeros(data.truth.shape, np.int32)
    for number, cell in enumerate(rng.choice(ids, data.first, replace=False), 1):
        painted[data.truth == cell] = number
    training = Training(data, painted, seed, sum(steps))
    model = training.until(steps[0])
    before = score(data, model)
    found = np.zeros(data.truth.shape, np.uint32)
    ranked = doubtful_objects(
        data.image, model, painted=painted, out=found, device="cpu", backend="torch", most=10**6
    )
    open_ones = [item.number for item in ranked if not item.painted]
    chosen = {
        "queue": open_ones[:CORRECTIONS],
        "random": rng.permutation(open_ones)[:CORRECTIONS].tolist(),
    }
    gains, wrong = {}, {}
    for way, numbers in chosen.items():
        corrected, wrong[way] = correct(painted, found, data.truth, numbers)
        training = Training(data, painted, seed, sum(steps))  # the same one, step by step
        training.until(steps[0])
        training.correct(corrected)
        gains[way] = score(data, training.until(sum(steps))) - before
    after = " | ".join(f"{before + gains[way]:.3f}" for way in WAYS)
    share = " | ".join(f"{wrong[way]} of {len(chosen[way])}" for way in WAYS)
    print(f"| {data.name} | {seed} | {before:.3f} | {after} | {share} |", flush=True)
    return gains


def correct(
    painted: np.ndarray, found: np.ndarray, truth: np.ndarray, numbers: list[int]
) -> tuple[np.ndarray, int]:
    """Answer for each object as somebody who knows the truth; return paint, and wrong objects."""
    result, wrong = painted.copy(), 0
    free = int(painted.max()) + 1
    for number in numbers:
        mask = found == number
        cells, shared = np.unique(truth[mask], return_counts=True)
        shares = dict(zip(cells.tolist(), shared.tolist(), strict=True))
        shares.pop(0, None)
        sizes = {cell: int((truth == cell).sum()) for cell in shares}
        ious = [n / (sizes[cell] + mask.sum() - n) for cell, n in shares.items()]
        wrong += max(ious, default=0) < RIGHT
        if max(ious, default=0) >= RIGHT:
            parts = [mask]
        else:
            under = [
                cell
                for cell, n in shares.items()
                if n >= UNDER * mask.sum() or n >= UNDER * sizes[cell]
            ]
            parts = [truth == cell for cell in under]
        for part in parts:
            result[part & (result == 0)] = free
            free += 1
        if not parts:
            result[mask & (result == 0)] = BACKGROUND
    return result, wrong


class Training:
    """A training of a small network, whose paint can be corrected on the way."""

    def __init__(self, data: Data, painted: np.ndarray, seed: int, steps: int) -> None:
        config = TrainConfig(
            task="cells",
            ndim=data.ndim,
            steps=steps,
            seed=seed,
            device="cpu",
            batch=2,
            patch=PATCH[data.ndim],
            validation=0,
            schedule="constant",
            network_options={"features": NETWORK[data.ndim]},
        )
        pair = Pair(Image(data.image, "ZYX"[-data.ndim :]), painted)
        self._trainer = Trainer([pair], config)
        self._events: Iterator[TrainEvent] = self._trainer.run()

    def until(self, step: int) -> Model:
        """Go on to a step; return the model as it is then."""
        for event in self._events:
            if isinstance(event, Step) and event.step == step:
                break
        return self._trainer.best_model(thumbnail=False)

    def correct(self, painted: np.ndarray) -> None:
        """Let other paint join."""
        self._trainer.update(0, (0,) * painted.ndim, painted, background=BACKGROUND)


def score(data: Data, model: Model) -> float:
    """AP at IoU 0.5 on the other images, pooled."""
    found = [segment(image, model, device="cpu", backend="torch") for image, _ in data.others]
    return evaluate([truth for _, truth in data.others], found).average_precision(0.5)


if __name__ == "__main__":
    main()
