"""Paint that joins a training is divided as the first paint was, and only it is made anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_training import painted_data, picture, places, squares
from unet_napari.errors import ImageError, LabelsError, UnetNapariWarning
from unet_napari.geometry import Box
from unet_napari.images import Image
from unet_napari.tasks import SemanticTask
from unet_napari.training import Pair
from unet_napari.training.data.split import NOT_ASKED, TOO_FEW


@pytest.fixture(scope="module")
def first():
    return squares((120, 168))


def test_samples_after_an_update_are_those_of_the_new_labels(first):
    data = painted_data(first)
    changed = first.copy()
    changed[40:60, 100:140] = 0
    changed[44:50, 101:120] = 777
    data.put(0, (40, 100), changed[40:60, 100:140])
    assert data.waiting
    data.take()
    assert not data.waiting
    (found,), (expected,) = data.samples, painted_data(changed).samples
    np.testing.assert_array_equal(found.image, expected.image)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.annotated, expected.annotated)


def test_the_arrays_are_copied_at_once(first):
    data = painted_data(first)
    box = np.full((6, 6), 99, np.int32)
    data.put(0, (50, 50), box)
    box[:] = 0
    data.take()
    assert (data.samples[0].labels[50:56, 50:56] == 99).all()


def test_what_the_caller_does_to_the_first_labels_is_not_seen(first):
    mine = first.copy()
    data = painted_data(mine)
    data.paint(0)
    mine[:] = 0
    data.put(0, (0, 0), np.zeros((1, 1), int))
    data.take()
    assert set(np.unique(data.samples[0].labels)) == set(np.unique(first))


edits = st.lists(
    st.tuples(
        st.integers(0, 110), st.integers(0, 158), st.integers(1, 60), st.integers(1, 60),
        st.sampled_from([0, 0, 5, 500, 501]),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(edits, st.integers(1, 3))
def test_no_held_out_pixel_is_ever_trained_on(edits, together):
    labels = squares((120, 168))
    data = painted_data(labels)
    (slab,) = data.division.slabs.values()
    held = np.zeros(labels.shape, bool)
    held[(slice(None),) * slab.axis + (slice(slab.start, slab.stop),)] = True
    gap = np.zeros_like(held)
    spread = slice(max(0, slab.start - slab.gap), slab.stop + slab.gap)
    gap[(slice(None),) * slab.axis + (spread,)] = True
    for number, (y, x, height, width, value) in enumerate(edits, start=1):
        labels[y : y + height, x : x + width] = value
        box = labels[y : y + height, x : x + width]
        data.put(0, (y, x), box)
        if number % together:
            continue
        data.take()
        seen, trained = places(data.split.training)
        _, judged = places(data.split.validation)
        assert not (seen[:120, :168] & held).any()
        assert not (trained[:120, :168] & gap).any()
        assert not (judged[:120, :168] & ~held).any()
        for sample in (*data.split.training, *data.split.validation):
            here = Box.whole(sample.labels.shape).shift(sample.origin).to_slices()
            np.testing.assert_array_equal(sample.labels, labels[here])


def test_new_paint_in_the_held_out_part_is_judged_by(first):
    data = painted_data(first)
    (slab,) = data.division.slabs.values()
    at = [20, 20]
    at[slab.axis] = slab.start + 2
    data.put(0, at, np.full((3, 3), 700))
    taken = data.take()
    assert taken.judged
    assert not taken.divided
    assert any((sample.labels[sample.annotated] == 700).any() for sample in data.split.validation)


def test_a_new_slice_is_divided_as_the_others_are(first):
    labels = np.zeros((3, *first.shape), np.int32)
    labels[0] = first
    data = painted_data(labels, names="ZYX", ndim=2)
    untouched = data.samples[0]
    data.put(0, (2, 0, 0), first[None])
    data.take()
    assert data.samples[0] is untouched
    assert len(data.samples) == 2
    (slab,) = data.division.slabs.values()
    seen, _ = places(data.split.training)
    assert not np.moveaxis(seen, slab.axis, 0)[slab.start : slab.stop].any()
    assert len(data.split.validation) == 2


def test_whole_images_stay_held_out_and_a_new_image_is_trained_on(first):
    data = painted_data(*[first] * 5)
    (held,) = data.division.held
    number = data.add(Pair(Image(picture(first.shape, 77), "YX"), np.zeros_like(first)))
    assert number == 5
    data.put(number, (0, 0), first)
    data.put(held, (0, 0), np.full((5, 5), 900))
    data.take()
    assert len(data.split.validation) == 1
    assert (data.split.validation[0].labels[:5, :5] == 900).all()
    assert [sample.group for sample in data.split.training] == [n for n in range(6) if n != held]


def test_another_pair_of_the_same_image_is_divided_with_it(first):
    data = painted_data(first)
    more = Pair(data.pairs[0].image, np.roll(first, 4, axis=0))
    data.add(more)
    data.take()
    assert data.groups == [0, 0]
    assert len(data.split.validation) == 2


def test_the_split_is_made_as_soon_as_there_is_enough(first):
    few = np.where(first <= 6, first, 0)
    data = painted_data(few)
    assert (data.division, data.split.message) == (None, TOO_FEW)
    data.put(0, (0, 0), first)
    assert data.take().divided
    chosen = data.division
    data.put(0, (0, 0), few)
    assert not data.take().divided
    assert data.division is chosen
    data = painted_data(few, validation=0)
    data.put(0, (0, 0), first)
    assert not data.take().divided
    assert data.split.message == NOT_ASKED


def test_erasing_all_leaves_nothing(first):
    data = painted_data(first)
    data.put(0, (0, 0), np.zeros_like(first))
    data.take()
    assert data.samples == []
    assert (data.split.training, data.split.validation) == ([], [])
    data.put(0, (0, 0), first)
    data.take()
    assert data.split.training
    assert data.split.validation


def test_a_held_out_part_that_is_erased_is_never_trained_on(first):
    data = painted_data(first)
    (slab,) = data.division.slabs.values()
    inside = [slice(None), slice(None)]
    inside[slab.axis] = slice(slab.start, slab.stop)
    erased = first.copy()
    erased[tuple(inside)] = 0
    for labels, judged in ((erased, False), (first, True)):
        data.put(0, (0, 0), labels)
        data.take()
        validation = data.split.validation
        assert any(s.labels[s.annotated].any() for s in validation) == judged
        held, _ = places(data.split.training)
        assert held.any()
        assert not held[: first.shape[0], : first.shape[1]][tuple(inside)].any()


def test_a_class_that_is_new_is_left_out_and_told_once():
    labels = np.kron([[1, 2]] * 4, np.ones((30, 60), np.int32))
    data = painted_data(labels, task="semantic")
    data.know(SemanticTask((1, 2)))
    data.put(0, (4, 4), np.full((5, 5), 3))
    assert data.take().unknown == {3}
    data.put(0, (14, 4), np.full((5, 5), 3))
    assert data.take().unknown == set()
    assert not any((s.labels[s.annotated] == 3).any() for s in data.samples)


def test_background_that_is_painted_with_a_number_stays_background(first):
    strokes = first.copy()
    strokes[100:110, 100:150] = 9999
    data = painted_data(strokes, background_id=9999)
    data.put(0, (60, 60), np.full((4, 8), 9999))
    data.take()
    (sample,) = data.samples
    assert (sample.labels[60:64, 60:68] == 0).all()
    assert sample.annotated[60:64, 60:68].all()
    assert data.paint(0).labels[61, 61] == 9999


@pytest.mark.parametrize(
    ("number", "start", "shape", "message"),
    [
        (1, (0, 0), (2, 2), "There is no pair 1 in this training, which has 1"),
        (0, (119, 0), (2, 2), "does not lie within the labels of image 0"),
        (0, (-1, 0), (2, 2), "does not lie within"),
        (0, (0,), (2,), "does not lie within"),
        (0, (0, 0), (0, 2), "does not lie within"),
    ],
)
def test_paint_that_fits_nowhere_is_refused(first, number, start, shape, message):
    data = painted_data(first)
    with pytest.raises(LabelsError, match=message):
        data.put(number, start, np.ones(shape, int))
    assert not data.waiting


def test_a_region_of_another_shape_is_refused(first):
    with pytest.raises(LabelsError, match="region has the shape"):
        painted_data(first).put(0, (0, 0), np.ones((2, 2), int), np.ones((3, 3), bool))


def test_numbers_that_are_no_labels_are_told_and_change_nothing(first):
    data = painted_data(first)
    data.put(0, (0, 0), np.full((2, 2), 0.5))
    with pytest.warns(UnetNapariWarning, match="no label number"):
        taken = data.take()
    assert taken.new == ()
    np.testing.assert_array_equal(data.samples[0].labels, first)


def test_an_image_of_other_channels_is_refused(first):
    image = Image(picture((2, *first.shape)), "CYX", name="two")
    with pytest.raises(ImageError, match=r"two has\s+2"):
        painted_data(first).add(Pair(image, first))


def test_an_image_that_cannot_be_read_any_more_leaves_what_there_was(first, monkeypatch):
    data = painted_data(first)

    def gone(*_):
        raise OSError("the disk was unplugged")

    monkeypatch.setattr("unet_napari.images.Image.read", gone)
    data.put(0, (0, 0), np.full((2, 2), 3))
    with pytest.warns(UnetNapariWarning, match="image 0 cannot join the training: the disk was"):
        data.take()
    np.testing.assert_array_equal(data.samples[0].labels, first)


@pytest.mark.parametrize("unpainted", ["auto", "background"])
def test_a_pair_that_leaves_takes_all_its_paint_along(first, unpainted):
    data = painted_data(first, first[::-1].copy(), unpainted=unpainted, validation=0)
    kept = [sample for sample in data.samples if sample.group == 0]
    data.put(1, (0, 0), np.full((3, 3), 700))
    data.remove(1)
    data.put(1, (0, 0), np.full((3, 3), 800))
    assert data.take().new == ()
    assert [id(sample) for sample in data.samples] == [id(sample) for sample in kept]
    assert data.split.training == data.samples
    assert (data.removed, data.paint(1).painted) == ({1}, 0)
    number = data.add(Pair(data.pairs[1].image, first))  # it may come back
    data.take()
    assert (number, data.groups) == (2, [0, 1, 1])
    assert {sample.group for sample in data.samples} == {0, 1}
    with pytest.raises(LabelsError, match="There is no pair 3 in this training, which has 3"):
        data.remove(3)


def test_what_is_held_out_leaves_with_its_pair(first):
    data = painted_data(*[first] * 5)
    (held,) = data.division.held
    data.remove(held)
    assert data.take().judged
    assert data.split.validation == []
    assert len(data.split.training) == 4
