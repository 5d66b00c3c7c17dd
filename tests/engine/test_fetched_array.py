"""An array of another computer is read as any other, and each block of it is asked for once."""

import numpy as np
import pytest

from unet_napari.engine.fetched_array import BlockGrid, BlocksReady, FetchedArray
from unet_napari.images import Image
from unet_napari.images.pixel_sample import sample_blocks


def fetched(source, chunks=()):
    """Return an array whose blocks come at once, and the numbers of those that were asked for."""
    here, asked = np.zeros_like(source), []
    grid = BlockGrid(source.shape, source.dtype, chunks)

    def ask(wanted):
        for number in wanted.blocks:
            asked.append(number)
            here[grid.slices(number)] = source[grid.slices(number)]
        array.take(BlocksReady(wanted.array, wanted.blocks))

    array = FetchedArray(here, chunks, "a", ask)
    return array, asked


@pytest.fixture(scope="module")
def source():
    return np.random.default_rng(0).integers(1, 255, (5, 1100, 700), dtype=np.uint8)


@pytest.mark.parametrize(
    "key",
    [
        (2, slice(100, 600), slice(None)),
        (slice(-1, None), slice(None, None, 3)),
        (Ellipsis, slice(650, 655)),
        (-1, 1099, 0),
        (slice(3, 1), slice(None)),
        3,
        (slice(None, None, -1), slice(1000, None), slice(0, 2)),
    ],
)
def test_a_part_is_what_it_is_on_the_other_computer(source, key):
    array, asked = fetched(source)
    np.testing.assert_array_equal(array[key], source[key])
    count = len(asked)
    np.testing.assert_array_equal(array[key], source[key])
    assert len(asked) == count == len(set(asked))
    np.testing.assert_array_equal(np.asarray(array), source)
    assert len(asked) == len(set(asked))


def test_a_small_part_asks_for_the_blocks_that_it_touches(source):
    array, asked = fetched(source)
    array[0, 510:514, 10:20]
    assert len(asked) == 2
    chunked, asked = fetched(source, (1, 550, 700))
    chunked[4, :10, 690:]
    assert asked == [8]


@pytest.mark.parametrize("shape", [(), (0, 5), (7,)])
def test_odd_shapes_are_read(shape):
    source = np.ones(shape, np.float32)
    np.testing.assert_array_equal(np.asarray(fetched(source)[0]), source)


def test_a_sample_is_taken_at_the_same_places_as_on_the_other_computer():
    class Chunked(np.ndarray):
        chunks = (4096, 4096)

    source = np.random.default_rng(0).integers(1, 255, (4096, 6000), dtype=np.uint8)
    array, _ = fetched(source, Chunked.chunks)
    both = sample_blocks(Image(source.view(Chunked), "YX")), sample_blocks(Image(array, "YX"))
    assert len(both[0]) == len(both[1])
    for here, there in zip(*both, strict=True):
        np.testing.assert_array_equal(here, there)
