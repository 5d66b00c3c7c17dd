"""The size below which an object is hardly a cell, from the cells that are painted."""

import numpy as np
import pytest

from unet_napari.tasks.cell_sizes import speck_size


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([100] * 10, 50),  # half the smallest
        ([100, *[1000] * 10], 75),  # cells that vary much: three quarters
        ([100] * 30, 50),  # more than ten say no more than ten
        ([100] * 4, 20),  # four tenths of a half: the smallest of four says little
        ([100], 5),
    ],
)
def test_the_smallest_of_few_cells_says_less(sizes, expected):
    assert speck_size(np.array(sizes)) == expected
