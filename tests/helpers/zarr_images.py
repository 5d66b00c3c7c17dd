"""Pixels and axes of the OME-Zarr images that tests write."""

import numpy as np

STACK = np.random.default_rng(0).integers(0, 4000, (2, 5, 20, 30), dtype=np.uint16)


def axis(name, unit=None):
    kind = {"t": "time", "c": "channel"}.get(name, "space")
    return {"name": name, "type": kind} | ({"unit": unit} if unit else {})


CZYX = [axis("c"), *(axis(name, "nanometer") for name in "zyx")]
