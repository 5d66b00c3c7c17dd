"""One image segmented by this process, or by the workers of a cluster."""

from pathlib import Path

import zarr

from unet_napari.cluster.machines import DaskMachines
from unet_napari.images import open_output, read_image
from unet_napari.inference import InferenceConfig, result_axes, result_shape, segment_steps
from unet_napari.inference.storage.unfinished import Unfinished
from unet_napari.inputs import image_for

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
