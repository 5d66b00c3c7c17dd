"""A region of an image, for `segment` and `predict` of Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unet_napari.engine.remote.runs import segment_elsewhere
from unet_napari.errors import SettingsError
from unet_napari.inference.regions.picking import highest_label
from unet_napari.inference.regions.placed import place_region
from unet_napari.inference.regions.region import ImageRegion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unet_napari.engine.remote.host import RemoteHost
    from unet_napari.images import Image
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.progress import Progress
    from unet_napari.inference.regions.region import RegionSource
    from unet_napari.model.model import Model

__all__ = ["predicted_region", "segmented_region"]


def predicted_region(
    region: RegionSource,
    image: Image,
    model: Model,
    out: Any,  # noqa: ANN401  anything that can be assigned to by regions
    config: InferenceConfig,
) -> Iterable[Progress]:
    """Return the steps of the prediction of a region."""
    from unet_napari.inference.regions.predict_region import predict_region_steps

    placed = place_region(ImageRegion.of(region), image)
    return predict_region_steps(image, model, placed, out, config)


def segmented_region(
    region: RegionSource,
    image: Image,
    model: Model,
    out: Any,  # noqa: ANN401  anything that can be assigned to by regions
    config: InferenceConfig,
    client: object,
    host: str | RemoteHost | None,
    *,
    empty: bool,
) -> Iterable[Progress]:
    """Return the steps of the segmentation of a region, here or on another computer.

    Parameters
    ----------
    region, image, model, out, config, client, host
        Arguments of `segment`, understood.
    empty : bool
        Whether `out` holds nothing.

    Raises
    ------
    SettingsError
        If there is a cluster to do it, which takes whole images.
    """
    from unet_napari.inference.regions.region_run import region_steps

    if client is not None:
        raise SettingsError(
            "A region is segmented on one computer, not on a cluster: leave client or region out."
        )

    wanted = ImageRegion.of(region)
    placed = place_region(wanted, image)  # now rather than on the host
    highest = 0 if empty else highest_label(out)
    if host is not None:
        return segment_elsewhere(host, image, model, out, config, wanted, highest)
    return region_steps(image, model, placed, out, config, highest=highest)
