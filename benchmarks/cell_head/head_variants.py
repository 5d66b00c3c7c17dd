"""The variants that are trained, and the data sets that they are trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from decoders import Decoder, as_shipped, by_votes, on_distance, on_shape, regrown, with_seeds
from heads import DistanceOnly, ThreeClasses, WithBoundary, WithDepth, WithDistance, WithOffset

from unet_napari.tasks import CellsTask, Criterion

COARSE = Criterion("bce+dice")


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
