"""``unet-napari export``: a smaller or faster form of a model, and how well it agrees."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from unet_napari.cli.values import setting
from unet_napari.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from unet_napari.cli.values import Subparsers
    from unet_napari.images import Image
    from unet_napari.inference.backends.agreement import Agreement
    from unet_napari.inference.backends.openvino_backend import OpenVinoBackend
    from unet_napari.inference.prepared import PreparedModel
    from unet_napari.model.model import Model

    Tiles = Sequence[NDArray[np.float32]]

__all__ = ["add_export_command"]

_ROUNDS = 5  # times that fp32 and int8 take turns, so that both meet the same load


def add_export_command(commands: Subparsers) -> None:
    """Add this command to the parser."""
    parser = commands.add_parser(
        "export", help="save a model in half precision, or see what int8 would bring"
    )
    add = parser.add_argument
    add("model", help="name of a model, or its file")
    add("--half", action="store_true", help="write it with weights in fp16, to --output")
    add("--output", type=Path, metavar="FILE.unet")
    add("--overwrite", action="store_true", help="replace the output if it exists")
    add("--note", type=setting, action="append", default=[], metavar="KEY=VALUE",
        help="kept in the written model, shown by info: licence='CC BY 4.0'")  # fmt: skip
    add("--int8", action="store_true",
        help="report size, speed and agreement of segment --precision int8")  # fmt: skip
    add(
        "--image",
        metavar="FILE",
        help="image to measure the agreement on (default: synthetic nuclei)",
    )
    add("--axes", help="axes of the image, such as ZYX or CYX")
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    from unet_napari.inference.prepared import PreparedModel
    from unet_napari.model.info import find_model, read_storage
    from unet_napari.model.model import Model

    _check(arguments)
    path = find_model(arguments.model)
    model = Model.load(path)
    model.provenance["notes"] = model.provenance.get("notes", {}) | dict(arguments.note)
    prepared = PreparedModel.of(model)
    tiles = _tiles(prepared, arguments.image, arguments.axes)
    stored = read_storage(path)
    print(f"{path.name}: {stored.describe()}")
    size = " x ".join(map(str, tiles[0].shape[2:]))
    print(f"measured on {arguments.image or 'synthetic nuclei'}, in tiles of {size} pixels")
    if arguments.half:
        _report_half(prepared, stored.size, tiles, arguments.output, overwrite=arguments.overwrite)
    if arguments.int8:
        _report_int8(prepared, stored.size, tiles)


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


def _tiles(prepared: PreparedModel, path: str | None, axes: str | None) -> Tiles:
    """Return normalised tiles of the user's image, or of one that is made here."""
    from unet_napari.images import measure_scale
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.running.sampling import sample_tiles, spread
    from unet_napari.inference.views import check_image, split_views
    from unet_napari.inputs import image_for

    model = prepared.model
    image = _synthetic(model) if path is None else image_for(model, path, axes=axes)
    check_image(image, model, InferenceConfig())
    views = [view.image for view in spread(split_views(image, model.ndim))]
    scale = measure_scale(model.normalisation, image)
    seen = [(view, scale.of(view)) for view in views]
    return sample_tiles(model, seen, prepared.grid("exact"))


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


def _report_int8(prepared: PreparedModel, before: int, tiles: Tiles) -> None:
    from unet_napari.inference.backends.int8 import calibrate
    from unet_napari.inference.backends.openvino_backend import OpenVinoBackend

    full, int8 = (OpenVinoBackend(prepared.network) for _ in range(2))
    agreement = calibrate(int8, prepared.model.task, tiles)
    ratio = _times_as_fast(lambda: full.logits(tiles[0]), lambda: int8.logits(tiles[0]))
    report = _report(_size_of_graph(int8), before, agreement)
    print(f"int8: {report}, {ratio:.1f} times as fast as OpenVINO in fp32")


def _report(size: int, before: int, agreement: Agreement) -> str:
    return (
        f"{size / 2**20:.1f} MiB ({size / before:.0%}), {agreement.describe()}, probabilities "
        f"within {agreement.difference:.2g}"
    )


def _size_of_graph(backend: OpenVinoBackend) -> int:
    """Return the bytes that OpenVINO needs to store a graph."""
    from unet_napari.inference.backends.openvino_backend import import_openvino

    with tempfile.TemporaryDirectory() as folder:
        import_openvino().save_model(backend.graph, Path(folder) / "graph.xml")
        return sum(file.stat().st_size for file in Path(folder).iterdir())


def _times_as_fast(slow: Callable[[], object], fast: Callable[[], object]) -> float:
    """Return how many times the second runs while the first runs once, by the best times."""
    best = [float("inf")] * 2
    for _ in range(_ROUNDS):
        for which, run in enumerate((slow, fast)):
            start = time.perf_counter()
            run()
            best[which] = min(best[which], time.perf_counter() - start)
    return best[0] / best[1]
