"""The ways of predicting an image that `speed.py` compares, each in a process of its own.

    python benchmarks/ways.py FOLDER WAY

FOLDER holds ``model.unet`` and ``image.npy``. Each line that comes in lets the way compute once;
the line that goes out has the seconds and the largest difference from ``untiled.npy``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unet_napari import Model, predict
from unet_napari.images import as_image
from unet_napari.inference.streaming.graph import trace
from unet_napari.inference.streaming.stream import Stream
from unet_napari.networks import fold_batch_norm

THREADS = 2
LAYOUT = {2: torch.channels_last, 3: torch.channels_last_3d}
WINDOW = {2: (256, 256), 3: (32, 128, 128)}  # of MONAI


def serve(way: str, folder: Path) -> None:
    """Run a way once for each line on stdin; answer with seconds and the largest difference."""
    torch.set_num_threads(THREADS)
    model = Model.load(folder / "model.unet")
    pixels = np.load(folder / "image.npy")
    run = WAYS[way](model, pixels)
    for _ in sys.stdin:
        started = time.perf_counter()
        maps = run()
        seconds = time.perf_counter() - started
        if isinstance(maps, Tensor):
            maps = model.task.activate(maps)[0].numpy()
        difference = _difference(maps, folder / "untiled.npy")
        print(json.dumps([seconds, difference]), flush=True)


def _difference(maps: NDArray[np.float32], reference: Path) -> float:
    """Return the largest difference; what comes first makes the reference."""
    if not reference.exists():
        np.save(reference, maps)
    return float(np.abs(maps - np.load(reference)).max())


def _normalised(model: Model, pixels: NDArray) -> Tensor:
    image = as_image(pixels)
    statistics_ = model.normalisation.measure(image)
    return torch.from_numpy(model.normalisation.apply(image.read(), statistics_))[None]


def untiled(model: Model, pixels: NDArray) -> Callable[[], Tensor]:
    """Return the network as it was trained, on the whole image: what all results should be."""
    batch, network = _normalised(model, pixels), model.network.eval()
    return torch.inference_mode()(lambda: network(batch))


def ours(model: Model, pixels: NDArray, **settings: str) -> Callable[[], NDArray[np.float32]]:
    return lambda: predict(pixels, model, device="cpu", **settings)


def monai(model: Model, pixels: NDArray, at_once: int) -> Callable[[], Tensor]:
    from monai.inferers import sliding_window_inference

    batch, network = _normalised(model, pixels), model.network.eval()
    window = WINDOW[pixels.ndim]

    @torch.inference_mode()
    def run() -> Tensor:
        result = sliding_window_inference(
            batch, window, at_once, network, overlap=0.25, mode="gaussian"
        )
        return torch.as_tensor(result)

    return run


def ideal(model: Model, pixels: NDArray) -> Callable[[], Tensor]:
    """Return the fastest of: batch norm folded, channels last, the layers of a stream."""
    layout = LAYOUT[pixels.ndim]
    batch = _normalised(model, pixels)
    folded = fold_batch_norm(model.network)
    last = fold_batch_norm(model.network).to(memory_format=layout)
    batch_last = batch.to(memory_format=layout)
    steps = trace(last, tuple(batch.shape))

    def once() -> Tensor:  # the layers that streaming calls, each on the whole image
        return next(Stream(steps, pixels.shape[0]).run([batch_last]))[1]

    forms = [
        torch.inference_mode()(form)
        for form in (lambda: folded(batch), lambda: last(batch_last), once)
    ]
    seconds = []
    for form in forms:
        form()
        started = time.perf_counter()
        form()
        seconds.append(time.perf_counter() - started)
    fastest: Callable[[], Tensor] = forms[int(np.argmin(seconds))]
    return fastest


WAYS: dict[str, Callable[[Model, NDArray], Callable[[], Tensor | NDArray[np.float32]]]] = {
    "untiled": untiled,
    "ours": lambda model, pixels: ours(model, pixels, backend="torch"),
    "MONAI, 1 at a time": lambda model, pixels: monai(model, pixels, 1),
    "MONAI, 4 at a time": lambda model, pixels: monai(model, pixels, 4),
    "ideal": ideal,
    "ours, OpenVINO": lambda model, pixels: ours(model, pixels, backend="openvino"),
    "ours, OpenVINO int8": lambda model, pixels: ours(model, pixels, precision="int8"),
}


if __name__ == "__main__":
    serve(sys.argv[2], Path(sys.argv[1]))
