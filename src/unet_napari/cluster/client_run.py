"""An image segmented by the workers of a client that somebody else has made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unet_napari.cluster.connection import check_workers
from unet_napari.cluster.machines import DaskMachines
from unet_napari.cluster.shared_arrays import SharedArray
from unet_napari.errors import OutputError
from unet_napari.inference import segment_steps
from unet_napari.inference.storage.unfinished import Unfinished

if TYPE_CHECKING:
    from collections.abc import Generator

    from distributed import Client

    from unet_napari.images import Image
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.progress import Progress
    from unet_napari.model.model import Model

__all__ = ["segment_on_cluster"]


def segment_on_cluster(
    client: Client,
    image: Image,
    model: Model,
    out: Any,  # noqa: ANN401  zarr is untyped
    config: InferenceConfig,
) -> Generator[Progress, None, None]:
    """Segment an image, see `segment_steps`.

    Parameters
    ----------
    client : Client
        Connection to the scheduler.
    image : Image
        Image that was read from a file that all workers see.
    model : Model
        Model that segments.
    out : zarr.Array
        Result, in a folder that all workers see. What is done lies beside it meanwhile.
    config : InferenceConfig
        Settings of the prediction.

    Yields
    ------
    Progress

    Raises
    ------
    ImageError, OutputError, ResourceError, SettingsError
        If a worker does not see the files or has another version, or see `segment_steps`.
    """
    place = SharedArray.of(out)
    if place is None:
        raise OutputError(
            "The workers of a cluster write into a zarr array in a folder that all of them see, "
            f"in chunks of at most 32 million pixels; out is {type(out).__name__}."
        )
    check_workers(client)
    machines = DaskMachines(client, image, model, config)
    with Unfinished(place.path) as unfinished:
        yield from segment_steps(
            image, model, out, config, unfinished=unfinished, machines=machines
        )
