"""Maps of blobs, and their labels as the decoder writes them."""

import numpy as np
from scipy import ndimage

from unet_napari.tasks.decoding.blocks import Blocks
from unet_napari.tasks.decoding.decode import pack
from unet_napari.tasks.decoding.instances import Instances


class Written:
    """A result that counts how often each pixel is written."""

    def __init__(self, shape):
        self.shape = shape
        self.labels = np.full(shape, 2**32 - 1, np.uint32)
        self.times = np.zeros(shape, int)

    def __setitem__(self, box, labels):
        self.labels[box] = labels
        self.times[box] += 1


def objects(maps, rule, blocks=None, **options):
    """Return the labels of packed maps."""
    out = Written(maps.shape[1:])
    scratch = np.full(out.shape, 2**32 - 1, np.uint32)
    steps = list(Instances(rule, maps, scratch, blocks or Blocks()).run(out, **options))
    assert steps[-1][0] == steps[-1][1]
    assert [step[0] for step in steps] == list(range(1, len(steps) + 1))
    assert (out.times == 1).all()
    return out.labels


def noise(shape, seed, smooth, levels):
    """Return packed maps of blobs, with plateaus where there are few levels."""
    rng = np.random.default_rng(seed)
    maps = np.stack([ndimage.gaussian_filter(rng.normal(size=shape), smooth) for _ in range(2)])
    maps = np.clip(maps / (maps.std() + 1e-9) * 0.3 + 0.5, 0, 1)
    return pack(np.round(np.stack([*maps, 1 - maps[1]]) * levels) / levels)
