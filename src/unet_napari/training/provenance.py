"""Where a model comes from, as JSON-able values."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unet_napari.images.sample import sample_blocks

if TYPE_CHECKING:
    from unet_napari.training.pairs import Pair

__all__ = ["describe_data", "describe_versions"]


def describe_data(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Return for each image its name, axes, shape, dtype and a hash of a sample of its pixels."""
    return [
        {
            "name": pair.image.name,
            "axes": pair.image.axes,
            "shape": [int(size) for size in pair.image.data.shape],
            "dtype": str(np.dtype(pair.image.data.dtype)),
            "pixel_size": dict(pair.image.pixel_size),
            "sha256": _hash(pair),
        }
        for pair in pairs
    ]


def describe_versions() -> dict[str, str]:
    """Return the versions that decide what a training run computes."""
    return {
        "unet-napari": version("unet-napari"),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def _hash(pair: Pair) -> str:
    digest = hashlib.sha256()
    for block in sample_blocks(pair.image):
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()
