"""Which of the held-out parts are judged."""

import numpy as np

from unet_napari.training.sample import Sample
from unet_napari.training.validate import choose_crops

SHAPE = (512, 512)  # eight of them are judged each time


def sample(cells):
    labels = np.zeros(SHAPE, np.int64)
    labels[10, 10 : 10 + 4 * cells : 4] = np.arange(1, cells + 1)
    image = np.zeros((1, *SHAPE), np.float32)
    return Sample(image, labels, np.ones(SHAPE, bool), group=0, origin=(0, 0))


def test_the_crops_with_the_most_cells_are_judged():
    samples = [sample(cells) for cells in (3, 50, 1, 7, 9, 100, 2, 30, 8, 20)]
    crops = choose_crops(samples, (1.0, 1.0), 16, 0, cells=True)
    assert [int(crop.labels.max()) for crop in crops] == [100, 50, 30, 20, 9, 8, 7, 3]


def test_crops_of_classes_are_drawn():
    samples = [sample(cells) for cells in range(1, 11)]
    drawn = [
        {int(crop.labels.max()) for crop in choose_crops(samples, (1, 1), 16, seed, cells=False)}
        for seed in range(4)
    ]
    assert all(len(each) == 8 for each in drawn)
    assert any(each != drawn[0] for each in drawn)
