"""What a model file says of its model."""

from unet_napari.model.info import ModelInfo

GOOD = ModelInfo(
    name="nuclei <b>β</b>",
    task={"name": "cells", "seed_threshold": 0.5, "criterion": {"name": "bce"}},
    network={"name": "unet", "options": {"features": [8, 16], "norm": "batch"}},
    normalisation={"low": 1.0, "high": 99.8},
    channels=1,
    ndim=2,
    parameters=12_345,
    pixel_size={"Y": 0.25, "X": 0.5},
    halo=(12, 14),
    diameter=21.5,
    provenance={
        "score": 0.8125,
        "score_name": "AP50",
        "data": [{"name": "a.tif", "shape": [3, 4], "sha256": "0123456789abcdef" * 4}],
        "seconds": 12.25,
        "settings": {"long": "story"},
    },
)
