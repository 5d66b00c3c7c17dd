"""``unet-napari evaluate``: how good a model is on labelled images it never saw."""

from __future__ import annotations

import argparse
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.cli.attempts import Attempts
from unet_napari.cli.cluster_options import add_cluster_options, cluster_for
from unet_napari.cli.inference_options import (
    add_inference_options,
    config_for,
    read_as_asked,
    reading_for,
)
from unet_napari.cli.outputs import check_side_output
from unet_napari.cli.pairing import matching_files
from unet_napari.cli.progress_bar import ProgressLine
from unet_napari.cli.values import stem
from unet_napari.errors import LabelsError, SettingsError
from unet_napari.labels.table_files import TABLE_SUFFIXES
from unet_napari.tasks.kinds.catalogue import task_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from distributed import Client
    from numpy.typing import NDArray

    from unet_napari.cli.values import Subparsers
    from unet_napari.evaluation.classes import ClassEvaluation
    from unet_napari.evaluation.objects import Evaluation
    from unet_napari.images import Image, LazyArray
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.model.model import Model

    LabelArray = NDArray[np.integer[Any]]

__all__ = ["add_evaluate_command"]


def add_evaluate_command(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "evaluate",
        help="AP at 0.5 to 0.9, PQ, splits, merges and Dice on labelled images",
        description="Segment labelled images and compare. Of cells: AP = TP / (TP + FP + FN) at "
        "IoU 0.5 to 0.9, pooled over all objects and as the mean of the images, F1, PQ, splits, "
        "merges, and Dice of the foreground. Of classes: Dice of each, where something is "
        "labelled.",
    )
    add = parser.add_argument
    add("--images", required=True, type=Path, metavar="FILE|DIR")
    add("--labels", required=True, type=Path, metavar="FILE|DIR",
        help="with the file names of the images, also with _masks, _labels, ... behind them; "
             "may be the same folder")  # fmt: skip
    add("--model", required=True, help="name of a model, or its file")
    add("--against", metavar="MODEL",
        help="a second model of cells: its scores too, and which of both is better, where the "
             "difference is larger than its error")  # fmt: skip
    add("--table", type=Path, metavar="TABLE", help="write the scores of each image")
    add("--sheet", type=Path, metavar="FILE.png",
        help="write a picture of the worst images with true and predicted outlines")  # fmt: skip
    add("--worst", type=int, default=6, metavar="N", help="images on the sheet (default: 6)")
    add("--overwrite", action="store_true", help="replace outputs that exist")
    add_inference_options(parser)
    add_cluster_options(parser)
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    import numpy as np

    from unet_napari.images.thumbnail import write_png
    from unet_napari.inference.views import check_image
    from unet_napari.labels.table_files import write_table
    from unet_napari.model.model import Model

    _check(arguments)
    files = matching_files(arguments.images, arguments.labels)
    models = [Model.load(name) for name in (arguments.model, arguments.against) if name]
    _check_rivals(models)
    config = config_for(arguments)

    def check(pair: tuple[Path, Path]) -> None:
        for model in models:
            check_image(_opened(pair, model, arguments)[0], model, config)

    attempts = Attempts(len(files))
    suitable = attempts.suitable(files, _name, check)
    worst = arguments.worst if arguments.sheet else 0
    names = (arguments.model, arguments.against)
    judges = [_Judge(Path(n).stem, m, worst) for n, m in zip(names, models, strict=False)]
    line = ProgressLine("evaluating")
    with cluster_for(arguments) as client:
        predicted = _predictions(client, suitable, models, config, arguments)
        for number, pair in enumerate(suitable, 1):
            waiting = list(islice(predicted, len(models)))
            with attempts.trying(_name(pair)):
                opened = [_opened(pair, model, arguments) for model in models]
                true = np.asarray(opened[0][1][...])
                found = [labels() for labels in waiting]
                for judge, (image, _), labels in zip(judges, opened, found, strict=True):
                    judge.add(stem(pair[0]), image, true, labels)
            line.show(f"image {number}/{len(suitable)}", last=number == len(suitable))
    if judges[0].count:
        print(_report(judges))
        if arguments.table:
            write_table(arguments.table, _table(judges))
        if arguments.sheet:
            write_png(arguments.sheet, judges[0].sheet())
    return attempts.report()


def _check_rivals(models: list[Model]) -> None:
    kinds = [task_kind(model.task.name) for model in models]
    if len(models) > 1 and not all(kind.separates_objects for kind in kinds):
        raise SettingsError(
            "--against compares two models of separate cells, object by object; of classes, "
            "evaluate one model after the other."
        )


def _report(judges: list[_Judge]) -> str:
    """Return the scores in lines; of two models, with which of them is better."""
    from unet_napari.evaluation.difference import difference
    from unet_napari.evaluation.objects import Evaluation

    found = [judge.evaluation for judge in judges]
    if len(judges) == 1:
        return found[0].describe()
    names = [judge.name for judge in judges]
    texts = [f"{name}\n{one.describe()}\n" for name, one in zip(names, found, strict=True)]
    matches = [one.matches for one in found if isinstance(one, Evaluation)]  # of cells, all are
    return "\n".join([*texts, difference(*matches).describe(*names)])


def _table(judges: list[_Judge]) -> dict[str, list[Any]]:
    """Return the scores of each image; of two models, with a column that says which."""
    tables = [judge.table() for judge in judges]
    if len(judges) == 1:
        return tables[0]
    models = {"model": [judge.name for judge in judges for _ in range(judge.count)]}
    return models | {key: [x for table in tables for x in table[key]] for key in tables[0]}


def _name(pair: tuple[Path, Path]) -> str:
    return str(pair[0])


def _check(arguments: argparse.Namespace) -> None:
    """Refuse before anything is computed."""
    if arguments.worst < 1:
        raise SettingsError(f"--worst is a number of images above 0, not {arguments.worst}.")
    for path, endings in ((arguments.table, TABLE_SUFFIXES), (arguments.sheet, (".png",))):
        check_side_output(path, endings, overwrite=arguments.overwrite)


def _opened(
    pair: tuple[Path, Path], model: Model, arguments: argparse.Namespace
) -> tuple[Image, LazyArray]:
    """Open an image and its labels, and check that they suit each other."""
    from unet_napari.inference import result_shape
    from unet_napari.inputs import image_for
    from unet_napari.labels.label_axes import read_labels

    image = image_for(model, read_as_asked(pair[0], arguments))
    labels = read_labels(pair[1], image)
    if tuple(labels.shape) != result_shape(image):
        raise LabelsError(
            f"{pair[1].name} has the shape {tuple(labels.shape)}, but its image needs labels of "
            f"{result_shape(image)}."
        )
    return image, labels


def _predictions(
    client: Client | None,
    pairs: Sequence[tuple[Path, Path]],
    models: Sequence[Model],
    config: InferenceConfig,
    arguments: argparse.Namespace,
) -> Iterator[Callable[[], LabelArray]]:
    """Return for each image, and of it for each model, what returns its labels."""
    if client is None:
        both = ((pair, model) for pair in pairs for model in models)
        return (partial(_segmented, pair, model, config, arguments) for pair, model in both)
    from unet_napari.cluster.image_tasks import labels_from_workers

    reading = reading_for(arguments)
    return labels_from_workers(client, [image for image, _ in pairs], reading, models, config)


def _segmented(
    pair: tuple[Path, Path], model: Model, config: InferenceConfig, arguments: argparse.Namespace
) -> LabelArray:
    import numpy as np

    from unet_napari.inference import result_shape, segment_steps

    image, _ = _opened(pair, model, arguments)
    predicted = np.zeros(result_shape(image), np.uint32)
    for _ in segment_steps(image, model, predicted, config):
        pass
    return predicted


class _Judge:
    """Collects the scores of the images, and pictures of the worst.

    Parameters
    ----------
    name
        What the model is called.
    model
        The model, whose task decides what is compared: objects, or classes.
    worst
        Number of images to keep pictures of.
    """

    def __init__(self, name: str, model: Model, worst: int) -> None:
        self.name = name
        self._task = model.task
        self._worst = worst
        self._names: list[str] = []
        self._counts: list[Any] = []  # what `Task.compare` returns
        self._pictures: list[tuple[float, NDArray[np.uint8]]] = []

    def add(self, name: str, image: Image, true: LabelArray, predicted: LabelArray) -> None:
        """Compare one image."""
        self._names.append(name)
        self._counts.append(self._task.compare(true, predicted))
        if self._worst:
            self._keep_picture(image, true, predicted)

    @property
    def count(self) -> int:
        """Number of images compared."""
        return len(self._names)

    @property
    def evaluation(self) -> Evaluation | ClassEvaluation:
        """The scores so far."""
        return self._task.evaluation(self._counts)

    def table(self) -> dict[str, list[Any]]:
        """Return the scores of each image, in columns."""
        rows = [self.evaluation.row(number) for number in range(len(self._names))]
        columns: dict[str, list[Any]] = {"image": list(self._names)}
        return columns | {key: [row[key] for row in rows] for key in rows[0]}

    def sheet(self) -> NDArray[np.uint8]:
        """Return the pictures of the worst images, the worst one first."""
        from unet_napari.evaluation.sheet import lay_out

        return lay_out([picture for _, picture in self._pictures])

    def _keep_picture(self, image: Image, true: LabelArray, predicted: LabelArray) -> None:
        from unet_napari.evaluation.sheet import compare

        measures = self.evaluation.row(len(self._names) - 1)
        name = self._task.score_name
        caption = f"{self._names[-1]}   {name} {measures[name]:.3f}"
        if "true" in measures:
            caption += f"   {measures['true']} true, {measures['predicted']} found"
        first = {"T": 0} if image.frames > 1 else {}
        true, predicted = (x[0] if first else x for x in (true, predicted))
        picture = compare(image.select(**first).read(), true, predicted, caption)
        self._pictures.append((measures[name], picture))
        self._pictures.sort(key=lambda entry: entry[0])
        del self._pictures[self._worst :]
