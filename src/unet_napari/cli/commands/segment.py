"""``unet-napari segment``: images in, labels out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.cli.attempts import Attempts
from unet_napari.cli.inference_options import add_inference_options, config_for, read_as_asked
from unet_napari.cli.option_arguments import add_options, given_options, naming_flags
from unet_napari.cli.outputs import check_free, check_side_output, make_folder, output_files
from unet_napari.cli.progress_bar import Foresight, ProgressLine
from unet_napari.cli.table import MeasurementTable
from unet_napari.cli.values import image_files, stem
from unet_napari.defaults import LONG_RUN
from unet_napari.errors import OutputError, noting_warnings
from unet_napari.inference.config import DEFAULT_MODEL, CellThresholds
from unet_napari.labels.table_files import TABLE_SUFFIXES
from unet_napari.options import ReadingConfig
from unet_napari.system.text import human_time

if TYPE_CHECKING:
    from unet_napari.cli.values import Subparsers
    from unet_napari.images import Image
    from unet_napari.images.result_record import ResultRecord
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.progress import PlanSummary, Progress
    from unet_napari.model.model import Model

__all__ = ["add_segment_command"]


def add_segment_command(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser("segment", help="segment images with a model")
    add = parser.add_argument
    add("images", nargs="+", type=Path, metavar="IMAGE",
        help="TIFF, zarr, PNG, JPEG, BMP, or folders of them")  # fmt: skip
    add("--model", default=DEFAULT_MODEL,
        help="name of a model, or its file; without it the nuclei of the package")  # fmt: skip
    add("--output", required=True, type=Path, metavar="FILE|DIR",
        help="one image: a .tif, .zarr or IMAGE.zarr/labels/NAME; several: a folder")  # fmt: skip
    add("--table", type=Path, metavar="TABLE",
        help="also measure the cells of all images, see measure; .csv or .parquet")  # fmt: skip
    add(
        "--attention",
        type=Path,
        metavar="FILE",
        help="also write where an attention U-Net looks, .tif or .zarr; of one small image",
    )
    add("--verbose", action="store_true",
        help="say first how it is computed, in how much memory and time")  # fmt: skip
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    again.add_argument("--resume", action="store_true",
        help="go on with a folder: leave images alone whose labels exist")  # fmt: skip
    add_options(parser, CellThresholds)
    add_inference_options(parser)
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    from unet_napari.inference.views import check_image
    from unet_napari.inputs import image_for, with_thresholds
    from unet_napari.labels.label_axes import labels_on, read_labels
    from unet_napari.labels.measure import check_measurable, measure_objects
    from unet_napari.model.info import find_model
    from unet_napari.model.model import Model

    paths = [path for given in arguments.images for path in image_files(given)]
    outputs = dict(zip(paths, output_files(paths, arguments.output), strict=True))
    _check_outputs(list(outputs.values()), arguments)
    with naming_flags(CellThresholds):
        thresholds = given_options(arguments, CellThresholds)
        name = find_model(arguments.model).stem  # a model is called by the name of its file
        own = replace(Model.load(arguments.model), name=name)
        model = with_thresholds(own, thresholds)
    config = config_for(arguments)
    order = _Order(own, model, thresholds, config, arguments)
    if arguments.table:
        check_measurable(model.task.name)

    def opened(path: Path) -> Image:
        return image_for(model, read_as_asked(path, arguments))

    attempts = Attempts(len(paths))
    suitable = attempts.suitable(paths, str, lambda path: check_image(opened(path), model, config))
    if suitable and outputs[suitable[0]] != arguments.output:
        make_folder(arguments.output)
    left = [path for path in suitable if not outputs[path].exists() or arguments.overwrite]
    foresight = Foresight(len(left))
    with MeasurementTable(arguments.table) if arguments.table else nullcontext() as table:
        for path in suitable:
            with attempts.trying(str(path)):
                image = opened(path)
                if path in left:
                    rows = _segment_one(image, outputs[path], order)
                    foresight.done()
                elif table:
                    labels = labels_on(image, read_labels(outputs[path], image))
                    rows = measure_objects(labels, image, slicewise=config.slicewise)
                if table:
                    table.add(stem(path), rows)
    return attempts.report()


def _check_outputs(outputs: list[Path], arguments: argparse.Namespace) -> None:
    """Refuse, before anything is computed, what could not be written."""
    from unet_napari.images import check_image_output

    if not (arguments.overwrite or arguments.resume):
        check_free(outputs)
    if arguments.attention:
        if len(outputs) > 1:
            raise OutputError(
                f"--attention is one file, for one image, but there are {len(outputs)}."
            )
        check_image_output(arguments.attention, overwrite=arguments.overwrite)
    again = arguments.overwrite or arguments.resume
    check_side_output(arguments.table, TABLE_SUFFIXES, overwrite=again)


@dataclass(frozen=True)
class _Order:
    """How all images are segmented: the model as it is in its file, and as it decodes."""

    own: Model
    model: Model
    thresholds: Mapping[str, float]
    config: InferenceConfig
    arguments: argparse.Namespace

    def record(
        self, image: Image, output: Path, plan: PlanSummary | None, warnings: Sequence[str]
    ) -> ResultRecord:
        """Return where the labels of an image come from."""
        from unet_napari.inference.results.recording import record_of

        named = Path(self.arguments.model)  # a name of a model is no file
        return record_of(
            image,
            self.own,
            self.config,
            output=output,
            thresholds=self.thresholds,
            model_file=named if named.is_file() else None,
            plan=plan,
            warnings=warnings,
            reading=given_options(self.arguments, ReadingConfig),
        )


def _segment_one(image: Image, output: Path, order: _Order) -> dict[str, list[float]]:
    """Segment an image and return the rows of the table, if one is wanted."""
    from unet_napari.images import open_output
    from unet_napari.inference import result_axes, result_shape, segment_steps
    from unet_napari.inference.storage.unfinished import Unfinished
    from unet_napari.labels.label_axes import labels_on
    from unet_napari.labels.measure import measure_objects

    arguments, model, config = order.arguments, order.model, order.config
    line = ProgressLine(image.name)
    plan: PlanSummary | None = None
    with (
        noting_warnings() as notes,
        Unfinished(output) as unfinished,
        open_output(
            output,
            shape=result_shape(image),
            dtype="uint32",
            axes=result_axes(image),
            pixel_size=image.pixel_size,
            overwrite=arguments.overwrite,
            labels=True,
        ) as labels,
    ):
        if arguments.attention:  # first, as it may be refused
            _write_attention(image, model, config, arguments)
        for step in segment_steps(image, model, labels, config, unfinished=unfinished):
            if step.plan is not None:
                plan = step.plan
                _say(line, plan, output, verbose=arguments.verbose)
            line.show(_describe(step))
        labels.record = order.record(image, output, plan, notes)
        rows = {}
        if arguments.table:
            found = labels_on(image, labels)
            rows = measure_objects(found, image, slicewise=config.slicewise)
    line.show(f"written to {output}", last=True)
    return rows


def _say(line: ProgressLine, plan: PlanSummary, output: Path, *, verbose: bool) -> None:
    """Say before it starts how an image is computed, if that is asked for or takes long."""
    if verbose:
        line.say(plan.describe())
    elif plan.sizes:
        line.say(f"{plan.sizes[:1].upper()}{plan.sizes[1:]} (--diameter model: as it is).")
    if plan.seconds is not None and plan.seconds > LONG_RUN:
        line.say(
            f"This will take about {human_time(plan.seconds)}. If it is stopped, the same command "
            f"goes on where it was; what is done lies in .{output.name}.unfinished until then."
        )


def _write_attention(
    image: Image, model: Model, config: InferenceConfig, arguments: argparse.Namespace
) -> None:
    from unet_napari.images import open_output
    from unet_napari.inference.attention_maps import gate_maps

    gates = gate_maps(image, model, config)
    with open_output(
        arguments.attention,
        shape=gates.shape,
        dtype="float32",
        axes="C" + image.spatial_axes,
        pixel_size=image.pixel_size,
        overwrite=arguments.overwrite,
    ) as maps:
        maps[...] = gates


def _describe(step: Progress) -> str:
    left = "" if step.seconds_left is None else f", {human_time(step.seconds_left)} left"
    return f"{step.stage} {step.done}/{step.total}{left}"
