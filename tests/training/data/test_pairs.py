from __future__ import annotations

import numpy as np
import pytest

from unet_napari.errors import ImageError, LabelsError, UnetNapariWarning
from unet_napari.geometry import Box
from unet_napari.images import Image, Normalisation
from unet_napari.training import Pair, TrainConfig
from unet_napari.training.data.check_pairs import check_pairs
from unet_napari.training.data.load import load_samples
from unet_napari.training.data.pairs import reference_image, spacing_of
from unet_napari.training.data.sample import focus

GIB = 2**30


class Watched:
    """An array that remembers which parts of it were read."""

    def __init__(self, array):
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.read = np.zeros(array.shape, bool)

    def __getitem__(self, key):
        self.read[key] = True
        return self.array[key]


def ramp(shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def painted(shape, *regions):
    labels = np.zeros(shape, np.uint16)
    for number, region in enumerate(regions, start=1):
        labels[region] = number
    return labels


def load(pair, memory=GIB, **settings):
    config = TrainConfig(**{"task": "semantic", **settings})
    return load_samples([pair], config, Normalisation(), memory)


def test_painted_slices_become_samples_and_others_are_dropped():
    shape = (9, 40, 50)
    labels = painted(shape, np.s_[2, 5:9, 5:9], np.s_[7, 5:9, 20:30])
    samples = load(Pair(Image(ramp(shape), "ZYX"), labels))
    assert len(samples) == 2
    assert [set(np.unique(s.labels)) for s in samples] == [{0, 1}, {0, 2}]
    assert samples[0].image.shape == (1, 40, 50)
    assert [int(s.annotated.sum()) for s in samples] == [16, 40]


def test_a_stack_is_one_sample_of_a_3d_network():
    shape = (9, 40, 50)
    labels = painted(shape, np.s_[2, 5:9, 5:9], np.s_[7, 5:9, 20:30])
    (sample,) = load(Pair(Image(ramp(shape), "ZYX"), labels), ndim=3)
    assert sample.image.shape == (1, *shape)
    assert int(sample.annotated.sum()) == 56


def test_channels_come_first_and_time_is_looped():
    shape = (3, 2, 40, 50)
    labels = painted((3, 40, 50), np.s_[0, 5:9, 5:9], np.s_[2, 5:9, 20:30])
    rising = np.stack([ramp(shape[1:]) + 100 * time for time in range(3)])
    samples = load(Pair(Image(rising, "TCYX"), labels))
    assert [s.image.shape for s in samples] == [(2, 40, 50)] * 2
    assert samples[0].image.mean() < samples[1].image.mean()  # one scale for all of the series


def test_a_film_that_bleaches_is_scaled_time_point_by_time_point():
    """As in inference, so that what is painted on the last of it is as bright as on the first."""
    still = ramp((40, 50))
    film = np.stack([still, 0.5 * still, 0.1 * still])
    labels = painted(film.shape, np.s_[0, 5:9, 5:9], np.s_[2, 5:9, 5:9])
    with pytest.warns(UnetNapariWarning, match="each time point is scaled by itself"):
        first, last = load(Pair(Image(film, "TYX"), labels))
    np.testing.assert_allclose(first.image, last.image, atol=1e-5)


def test_only_what_is_painted_and_around_it_is_read():
    data = Watched(ramp((600, 700)))
    labels = painted((600, 700), np.s_[300:310, 400:420])
    (sample,) = load(Pair(Image(data, "YX"), labels))
    assert sample.origin == (168, 264)  # on the grid of all samples
    assert sample.labels.shape == (270, 284)
    assert sample.labels[132, 136] == 1


def test_where_memory_is_short_a_random_part_is_read():
    shape = (20, 64, 64)
    labels = painted(shape, *[np.s_[z, 10:20, 10:20] for z in range(20)])
    with pytest.warns(UnetNapariWarning, match=r"25% of what is painted: 5 of 20 parts"):
        samples = load(Pair(Image(ramp(shape), "ZYX"), labels), memory=5 * 64 * 64 * 9)
    assert len(samples) == 5


@pytest.mark.parametrize("ids", [(2**31 - 1, 5), (2**40, 2**40 + 1)])
def test_large_ids_stay_apart(ids):
    labels = np.zeros((20, 20), np.uint64)
    labels[2:5], labels[8:12] = ids
    (sample,) = load(Pair(Image(ramp((20, 20)), "YX"), labels), task="cells")
    assert len(np.unique(sample.labels)) == 3
    assert sample.labels.dtype == np.int32


def test_shapes_that_differ_are_both_named():
    pair = Pair(Image(ramp((5, 7)), "YX"), np.ones((5, 6), int))
    with pytest.raises(LabelsError, match=r"5 . 6 .* 5 . 7"):
        check_pairs([pair], TrainConfig())


def test_a_3d_network_needs_a_stack():
    pair = Pair(Image(ramp((50, 70)), "YX"), np.ones((50, 70), int))
    with pytest.raises(ImageError, match="2D image, but the network is 3D"):
        check_pairs([pair], TrainConfig(ndim=3))


def semantic_pairs(*classes):
    image = Image(ramp((9, 9)), "YX")
    return [Pair(image, painted((9, 9), np.s_[2:4, 2:4]) * number) for number in classes]


def test_an_image_may_lack_a_class_that_another_has():
    check_pairs(semantic_pairs(1, 2, 0), TrainConfig(task="semantic"))
    for lacking in ([1, 1], [1, 0]):
        with pytest.raises(LabelsError, match=r"Only class 1|Nothing is painted"):
            check_pairs(semantic_pairs(*lacking), TrainConfig(task="semantic"))


def test_negative_and_fractional_labels_are_refused_among_others():
    for bad in (np.full((9, 9), -1), np.full((9, 9), 0.5)):
        pairs = [*semantic_pairs(1, 2), Pair(Image(ramp((9, 9)), "YX"), bad)]
        with pytest.raises(LabelsError, match=r"negative|0\.5"):
            check_pairs(pairs, TrainConfig(task="semantic"))


def test_a_cell_in_several_pieces_is_warned_of():
    labels = painted((20, 20), np.s_[2:6, 2:6]) + painted((20, 20), np.s_[12:16, 12:16])
    pair = Pair(Image(ramp((20, 20)), "YX", name="embryo"), labels)
    with pytest.warns(UnetNapariWarning, match="embryo: .* pieces"):
        check_pairs([pair], TrainConfig())


def test_images_must_agree_in_channels():
    pairs = [
        Pair(Image(ramp((2, 9, 9)), "CYX"), np.ones((9, 9), int)),
        Pair(Image(ramp((9, 9)), "YX", name="other"), np.ones((9, 9), int)),
    ]
    with pytest.raises(ImageError, match=r"2 channel.*other has 1"):
        check_pairs(pairs, TrainConfig())


def test_no_pairs_and_no_paint_are_named():
    with pytest.raises(LabelsError, match="nothing to train on"):
        check_pairs([], TrainConfig())
    with pytest.raises(LabelsError, match="Nothing is painted"):
        check_pairs([Pair(Image(ramp((9, 9)), "YX"), np.zeros((9, 9), int))], TrainConfig())


def test_spacing_is_relative_to_the_smallest():
    image = Image(ramp((4, 5, 6)), "ZYX", {"Z": 1.75, "Y": 0.5, "X": 0.5})
    assert spacing_of(image, 3) == (3.5, 1, 1)
    assert spacing_of(image, 2) == (1, 1)
    assert spacing_of(Image(ramp((4, 5, 6)), "ZYX", {"Z": 2}), 3) == (1, 1, 1)


def test_focus_leaves_cut_cells_out(make_sample):
    labels = painted((20, 20), np.s_[2:6, 2:6], np.s_[8:14, 8:14])
    part = focus(make_sample(labels), Box.whole((10, 10)), (3, 3), whole=True)
    assert part.labels.shape == (13, 13)
    assert part.annotated[part.labels == 1].all()
    assert not part.annotated[part.labels == 2].any()
    assert not part.annotated[10:].any()
    assert part.annotated[:8, :8].all()


def test_labels_are_viewed_with_the_axes_of_the_image():
    labels = painted((3, 2, 40, 50), np.s_[0, 1, 5:9, 5:9], np.s_[2, 0, 5:9, 20:30])
    five = Image(np.tile(ramp((40, 50)), (2, 1, 3, 1, 1)), "ZCTYX")
    pair = Pair(five, labels.transpose(1, 0, 2, 3)[:, None])
    np.testing.assert_array_equal(pair.labels, labels)
    samples = load_samples([pair], TrainConfig(task="semantic"), Normalisation(), GIB)
    assert [set(np.unique(s.labels)) for s in samples] == [{0, 1}, {0, 2}]
    single = Pair(Image(ramp((1, 1, 40, 50)), "TZYX"), labels[0, 1])
    assert single.labels.shape == single.shape == (1, 40, 50)
    check_pairs([single], TrainConfig())


def test_a_movie_of_tracked_cells_is_not_in_pieces():
    movie = np.stack([painted((20, 20), np.s_[x : x + 4, 2:6]) for x in (2, 8, 14)])
    check_pairs([Pair(Image(ramp((3, 20, 20)), "TYX"), movie)], TrainConfig())


def test_images_of_unlike_pixel_size_are_warned_of():
    def pair(size, name):
        image = Image(ramp((9, 9)), "YX", {"Y": size, "X": size}, name=name)
        return Pair(image, painted((9, 9), np.s_[2:4, 2:4]))

    message = r"along X: 0\.2 µm in fine, 2 µm in coarse.* 10 times as large"
    with pytest.warns(UnetNapariWarning, match=message) as warned:
        check_pairs([pair(1, "middle"), pair(0.2, "fine"), pair(2, "coarse")], TrainConfig())
    assert len(warned) == 1
    unknown = Pair(Image(ramp((9, 9)), "YX"), painted((9, 9), np.s_[2:4, 2:4]))
    check_pairs([pair(0.2, "fine"), pair(0.24, "like it"), unknown], TrainConfig())


def test_the_first_image_that_knows_its_pixel_size_stands_for_all():
    known = Image(ramp((4, 5, 6)), "ZYX", {"Z": 2.0, "Y": 0.5, "X": 0.5})
    plane = Image(ramp((4, 5, 6)), "ZYX", {"Y": 0.25, "X": 0.25})
    pairs = [Pair(image, np.ones((4, 5, 6), int)) for image in (plane, known)]
    assert reference_image(pairs, 3) is known
    assert reference_image(pairs, 2) is plane
    assert reference_image([Pair(Image(ramp((4, 5)), "YX"), np.ones((4, 5), int))], 2).axes == "YX"


def test_a_stack_of_one_slice_is_no_stack():
    single = Pair(Image(ramp((1, 1, 4, 5)), "TZYX"), np.ones((4, 5), int))
    assert single.slices(2) == single.slices(3) == 1
    assert Pair(Image(ramp((3, 4, 5)), "ZYX"), np.ones((3, 4, 5), int)).slices(2) == 3


@pytest.mark.parametrize("unpainted", ["auto", "ignore"])
def test_painted_background_is_known_as_an_annotated_region_is(unpainted):
    shape = (60, 70)
    image = Image(np.random.default_rng(0).random(shape, np.float32), "YX")
    cells, stroke = painted(shape, np.s_[20:30, 20:30]), np.zeros(shape, bool)
    stroke[50:55, 3:60] = True
    settings = {"task": "cells", "unpainted": unpainted}
    strokes = Pair(image, np.where(stroke, np.uint16(99), cells))
    (one,) = load(strokes.with_background(99), background_id=99, **settings)
    (other,) = load(Pair(image, cells, stroke), **settings)
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.annotated, other.annotated)
    assert one.annotated[50:55, 3:60].all()
    assert set(np.unique(one.labels)) == {0, 1}
    assert strokes.with_background(None) is strokes
