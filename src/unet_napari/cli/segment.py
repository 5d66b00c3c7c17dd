"""``unet-napari segment``: images in, labels out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.cli.inference_options import add_inference_options, config_for
from unet_napari.cli.progress import ProgressLine
from unet_napari.cli.values import image_files, stem
from unet_napari.errors import OutputError, SettingsError
from unet_napari.inference.config import DEFAULT_MODEL
from unet_napari.words import human_time

if TYPE_CHECKING:
    from unet_napari.images import Image
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.progress import Progress
    from unet_napari.model import Model

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]

_FILE_SUFFIXES = (".tif", ".tiff", ".zarr")


def add_parser(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser("segment", help="segment images with a model")
    add = parser.add_argument
    add("images", nargs="+", type=Path, metavar="IMAGE", help="TIFF or zarr, or folders of them")
    add("--model", default=DEFAULT_MODEL,
        help="name of a model, or its file; without it the nuclei of the package")  # fmt: skip
    add("--output", required=True, type=Path, metavar="FILE|DIR",
        help="a .tif or .zarr for one image, a folder for several")  # fmt: skip
    add(
        "--table", type=Path, metavar="FILE.csv", help="also write size, centre, intensity of cells"
    )
    add(
        "--attention",
        type=Path,
        metavar="FILE",
        help="also write where an attention U-Net looks, .tif or .zarr; of one small image",
    )
    add("--verbose", action="store_true",
        help="say first how it is computed, in how much memory and time")  # fmt: skip
    add("--overwrite", action="store_true", help="replace outputs that exist")
    _add_decoding(
        parser.add_argument_group("how cells are cut out", "by default as the model says")
    )
    add_inference_options(parser)
    parser.set_defaults(command=_run)


def _add_decoding(group: argparse._ArgumentGroup) -> None:
    for name, kind, about in (
        (
            "foreground_threshold",
            float,
            "from 0 to 1; higher makes cells smaller",
        ),
        ("seed_threshold", float, "from 0 to 1; higher splits touching cells more often"),
        ("boundary_threshold", float, "from 0 to 1; higher joins cells with no clear boundary"),
        ("min_size", int, "pixels; smaller cells are dropped"),
    ):
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="N", help=about)


def _thresholds(arguments: argparse.Namespace) -> dict[str, float]:
    from unet_napari.inputs import THRESHOLDS

    given = {name: getattr(arguments, name) for name in THRESHOLDS}
    return {name: value for name, value in given.items() if value is not None}


def _run(arguments: argparse.Namespace) -> None:
    from unet_napari.inputs import image_for, with_thresholds
    from unet_napari.model import Model

    paths = [path for given in arguments.images for path in image_files(given)]
    outputs = _outputs(paths, arguments.output)
    besides = [path for path in (arguments.table, arguments.attention) if path is not None]
    _refuse_to_replace([*outputs, *besides], arguments)
    if arguments.attention and len(paths) > 1:
        raise OutputError(f"--attention is one file, for one image, but there are {len(paths)}.")
    model = with_thresholds(Model.load(arguments.model), _thresholds(arguments))
    config = config_for(model, arguments)
    for path, output in zip(paths, outputs, strict=True):
        image = image_for(model, str(path), axes=arguments.axes, channel=arguments.channel)
        _segment_one(image, model, output, config, arguments)


def _segment_one(
    image: Image,
    model: Model,
    output: Path,
    config: InferenceConfig,
    arguments: argparse.Namespace,
) -> None:
    from unet_napari.images import open_output
    from unet_napari.inference import result_axes, result_shape, segment_steps
    from unet_napari.inference.unfinished import Unfinished

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
        ) as labels,
    ):
        if arguments.attention:  # first, as it may be refused
            _write_attention(image, model, config, arguments)
        for step in segment_steps(image, model, labels, config, unfinished=unfinished):
            if arguments.verbose and step.plan is not None:
                line.say(step.plan.describe())
            line.show(_describe(step))
        if arguments.table:
            _tabulate(image, labels, arguments.table)
    line.show(f"written to {output}", last=True)


def _write_attention(
    image: Image, model: Model, config: InferenceConfig, arguments: argparse.Namespace
) -> None:
    from unet_napari.images import open_output
    from unet_napari.inference.attention import attention_maps

    gates = attention_maps(image, model, config)
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


def _tabulate(image: Image, labels: Any, path: Path) -> None:  # noqa: ANN401
    from unet_napari.measure import measure, write_table

    if image.frames > 1:
        raise SettingsError("A table is made of one time point; this image has several.")
    write_table(path, measure(image, labels))


def _outputs(paths: list[Path], output: Path) -> list[Path]:
    if output.suffix.lower() in _FILE_SUFFIXES:
        if len(paths) > 1:
            raise OutputError(
                f"{len(paths)} images cannot go into one file: name a folder with --output, "
                f"not {output}."
            )
        return [output]
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {output} cannot be made: {error.strerror}.") from error
    outputs = [output / f"{stem(path)}.tif" for path in paths]
    twice = {path.name for path in outputs if outputs.count(path) > 1}
    if twice:
        raise OutputError(f"Several images would be written to {', '.join(sorted(twice))}.")
    return outputs


def _refuse_to_replace(outputs: list[Path], arguments: argparse.Namespace) -> None:
    if arguments.overwrite:
        return
    for path in outputs:
        if path.exists():
            raise OutputError(f"{path} exists; give --overwrite to replace it.")
