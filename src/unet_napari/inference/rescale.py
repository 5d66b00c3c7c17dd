"""To the pixel size of the model and back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from skimage.transform import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.images import Image

__all__ = ["rescale_image", "rescale_labels"]

Number = TypeVar("Number", bound=np.generic)


def rescale_image(image: Image, shape: tuple[int, ...]) -> Image:
    """Return an image in another spatial shape, interpolated linearly.

    Where it gets smaller it is smoothed before, so that no detail turns into a pattern. The image
    is read whole, unless it has the shape already.
    """
    if image.shape == shape:
        return image
    channels = [
        resize(  # type: ignore[no-untyped-call]
            channel.astype(np.float32),
            shape,
            order=1,
            mode="reflect",
            anti_aliasing=any(new < old for new, old in zip(shape, image.shape, strict=True)),
        )
        for channel in image.read()
    ]
    return replace(
        image, data=np.stack(channels), axes="C" + image.spatial_axes, fixed={}, pixel_size={}
    )


def rescale_labels(labels: NDArray[Number], shape: tuple[int, ...]) -> NDArray[Number]:
    """Return labels in another shape: each pixel takes the label that lies at its centre."""
    nearest: list[NDArray[np.intp]] = [
        ((np.arange(new) + 0.5) * old / new).astype(np.intp)
        for new, old in zip(shape, labels.shape, strict=True)
    ]
    taken: NDArray[Any] = labels[np.ix_(*nearest)]
    return taken
