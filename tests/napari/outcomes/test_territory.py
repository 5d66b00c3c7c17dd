"""A territory holds exactly the pixels that are nearer to its object than to any other."""

from functools import partial

import numpy as np
import pytest
from scipy import ndimage

from unet_napari._napari.outcomes.territory import outline, territory_of
from unet_napari.geometry import Box
from unet_napari.images.synthetic import nuclei


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 0.4)])
def test_it_is_exact_though_only_the_neighbourhood_is_looked_at(spacing):
    _, labels = nuclei((120, 160), count=25, seed=4)
    labels[:70, 80:] = 0  # an empty quarter, which belongs to the cells at its edge
    distance = partial(ndimage.distance_transform_edt, sampling=spacing)
    looked_at = []
    for number in np.unique(labels[labels > 0]):
        found = territory_of(labels, np.argwhere(labels == number)[0], (0, 1), spacing)
        where = found.box.to_slices()
        mask = np.zeros(labels.shape, bool)
        mask[where] = found.mask
        own, others = distance(labels != number), distance(np.isin(labels, (0, number)))
        assert mask[own < others].all()
        assert not mask[own > others].any()
        np.testing.assert_array_equal(found.own, labels[where] == number)
        assert not found.goes_on
        looked_at.append(found.box.size)
    assert min(looked_at) < labels.size / 3


def test_a_territory_stays_in_its_frame_and_is_cut_where_it_takes_too_long():
    labels = np.zeros((3, 40, 400), np.uint32)
    labels[1, 18:22, 18:22], labels[2, 18:22, 30:34] = 5, 6
    found = territory_of(labels, (1, 20, 20), (1, 2), (1, 1, 1))
    assert (found.box.spans, found.goes_on) == (((1, 2), (0, 40), (0, 400)), False)
    assert found.mask.all()
    found = territory_of(labels, (1, 20, 20), (1, 2), (1, 1, 1), most=2000)
    assert found.goes_on
    assert found.box.size <= 2000
    assert territory_of(labels, (0, 20, 20), (1, 2), (1, 1, 1)) is None


def test_a_part_is_shared_out_among_the_objects_that_have_a_pixel_in_it():
    labels = np.zeros((40, 60), np.uint32)
    labels[10:14, 5:25], labels[10:14, 28:32], labels[10:14, 40:44] = 1, 2, 3
    part = Box((0, 20), (40, 36))
    masks = {}
    for number, point in ((1, (12, 10)), (2, (12, 30))):
        found = territory_of(labels, point, (0, 1), (1, 1), bounds=part)
        assert not found.goes_on
        masks[number] = np.zeros(labels.shape, int)
        masks[number][found.box.to_slices()] = found.mask
    np.testing.assert_array_equal(sum(masks.values())[part.to_slices()], 1)
    assert sum(masks.values()).sum() == part.size
    assert territory_of(labels, (12, 41), (0, 1), (1, 1), bounds=part) is None


def test_the_outline_runs_along_the_edges_of_the_pixels():
    mask = np.zeros((2, 4, 5), bool)
    mask[1, 1:3, 1:4] = True
    lines = outline(mask, (7, 10, 20), (1, 2))
    assert sorted(lines.tolist()) == sorted(
        [
            [[8, 10.5, 20.5], [0, 0, 3]],
            [[8, 12.5, 20.5], [0, 0, 3]],
            [[8, 10.5, 20.5], [0, 2, 0]],
            [[8, 10.5, 23.5], [0, 2, 0]],
        ]
    )
