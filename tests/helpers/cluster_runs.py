"""One image segmented by this process, or by the workers of a cluster."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import zarr

from unet_napari import predict
from unet_napari.cluster.machines import DaskMachines
from unet_napari.images import Normalisation, open_output, read_image
from unet_napari.inference import InferenceConfig, result_axes, result_shape, segment_steps
from unet_napari.inference.storage.unfinished import Unfinished
from unet_napari.inputs import image_for
from unet_napari.model.model import Model
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask

ON_CPU = {"device": "cpu", "backend": "torch", "precision": "fp32"}


def segmented_file(path, model, output, client=None, *, on_step=None, **options):
    """Segment a file as the command line does; return the labels and the steps."""
    image = image_for(model, read_image(path))
    config = InferenceConfig(**{**ON_CPU, **options})
    machines = None if client is None else DaskMachines(client, image, model, config)
    steps = []
    with (
        Unfinished(output) as unfinished,
        open_output(
            output, shape=result_shape(image), dtype="uint32", axes=result_axes(image),
            pixel_size=image.pixel_size, labels=True,
        ) as out,
    ):  # fmt: skip
        for step in segment_steps(
            image, model, out, config, unfinished=unfinished, machines=machines
        ):
            steps.append(step)
            if on_step is not None:
                on_step(step)
    assert steps[-1].done == steps[-1].total
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert not unfinished.folder.exists()
    return read_image(Path(output)).read()[0] if image.frames == 1 else labels_of(output), steps


def labels_of(output):
    """Return all labels of a zarr."""
    return zarr.open_array(Path(output) / "0", mode="r")[...]


def untrained(pixels, task=None, **options):
    """Return a model with random weights, whose thresholds let it find something in an image."""
    torch.manual_seed(0)
    task = task or CellsTask()
    options = {"in_channels": 1, "out_channels": task.out_channels, "features": (4, 6), **options}
    model = Model(build_network("unet", options).eval(), task, Normalisation())
    if not isinstance(task, CellsTask):
        return model
    foreground, _, distance = predict(pixels, model, device="cpu")
    return with_task(
        model,
        min_size=4,
        foreground_threshold=float(np.quantile(foreground, 0.5)),
        seed_threshold=float(np.quantile(foreground * distance, 0.95)),
    )


def with_task(model, **changes):
    return replace(model, task=replace(model.task, **changes))
