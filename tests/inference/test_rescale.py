"""An image is brought to another scale piece by piece, and nobody can tell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import resize

from unet_napari.images import Image
from unet_napari.inference import rescale
from unet_napari.inference.rescale import rescale_image, rescale_labels
from unet_napari.inference.running.places import ViewWriter


def noise(shape):
    return np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)


def sizes(ndim):
    return st.tuples(*[st.integers(1, 40)] * ndim)


@pytest.mark.parametrize("ndim", [2, 3])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_it_is_the_usual_interpolation(ndim, data):
    old, new = data.draw(sizes(ndim)), data.draw(sizes(ndim))
    pixels = noise(old)
    found = rescale_image(Image(pixels, "ZYX"[-ndim:]), new).read()[0]
    smaller = any(n < o for n, o in zip(new, old, strict=True))
    expected = resize(
        pixels.astype(np.float64), new, order=1, mode="reflect", anti_aliasing=smaller
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=0.1)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_part_is_the_same_as_of_the_whole(data):
    old, new = data.draw(sizes(3)), data.draw(sizes(3))
    scaled = rescale_image(Image(noise((2, *old)), "CZYX"), new)
    box = []
    for size in new:
        start = data.draw(st.integers(0, size - 1))
        box.append(slice(start, data.draw(st.integers(start + 1, size))))
    whole = scaled.read()
    np.testing.assert_array_equal(scaled.read(tuple(box)), whole[:, *box])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rescale, "_BYTES_AT_ONCE", 1000)
        np.testing.assert_array_equal(scaled.read(), whole)


class Watched:
    """An array that notes which rows are read."""

    def __init__(self, pixels):
        self.shape, self.dtype, self._pixels, self.rows = pixels.shape, pixels.dtype, pixels, []

    def __getitem__(self, key):
        self.rows.append((key[0].start, key[0].stop))
        return self._pixels[key]


def test_only_what_a_part_needs_is_read(monkeypatch):
    monkeypatch.setattr(rescale, "_BYTES_AT_ONCE", 20_000)
    data = Watched(noise((400, 50)))
    scaled = rescale_image(Image(data, "YX"), (100, 25))
    assert data.rows == []
    scaled.read((slice(40, 60), slice(0, 25)))
    assert min(start for start, _ in data.rows) >= 160 - 8
    assert max(stop for _, stop in data.rows) <= 240 + 8
    assert all((stop - start) * 50 * 4 <= 20_000 for start, stop in data.rows)


def test_chunks_are_told_in_rows_of_the_new_image():
    data = Watched(noise((400, 50)))
    assert rescale_image(Image(data, "YX"), (100, 25)).data.chunks is None
    data.chunks = (64, 50)
    assert rescale_image(Image(data, "YX"), (100, 25)).data.chunks == (1, 16, 25)


@settings(max_examples=25, deadline=None)
@given(old=sizes(2), new=sizes(2), at_once=st.sampled_from([1, 500, 10**6]))
def test_labels_are_taken_at_the_centre_of_each_pixel(old, new, at_once):
    labels, out = noise(old).astype(np.uint32), np.full(new, 10**6, np.uint32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rescale, "_BYTES_AT_ONCE", at_once)
        boxes = list(rescale_labels(labels, ViewWriter(out)))
    assert sum(box.stop[0] - box.start[0] for box in boxes) == new[0]
    for index in np.ndindex(*new):
        centre = tuple(int((i + 0.5) * o / n) for i, o, n in zip(index, old, new, strict=True))
        assert out[index] == labels[centre]
