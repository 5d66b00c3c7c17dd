"""``unet-napari segment``: images in, labels out."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
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
from unet_napari.errors import OutputError
from unet_napari.inference.config import DEFAULT_MODEL, CellThresholds
from unet_napari.system.text import human_time

if TYPE_CHECKING:
    from unet_napari.cli.values import Subparsers
    from unet_napari.images import Image
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
        help="a .tif or .zarr for one image, a folder for several")  # fmt: skip
    add("--table", type=Path, metavar="FILE.csv",
        help="also write size, centre, intensity of the cells of all images")  # fmt: skip
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
    from unet_napari.labels.label_axes import read_labels
    from unet_napari.labels.measure import check_measurable, measure
    from unet_napari.model.model import Model

    paths = [path for given in arguments.images for path in image_files(given)]
    outputs = dict(zip(paths, output_files(paths, arguments.output), strict=True))
    _check_outputs(list(outputs.values()), arguments)
    with naming_flags(CellThresholds):
        thresholds = given_options(arguments, CellThresholds)
        model = with_thresholds(Model.load(arguments.model), thresholds)
    config = config_for(arguments)
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
                    rows = _segment_one(image, model, outputs[path], config, arguments)
                    foresight.done()
                elif table:
                    rows = measure(image, read_labels(outputs[path], image))
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
    check_side_output(arguments.table, ".csv", overwrite=again)


def _segment_one(
    image: Image,
    model: Model,
    output: Path,
    config: InferenceConfig,
    arguments: argparse.Namespace,
) -> dict[str, list[float]]:
    """Segment an image and return the rows of the table, if one is wanted."""
    from unet_napari.images import open_output
    from unet_napari.inference import result_axes, result_shape, segment_steps
    from unet_napari.inference.storage.unfinished import Unfinished
    from unet_napari.labels.measure import measure

    line = ProgressLine(image.name)
    with (
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
                _say(line, step.plan, output, verbose=arguments.verbose)
            line.show(_describe(step))
        rows = measure(image, labels) if arguments.table else {}
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
