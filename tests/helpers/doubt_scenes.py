"""Kept maps of a few painted squares, some of them doubtful."""

import numpy as np

from unet_napari.inference.running.kept_maps import KeptMaps
from unet_napari.tasks import CellsTask
from unet_napari.tasks.decoding.decode import pack

TASK = CellsTask(min_size=4, foreground_threshold=0.5, seed_threshold=0.3)
SHAPE = (60, 90)


class Decoded:
    """A run whose maps are given."""

    def __init__(self, kept, views):
        self._kept, self._views = kept, views

    def decoder_for(self, task):
        return task

    def again(self, task, out, room, memory):
        for position, index in self._kept.views():
            maps = self._kept.maps(position)[(slice(None),) * len(self._views[0].shape)]
            found = np.empty(maps.shape[1:], np.uint32)
            for _ in task.decode_steps(maps, np.empty_like(found), found):
                pass
            out[(*index, *map(slice, found.shape))] = found
            yield None


def kept_of(*views, leading=0):
    """Keep the maps ``(3, *S)`` of some views."""
    kept = KeptMaps()
    indices = [(number,) * leading for number in range(len(views))]
    size = views[0].shape[1:]
    assert kept.reserve(TASK, indices, size, size, 2**30)
    for position, maps in enumerate(views):
        key = (slice(None),) * maps.ndim
        kept.maps(position)[key] = pack(maps)
    kept.finish(Decoded(kept, views))
    return kept


def cell(maps, box, foreground=0.98):
    """Add a sure cell, a box with a deep inside."""
    inner = tuple(slice(part.start + 2, part.stop - 2) for part in box)
    maps[0][box] = foreground
    maps[1][box], maps[1][inner] = 0.9, 0.05
    maps[2][inner] = 1.0


def scene(shape=SHAPE):
    """Ten sure cells, one with two seeds and a weak boundary, and one that is hardly there."""
    maps = np.zeros((3, *shape), np.float32)
    for row in range(2):
        for column in range(5):
            cell(maps, np.s_[4 + 20 * row : 16 + 20 * row, 4 + 17 * column : 16 + 17 * column])
    cell(maps, np.s_[44:56, 4:30])
    maps[2, 44:56, 16:18] = 0.35  # at other thresholds two seeds
    cell(maps, np.s_[44:56, 50:62], foreground=0.56)
    return maps
