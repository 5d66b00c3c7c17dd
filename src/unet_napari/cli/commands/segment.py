"""``unet-napari segment``: images in, labels out."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.cli.attempts import Attempts, one_line
from unet_napari.cli.cluster_options import (
    add_cluster_options,
    cluster_for,
    machines_of,
    steps_of_all,
)
from unet_napari.cli.inference_options import (
    add_inference_options,
    config_for,
    host_for,
    read_as_asked,
    reading_for,
    region_for,
)
from unet_napari.cli.option_arguments import add_options, given_options, naming_flags
from unet_napari.cli.outputs import check_free, check_side_output, output_files
from unet_napari.cli.progress_bar import Foresight, ProgressLine
from unet_napari.cli.values import image_files, stem
from unet_napari.defaults import LONG_RUN
from unet_napari.errors import OutputError, SettingsError, UnetNapariError
from unet_napari.inference.config import DEFAULT_MODEL, CellThresholds
from unet_napari.labels.table_files import TABLE_SUFFIXES
from unet_napari.options import HostConfig
from unet_napari.system.disk import make_folder
from unet_napari.system.text import human_time

if TYPE_CHECKING:
    from distributed import Client

    from unet_napari.cli.values import Subparsers
    from unet_napari.folder_run.image_line import ImageLine
    from unet_napari.folder_run.order import Elsewhere, FolderOrder, ListedImage
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
        help="one image: a .tif, .zarr or IMAGE.zarr/labels/NAME; several: a folder")  # fmt: skip
    add("--region", metavar="REGION|MASK",
        help="only this part: Y=100:400,X=0:300, an outline YX=(10 20, 90 20, 50 80), or a file "
        "of labels that are not 0 there; see docs/guide/inference.md")  # fmt: skip
    add("--table", type=Path, metavar="TABLE",
        help="also measure the cells of all images, see measure; .csv or .parquet")  # fmt: skip
    add("--list", type=Path, metavar="TABLE",
        help="also write a row for each image: objects, doubt, familiarity")  # fmt: skip
    add("--sheet", type=Path, metavar="PNG",
        help="also draw all images with outlines, the most doubtful first")  # fmt: skip
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
        help="go on with a folder: leave labels alone that are up to date, or edited")  # fmt: skip
    add_options(parser, CellThresholds)
    add_inference_options(parser)
    add_cluster_options(parser)
    add_options(parser, HostConfig)
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    from unet_napari.collection.names import without_labels
    from unet_napari.folder_run.contact_sheet import SHEET_SIDE
    from unet_napari.folder_run.order import FolderOrder, ListedImage
    from unet_napari.inputs import image_for
    from unet_napari.labels.measure import check_measurable
    from unet_napari.model.info import find_model
    from unet_napari.model.model import Model

    # Of a folder, not what was painted on its images, which lies beside them.
    paths = [path for given in arguments.images for path in without_labels(image_files(given))]
    outputs = dict(zip(paths, output_files(paths, arguments.output), strict=True))
    _check_outputs(list(outputs.values()), arguments)
    named = Path(arguments.model)  # a name of a model is no file
    name = find_model(arguments.model).stem  # a model is called by the name of its file
    order = FolderOrder(
        own=replace(Model.load(arguments.model), name=name),
        config=config_for(arguments),
        thresholds=given_options(arguments, CellThresholds),
        model_file=named if named.is_file() else None,
        measured=arguments.table is not None,
        doubted=bool(arguments.list or arguments.sheet),
        thumbnail=SHEET_SIDE if arguments.sheet else 0,
        overwrite=arguments.overwrite,
        region=region_for(arguments),
    )
    with naming_flags(CellThresholds):
        model = order.model
    if arguments.table:
        check_measurable(model.task.name)

    def opened(path: Path) -> Image:
        return image_for(model, read_as_asked(path, arguments))

    attempts = Attempts(len(paths))
    suitable = attempts.suitable(paths, str, lambda path: order.check(opened(path)))
    if not suitable:
        return attempts.report()
    if outputs[suitable[0]] != arguments.output:
        make_folder(arguments.output)
    if arguments.attention:  # of one image, and before its labels, as it may be refused
        _write_attention(opened(paths[0]), model, order.config, arguments)
    reading = reading_for(arguments)
    items = [
        ListedImage(stem(path), outputs[path], partial(opened, path), lambda: reading)
        for path in paths  # also those that do not suit, which get a line in the list
    ]
    with _elsewhere(order, arguments) as elsewhere, cluster_for(arguments) as client:
        machines = machines_of(client, order, reading.get("scene"))
        order = replace(order, machines=machines, elsewhere=elsewhere)
        attempts.failed |= _segment_all(items, paths, order, arguments, client)
    return attempts.report()


@contextmanager
def _elsewhere(order: FolderOrder, arguments: argparse.Namespace) -> Iterator[Elsewhere | None]:
    """Give what segments an image on another computer; None where this one does."""
    from unet_napari.engine import EngineClient
    from unet_napari.engine.remote.runs import segment_on, segment_region_on
    from unet_napari.model.info import find_model

    host, model = host_for(arguments), find_model(arguments.model)
    if host is None:
        yield None
        return
    if arguments.scheduler or arguments.workers:
        raise SettingsError(
            "--host is one other computer, --scheduler or --workers many: name one."
        )
    with EngineClient(host=host) as client:
        settings = order.config, order.thresholds
        if order.region is None:
            yield lambda image, labels: segment_on(
                client, image, model, labels, *settings, doubt=order.doubted
            )
        else:
            region = order.region
            yield lambda image, labels: segment_region_on(
                client, image, model, labels, *settings, region
            )


def _segment_all(
    items: Sequence[ListedImage],
    paths: Sequence[Path],
    order: FolderOrder,
    arguments: argparse.Namespace,
    client: Client | None,
) -> dict[str, str]:
    """Segment all images and return which failed, and why; a single one fails with an error."""
    from unet_napari.folder_run.image_line import ImageLine
    from unet_napari.folder_run.tables import FolderTables

    failed: dict[str, str] = {}
    foresight = Foresight(len(items))
    bars = {item.name: ProgressLine(item.name) for item in items}
    tables = FolderTables(arguments.table, arguments.list, arguments.sheet)
    with closing(steps_of_all(client, items, paths, order, tables)) as steps:
        while True:
            try:
                event = next(steps)
            except StopIteration as end:
                left = paths[len(paths) - end.value.not_tried :]
                return failed | dict.fromkeys(map(str, left), end.value.reason)
            bar = bars[event.name]
            if isinstance(event, ImageLine):
                _tell(event, bar, foresight)
                if event.state == "failed":
                    if len(items) == 1:
                        raise UnetNapariError(event.message)
                    failed[str(paths[event.number])] = one_line(event.message)
                continue
            plan = event.step.plan
            if plan is not None:
                _say(bar, plan, items[event.number].output, order, verbose=arguments.verbose)
            bar.show(_describe(event.step))


def _tell(line: ImageLine, bar: ProgressLine, foresight: Foresight) -> None:
    """Say what became of an image; what failed is listed at the end."""
    if line.state == "done":
        foresight.done()
        bar.show(f"written to {line.output}", last=True)
    elif line.state == "kept":
        bar.show(line.message, last=True)


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
    for table in (arguments.table, arguments.list):
        check_side_output(table, TABLE_SUFFIXES, overwrite=again)
    check_side_output(arguments.sheet, (".png",), overwrite=again)


def _say(
    line: ProgressLine, plan: PlanSummary, output: Path, order: FolderOrder, *, verbose: bool
) -> None:
    """Say before it starts how an image is computed, if that is asked for or takes long."""
    if verbose:
        line.say(plan.describe())
    elif plan.sizes:
        line.say(f"{plan.sizes[:1].upper()}{plan.sizes[1:]} (--diameter model: as it is).")
    if plan.seconds is not None and plan.seconds > LONG_RUN and order.region is None:
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
