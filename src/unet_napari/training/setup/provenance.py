"""The origin of a model, as values that JSON can hold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unet_napari._version import __version__

if TYPE_CHECKING:
    from unet_napari.images import Image
    from unet_napari.tasks.kinds.kind import TaskKind
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.pairs import Pair
    from unet_napari.training.data.sample import Sample

__all__ = ["describe_data", "describe_painted", "describe_training"]

_LISTED_IMAGES = 200  # images; a model file holds a limited number of values
_NAME_LENGTH = 200  # most characters of a name


def describe_data(images: Sequence[Image], prints: Sequence[str]) -> dict[str, Any]:
    """Describe the training images.

    Parameters
    ----------
    images
        Any number of images.
    prints
        The `fingerprint` of each image.

    Returns
    -------
    dict
        ``data``: for each image its name, axes, shape, dtype, pixel size and fingerprint. Of more
        than 200 images, ``more_data`` has the number of the others, and a hash of all of theirs.
    """
    described = [
        {
            "name": _shown(image.name),
            "axes": image.axes,
            "shape": [int(size) for size in image.data.shape],
            "dtype": str(np.dtype(image.data.dtype)),
            "pixel_size": dict(image.pixel_size),
            "sha256": pixels,
        }
        for image, pixels in zip(images[:_LISTED_IMAGES], prints, strict=False)
    ]
    more = prints[_LISTED_IMAGES:]
    if not more:
        return {"data": described}
    together = hashlib.sha256("".join(more).encode()).hexdigest()
    return {"data": described, "more_data": {"images": len(more), "sha256": together}}


def describe_painted(samples: Sequence[Sample], kind: TaskKind) -> str:
    """Return what was painted, such as "14 cells in 2 images"."""
    count, things = kind.scarcest([sample.labelled for sample in samples])
    if not kind.separates_objects:
        count, things = len({*kind.groups([s.labelled for s in samples])}), kind.things
    images = len({sample.group for sample in samples})
    what = kind.thing if count == 1 else things
    return f"{count:,} {what} in {images} image{'' if images == 1 else 's'}"


def describe_training(config: TrainConfig, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return what was asked for, and the versions that decide what a training run computes."""
    versions = {
        "unet-napari": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }
    return {
        "versions": versions,
        "slicewise": any(pair.slices(config.ndim) > 1 for pair in pairs),
        "settings": config.to_dict(),
        "seed": config.seed,
    }


def _shown(name: str) -> str:
    """Return a name as text that can be saved, also of a file whose name is no text."""
    return name.encode("utf-8", "replace").decode()[:_NAME_LENGTH]
