"""The steps in the making of the model `nuclei` that are no command of unet-napari.

``python scripts/nuclei.py consistent MODEL IMAGES LABELS FOLDER`` links to those images, and their
labels, whose outlines agree with what a model finds. The 45 that the trainings hold out are left
out (`nuclei-held-out.txt`: how their names begin).

``python scripts/nuclei.py mean OUTPUT MODEL...`` averages the weights of models.

``python scripts/nuclei.py finish OUTPUT MODEL IMAGES`` sets the thresholds that were chosen by the
images held out, and measures on these what is usual.

OUTPUT lies outside the repository: the file in `src/unet_napari/models` is replaced only by the
commit of a release, see ``docs/guide/models/model-file.md``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import torch

from unet_napari import Model, predict
from unet_napari.inputs import with_thresholds
from unet_napari.tasks import CellsTask
from unet_napari.tasks.decoding.decode import CellRule, pack
from unet_napari.tasks.familiarity import usual

if TYPE_CHECKING:
    from numpy.typing import NDArray

REPOSITORY = Path(__file__).resolve().parents[1]
HELD_OUT = Path(__file__).parent / "nuclei-held-out.txt"
MOST_OFF = 0.5  # pixels that the radius may differ by, on average over the cells of an image
LEAST_IOU = 0.8  # the median of the cells found
THRESHOLDS = {
    "foreground_threshold": 0.6,
    "seed_threshold": 0.8,
    "boundary_threshold": 0.6,
    "min_size": 25,
}


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    steps = parser.add_subparsers(required=True)
    step = steps.add_parser("consistent")
    for name in ("model", "images", "labels", "folder"):
        step.add_argument(name, type=Path)
    step.set_defaults(run=consistent)
    step = steps.add_parser("mean")
    step.add_argument("output", type=outside)
    step.add_argument("models", type=Path, nargs="+")
    step.set_defaults(run=mean)
    step = steps.add_parser("finish")
    step.add_argument("output", type=outside)
    for name in ("model", "images"):
        step.add_argument(name, type=Path)
    step.set_defaults(run=finish)
    arguments = parser.parse_args()
    arguments.run(arguments)


def outside(text: str) -> Path:
    """Return a path that does not lie in the repository, whose history keeps every file."""
    path = Path(text)
    if path.resolve().is_relative_to(REPOSITORY):
        raise argparse.ArgumentTypeError(
            f"{path} lies in the repository, whose history would keep every version of it"
        )
    return path


def consistent(arguments: argparse.Namespace) -> None:
    """Link to the images in which a model finds cells of the radius that the labels have."""
    model = Model.load(arguments.model)
    if not isinstance(model.task, CellsTask):
        raise SystemExit(f"{arguments.model} does not find cells.")
    task = replace(model.task, foreground_threshold=0.65, seed_threshold=0.8, min_size=0)
    for folder in ("images", "labels"):
        (arguments.folder / folder).mkdir(parents=True)
    for image in sorted(arguments.images.iterdir()):
        labels = arguments.labels / image.name
        found = task.decode(predict(tifffile.imread(image), model))
        if not is_held_out(image) and agrees(tifffile.imread(labels), found):
            for folder, path in (("images", image), ("labels", labels)):
                (arguments.folder / folder / image.name).symlink_to(path.resolve())


def is_held_out(image: Path) -> bool:
    """Tell whether the trainings held this image out."""
    return image.name.startswith(tuple(HELD_OUT.read_text().split()))


def agrees(true: NDArray[Any], found: NDArray[Any]) -> bool:
    """Tell whether the cells found, those with an IoU above 0.5, are drawn as the labels are."""
    ids = np.unique(true, return_inverse=True)[1].reshape(true.shape)
    both = np.zeros((ids.max() + 1, found.max() + 1))
    np.add.at(both, (ids, found), 1)
    sizes = both.sum(axis=1)[:, None], both.sum(axis=0)[None]
    iou = (both / (sizes[0] + sizes[1] - both))[1:, 1:]
    matched = np.argwhere(iou > 0.5)
    if not len(matched):
        return False
    first, second = 1 + matched.T
    radii = np.sqrt(sizes[0][first, 0] / np.pi), np.sqrt(sizes[1][0, second] / np.pi)
    off = float(np.mean(radii[1] - radii[0]))
    return abs(off) <= MOST_OFF and float(np.median(iou[iou > 0.5])) >= LEAST_IOU


def mean(arguments: argparse.Namespace) -> None:
    """Average weights; all else is that of the first model."""
    models = [Model.load(path) for path in arguments.models]
    states = [model.network.state_dict() for model in models]
    averaged = {
        name: torch.stack([state[name].double() for state in states]).mean(0).to(value.dtype)
        for name, value in states[0].items()
    }
    models[0].network.load_state_dict(averaged)
    models[0].save(arguments.output)


def finish(arguments: argparse.Namespace) -> None:
    """Give a model its final thresholds and its knowledge of what is usual."""
    model = with_thresholds(Model.load(arguments.model), THRESHOLDS)
    images = [path for path in sorted(arguments.images.iterdir()) if is_held_out(path)]
    maps = [pack(predict(tifffile.imread(path), model)) for path in images]
    rule = CellRule(**{name: getattr(model.task, name) for name in THRESHOLDS})
    least, most = usual(rule, maps)
    task = replace(model.task, least_confidence=least, most_coverage=most)
    replace(model, name="nuclei", task=task).save(arguments.output)


if __name__ == "__main__":
    main()
