"""Sample data in napari's File menu: synthetic nuclei, in 2D and 3D."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet_napari.images.synthetic import nuclei

__all__ = ["nuclei_2d", "nuclei_2d_painted", "nuclei_3d"]

LayerTuple = tuple[NDArray[Any], dict[str, Any], str]


def nuclei_2d() -> list[LayerTuple]:
    """Return an image of fluorescent nuclei, 512 x 512 pixels."""
    image, _ = nuclei((512, 512), count=120, seed=1)
    return [(image, {"name": "nuclei", **_shown(image), **_place("YX", (0.25, 0.25))}, "image")]


def nuclei_2d_painted() -> list[LayerTuple]:
    """Return the same image with the nuclei of its left half painted, ready to train on."""
    image, labels = nuclei((512, 512), count=120, seed=1)
    cut = np.unique(labels[:, 256:])  # only whole nuclei: a half one is a wrong example
    painted = np.where(np.isin(labels, cut), 0, labels).astype(np.uint16)
    place = _place("YX", (0.25, 0.25))
    return [
        (image, {"name": "nuclei", **_shown(image), **place}, "image"),
        (painted, {"name": "nuclei labels", **place}, "labels"),
    ]


def nuclei_3d() -> list[LayerTuple]:
    """Return a stack of fluorescent nuclei, 40 x 192 x 192 voxels, thicker than wide."""
    image, _ = nuclei((40, 192, 192), count=60, seed=2)
    place = _place("ZYX", (0.5, 0.25, 0.25))
    return [(image, {"name": "nuclei stack", **_shown(image), **place}, "image")]


def _shown(image: NDArray[Any]) -> dict[str, Any]:
    """Set the contrast to the nuclei, not to the few mitotic ones that outshine them."""
    return {"contrast_limits": tuple(np.percentile(image, (1, 98)).tolist())}


def _place(axes: str, pixel_size: tuple[float, ...]) -> dict[str, Any]:
    return {
        "scale": pixel_size,
        "units": ("um",) * len(axes),
        "axis_labels": tuple(axes.lower()),
    }
