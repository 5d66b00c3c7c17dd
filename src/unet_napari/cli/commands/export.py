"""``unet-napari export``: a smaller or faster form of a model, and how well it agrees."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.cli.values import setting
from unet_napari.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from unet_napari.cli.values import Subparsers
    from unet_napari.images import Image, Statistics
    from unet_napari.inference.backends.agreement import Agreement
    from unet_napari.inference.prepared import PreparedModel
    from unet_napari.model.model import Model

    Tiles = Sequence[NDArray[np.float32]]
    Examples = Sequence[tuple[Image, Statistics]]

__all__ = ["add_export_command"]


def add_export_command(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "export", help="save a model in half precision, or calibrate it for int8"
    )
    add = parser.add_argument
    add("model", help="name of a model, or its file")
    add("--half", action="store_true", help="write it with weights in fp16, to --output")
    add("--output", type=Path, metavar="FILE.unet")
    add("--overwrite", action="store_true", help="replace the output if it exists")
    add("--note", type=setting, action="append", default=[], metavar="KEY=VALUE",
        help="kept in the written model, shown by info: licence='CC BY 4.0'")  # fmt: skip
    add("--int8", action="store_true",
        help="calibrate it on --image for --precision int8, and say what that brings")  # fmt: skip
    add(
        "--image",
        metavar="FILE",
        help="image to measure the agreement on (default: synthetic nuclei)",
    )
    add("--axes", help="axes of the image, such as ZYX or CYX")
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    from unet_napari.inference.prepared import PreparedModel
    from unet_napari.inference.running.sampling import sample_tiles
    from unet_napari.model.info import find_model, read_storage
    from unet_napari.model.model import Model

    _check(arguments)
    path = find_model(arguments.model)
    model = Model.load(path)
    model.provenance["notes"] = model.provenance.get("notes", {}) | dict(arguments.note)
    prepared = PreparedModel.of(model)
    examples = _examples(model, arguments.image, arguments.axes)
    tiles = sample_tiles(model, examples, prepared.grid("exact"))
    stored = read_storage(path)
    print(f"{path.name}: {stored.describe()}")
    size = " x ".join(map(str, tiles[0].shape[2:]))
    print(f"measured on {arguments.image or 'synthetic nuclei'}, in tiles of {size} pixels")
    if arguments.half:
        _report_half(prepared, stored.size, tiles, arguments.output, overwrite=arguments.overwrite)
    if arguments.int8:
        _report_int8(prepared, stored.size, examples, keep=arguments.image is not None)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse before anything is computed."""
    from unet_napari.inference.backends.int8 import check_int8
    from unet_napari.system.atomic import check_output

    if not (arguments.half or arguments.int8):
        raise SettingsError("Say what to export: --half --output FILE.unet, or --int8, or both.")
    if arguments.note and not arguments.half:
        raise SettingsError("--note is kept in the model that --half writes: give both.")
    if arguments.half != (arguments.output is not None):
        raise SettingsError("--half and --output FILE.unet belong together.")
    if arguments.half:
        if arguments.output.exists() and not arguments.overwrite:
            raise OutputError(f"{arguments.output} exists; give --overwrite to replace it.")
        check_output(arguments.output, overwrite=True)
    if arguments.int8:
        check_int8()


def _examples(model: Model, path: str | None, axes: str | None) -> Examples:
    """Return views of the user's image, or of one that is made here, and how bright each is."""
    from unet_napari.images import measure_scale
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.running.sampling import spread
    from unet_napari.inference.views import check_image, split_views
    from unet_napari.inputs import image_for

    image = _synthetic(model) if path is None else image_for(model, path, axes=axes)
    check_image(image, model, InferenceConfig())
    views = [view.image for view in spread(split_views(image, model.ndim))]
    scale = measure_scale(model.normalisation, image)
    return [(view, scale.of(view)) for view in views]


def _synthetic(model: Model) -> Image:
    import numpy as np

    from unet_napari.images import as_image, nuclei

    shape = {2: (512, 512), 3: (48, 96, 96)}[model.ndim]
    channels = [nuclei(shape, count=100, seed=seed)[0] for seed in range(model.channels)]
    return as_image(np.stack(channels), axes="C" + "ZYX"[-model.ndim :])


def _report_half(
    prepared: PreparedModel, before: int, tiles: Tiles, output: Path, *, overwrite: bool
) -> None:
    import torch

    from unet_napari.inference.backends.agreement import measure_agreement
    from unet_napari.inference.backends.torch_backend import TorchBackend
    from unet_napari.inference.prepared import PreparedModel
    from unet_napari.model.model import Model

    model = prepared.model
    written = model.save(output, overwrite=overwrite, half=True)
    full, half = (
        TorchBackend(each.network, torch.device("cpu"), "fp32")
        for each in (prepared, PreparedModel.of(Model.load(written)))
    )
    reference = [full.logits(tile) for tile in tiles]
    agreement = measure_agreement(model.task, reference, half.logits, tiles)
    print(f"fp16: {_report(written.stat().st_size, before, agreement)}, written to {written}")


def _report_int8(prepared: PreparedModel, before: int, examples: Examples, *, keep: bool) -> None:
    """Calibrate on examples, also where that was done before, and keep it if that is asked for."""
    import torch

    from unet_napari.inference.backends.backend import Quantisable
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.running.calibrating import calibrate_on
    from unet_napari.inference.running.predictor import Predictor
    from unet_napari.inference.storage.calibrations import keep_calibration

    backend = prepared.backend("openvino", torch.device("cpu"), "int8")
    assert isinstance(backend, Quantisable)  # noqa: S101  the table says that it computes int8
    calibration, agreement = calibrate_on(prepared, backend, prepared.grid("exact"), examples)
    if keep:
        keep_calibration(prepared.calibration_key, calibration)
    predictor = Predictor(prepared, examples[0][0].shape, InferenceConfig(precision="int8"))
    size = sum(part.nbytes for part in calibration.graph.values())
    report = _report(size, before, agreement)
    print(f"int8: {report}, {predictor.gain:.1f} times as fast as the precision auto here")
    if keep:
        print("kept: segment --precision int8 computes with it from now on")
    else:
        print("not kept: name an image like those to be segmented with --image")


def _report(size: int, before: int, agreement: Agreement) -> str:
    return (
        f"{size / 2**20:.1f} MiB ({size / before:.0%}), {agreement.describe()}, probabilities "
        f"within {agreement.difference:.2g}"
    )
