"""Pairs of one image share one split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_napari.images import Image, Normalisation
from unet_napari.training import Pair, TrainConfig
from unet_napari.training.data.identity import fingerprint, image_groups
from unet_napari.training.data.load import load_samples
from unet_napari.training.data.split import split_samples

NOISE = np.random.default_rng(0).random((3, 60, 90))


def groups(*images):
    return image_groups(images, [fingerprint(image) for image in images])


def test_one_array_is_one_image_whatever_is_held_of_it():
    movie = Image(NOISE, "TYX")
    assert groups(movie, Image(NOISE[0], "YX"), movie.select(T=1), movie.select(T=2)) == [
        0,
        1,
        0,
        0,
    ]


def test_equal_pixels_are_one_image_and_others_are_not():
    one, other = NOISE[0], NOISE[1]
    assert groups(*(Image(a, "YX") for a in (one, other, one.copy(), one.T.copy()))) == [0, 1, 0, 2]
    assert groups(Image(one, "YX"), Image(one.copy()[None], "ZYX")) == [0, 0]


def test_one_file_is_one_image(tmp_path):
    path = tmp_path / "cells.tif"
    channels = [Image(plane, "YX", source=path) for plane in NOISE]
    assert groups(*channels) == [0, 0, 0]
    elsewhere = tmp_path / "sub" / ".." / "cells.tif"
    (tmp_path / "sub").mkdir()
    assert groups(channels[0], Image(NOISE[1], "YX", source=elsewhere)) == [0, 0]
    assert groups(channels[0], Image(NOISE[1, :30], "YX", source=path)) == [0, 1]


def test_what_is_one_with_two_makes_these_one(tmp_path):
    first, second = Image(NOISE[0], "YX"), Image(NOISE[1], "YX", source=tmp_path / "a")
    both = Image(NOISE[0].copy(), "YX", source=tmp_path / "a")
    other = Image(NOISE[2], "YX")
    assert groups(first, second, other, both) == [0, 0, 1, 0]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    same=st.lists(st.integers(0, 3), min_size=1, max_size=7),
    task=st.sampled_from(["cells", "semantic"]),
)
def test_no_held_out_pixel_is_trained_on(seed, same, task):
    rng = np.random.default_rng(seed)
    arrays = [rng.random((rng.integers(60, 160), rng.integers(60, 160))) for _ in range(4)]
    pairs = []
    for number in same:
        image = arrays[number] if rng.random() < 0.5 else arrays[number].copy()
        cells = np.zeros(image.shape, int)
        rows, columns = (n // 8 for n in image.shape)
        ids = np.arange(1, rows * columns + 1).reshape(rows, columns)
        ids = ids * (rng.random(ids.shape) < 0.7) if task == "cells" else 1 + ids % 2
        cells[: 8 * rows, : 8 * columns] = np.kron(ids, np.pad(np.ones((6, 6), int), 1))
        pairs.append(Pair(Image(image, "YX"), cells))
    numbers = groups(*(pair.image for pair in pairs))
    assert numbers == [list(dict.fromkeys(same)).index(number) for number in same]
    samples = load_samples(pairs, TrainConfig(task=task), Normalisation(), 2**30, numbers)
    split = split_samples(
        samples, task=task, fraction=0.2, spacing=(1.0, 1.0), context=16, seed=seed
    )
    seen = {
        number: np.zeros(arrays[array].shape, bool)
        for number, array in zip(numbers, same, strict=True)
    }
    for sample in split.training:  # all that a patch can show
        y, x = sample.origin
        seen[sample.group][y : y + sample.labels.shape[0], x : x + sample.labels.shape[1]] = True
    for held in split.validation:
        place = np.argwhere(held.annotated) + held.origin
        assert not seen[held.group][tuple(place.T)].any()
    if len(same) == 1 or task == "semantic":
        assert split.validation


def test_without_groups_the_leak_is_there():
    """The property above can fail: two pairs of one image, told apart."""
    labels = np.kron(np.arange(1, 41).reshape(5, 8), np.pad(np.ones((8, 8), int), 2))
    half = np.where(np.arange(labels.shape[1]) < 60, labels, 0)
    image = Image(np.random.default_rng(1).random(labels.shape), "YX")
    pairs = [Pair(image, labels), Pair(image, half)]
    apart, together = (
        split_samples(
            load_samples(pairs, TrainConfig(), Normalisation(), 2**30, numbers),
            task="cells", fraction=0.2, spacing=(1.0, 1.0), context=0, seed=0,
        )
        for numbers in ((0, 1), (0, 0))
    )  # fmt: skip
    assert apart.message.count("to") > together.message.count("to") == 1


@pytest.mark.parametrize("axes", ["YXC", "CYX"])
def test_the_fingerprint_is_of_the_pixels(axes):
    image = Image(NOISE, axes)
    changed = NOISE.copy()
    changed[1, 20, 30] += 1
    assert fingerprint(image) == fingerprint(Image(NOISE.copy(), axes))
    assert fingerprint(image) != fingerprint(Image(changed, axes))
