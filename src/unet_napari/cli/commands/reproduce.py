"""``unet-napari reproduce``: a result made again by its record, and compared."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.cli.progress_bar import ProgressLine
from unet_napari.errors import ImageError, LabelsError, ModelFileError

if TYPE_CHECKING:
    from unet_napari.cli.values import Subparsers
    from unet_napari.images import Image
    from unet_napari.images.result_record import ResultRecord
    from unet_napari.inference.progress import Progress
    from unet_napari.inference.regions.region import ImageRegion
    from unet_napari.inference.results.comparing import LabelDifference
    from unet_napari.model.model import Model

__all__ = ["add_reproduce_command"]


def add_reproduce_command(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "reproduce",
        help="make a result again by its record, and compare",
        description="Segment the image of a result again, with the model and the settings of its "
        "record, and compare. Exit status 0: the labels are the same, bit for bit; 1: they "
        "differ, and it is said where.",
    )
    add = parser.add_argument
    add("result", type=Path, metavar="RESULT", help="labels that unet-napari has written")
    add("--image", type=Path, metavar="IMAGE", help="the image, if it lies elsewhere now")
    add("--model", metavar="NAME|FILE", help="the model, if it lies elsewhere now")
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    from unet_napari.images.result_record import pixel_digest
    from unet_napari.inference.results.recording import mark_model, mark_region

    record = needed_record(arguments.result)
    model = _model(record, arguments)
    image = _image(record, model, arguments)
    for line in _changes(record, mark_model(model).digest, pixel_digest(image)):
        print(line)
    region = _region(record, arguments.result)
    if region is not None and mark_region(region, arguments.result) != record.region:
        print("The mask of the region is another than that of the result.")
    difference = _made_again(record, image, model, arguments.result, region)
    print(difference.describe())
    return 0 if difference.first is None else 1


def needed_record(path: Path) -> ResultRecord:
    """Return the record of a result.

    Raises
    ------
    ImageError
        If there is no such file, or it has no record.
    """
    from unet_napari.images.result_record import read_record

    if not path.exists():
        raise ImageError(f"There is no file {path}.")
    record = read_record(path)
    if record is None:
        raise ImageError(
            f"{path} has no record of how it was made: it is of another program or an older "
            "unet-napari, or was saved again by another program."
        )
    return record


def _model(record: ResultRecord, arguments: argparse.Namespace) -> Model:
    from unet_napari.model.model import Model

    beside = arguments.result.parent / record.model.path
    if arguments.model:
        return Model.load(arguments.model)
    if record.model.path and beside.is_file():
        return Model.load(beside)
    try:
        return Model.load(record.model.name)
    except ModelFileError as error:
        raise ModelFileError(
            f"The model '{record.model.name}' of this result is not here: say where it is with "
            f"--model. ({error})"
        ) from error


def _image(record: ResultRecord, model: Model, arguments: argparse.Namespace) -> Image:
    from unet_napari.images import read_image
    from unet_napari.inputs import image_for

    mark = record.image
    path = arguments.image or arguments.result.parent / mark.path
    if not (arguments.image or mark.path) or not path.exists():
        raise ImageError(
            f"The image of this result, '{mark.path or mark.name}', is not here: say where it is "
            "with --image."
        )
    wanted = {name: mark.reading.get(name) for name in ("axes", "channel", "scene")}
    image = read_image(path, **wanted)
    sizes = mark.pixel_size if dict(mark.pixel_size) != dict(image.pixel_size) else None
    return image_for(model, image, scale=sizes)


def _region(record: ResultRecord, result: Path) -> ImageRegion | None:
    """Return what of the image was segmented; None for all of it."""
    from unet_napari.inference.regions.region import ImageRegion

    if "said" in record.region:
        return ImageRegion.parse(record.region["said"])
    if "mask" not in record.region:
        return None
    path = result.parent / record.region["mask"]
    if not path.exists():
        raise ImageError(f"The mask of the region of this result is not here: put it at {path}.")
    return ImageRegion(file=path)


def _changes(record: ResultRecord, model: str, image: str) -> Iterator[str]:
    """Say what is another than it was."""
    from unet_napari.inference.results.recording import used_versions

    if model != record.model.digest:
        yield f"The model is another one than that of the result (SHA-256 {model[:12]} now)."
    if image != record.image.digest:
        yield "The pixels of the image are others than those that were segmented."
    now = used_versions(str(record.computed.get("backend", "")))
    for name, version in record.versions.items():
        if now.get(name) != version:
            yield f"{name} was {version} and is {now.get(name, 'missing')} now."


def _made_again(
    record: ResultRecord, image: Image, model: Model, result: Path, region: ImageRegion | None
) -> LabelDifference:
    """Segment the image again, and compare the labels."""
    from unet_napari.images import open_output
    from unet_napari.inference import InferenceConfig, result_axes, result_shape, segment_steps
    from unet_napari.inference.regions.placed import place_region
    from unet_napari.inference.regions.region_run import region_steps
    from unet_napari.inference.results.comparing import compare_labels
    from unet_napari.inputs import with_thresholds
    from unet_napari.labels.label_axes import read_labels

    before = read_labels(result, image)
    shape = result_shape(image)
    if tuple(before.shape) != shape:
        raise LabelsError(
            f"{result} has the shape {tuple(before.shape)}, but labels of this image have {shape}."
        )
    decoding = with_thresholds(model, record.thresholds)
    config = InferenceConfig.from_dict(record.settings)
    line = ProgressLine(image.name)
    was, differing = str(record.computed.get("calibration", "")), set()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "again.zarr"
        axes, sizes = result_axes(image), image.pixel_size
        with open_output(place, shape=shape, dtype="uint32", axes=axes, pixel_size=sizes) as now:
            steps: Iterator[Progress] = (
                segment_steps(image, decoding, now, config)
                if region is None
                else region_steps(image, decoding, place_region(region, image), now, config)
            )
            for step in steps:
                if step.plan is not None:
                    differing.add((was, step.plan.calibration))
                line.show(f"{step.stage} {step.done}/{step.total}")
            for then, here in sorted(differing - {(was, was)}):
                print(f"int8 was {then or 'not used'} and is {here or 'not used'} now.")
            return compare_labels(before, now, axes)
