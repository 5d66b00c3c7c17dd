from unittest.mock import Mock

import numpy as np
import pytest

from napari.layers import Image, Labels, Shapes
from unet_napari._napari.layers.background_paint import reserve_background
from unet_napari._napari.layers.empty_array import empty_array
from unet_napari._napari.sections import paint
from unet_napari._napari.sections.detection import split_labels
from unet_napari._napari.sections.paint import detect, share_pair, take_snapshot
from unet_napari.errors import LabelsError
from unet_napari.labels.sparse import SparseArray

RULES = {"task": "cells", "unpainted": "auto"}


def snapshot(labels, *, shape=None, annotated=None, copy=True, **options):
    image = Image(np.zeros(labels.shape if shape is None else shape), name="cells", **options)
    return take_snapshot(image, Labels(labels, name="paint"), None, annotated, copy=copy)


def test_a_copy_does_not_change_any_more():
    labels = np.zeros((20, 30), np.uint16)
    taken = snapshot(labels)
    labels[:] = 1
    assert not np.any(taken.labels)


def test_shapes_that_differ_are_both_named():
    with pytest.raises(LabelsError, match=r"'paint'.*20 x 31.*'cells'.*20 x 30"):
        snapshot(np.zeros((20, 31), np.uint16), shape=(20, 30))


def test_colours_do_not_count_in_the_shape():
    taken = snapshot(np.zeros((20, 30), np.uint16), shape=(20, 30, 3), rgb=True)
    assert taken.axes == "YX"


@pytest.mark.parametrize(
    ("slices", "ndim"),
    [([0, 5, 9], 2), ([3, 4, 5, 6], 2), ([3, 4, 5, 6, 7], 3), (range(12), 3)],
)
def test_neighbouring_slices_make_a_volume(slices, ndim):
    labels = np.zeros((12, 20, 30), np.uint16)
    labels[list(slices), 5:10, 5:10] = 1
    assert detect(snapshot(labels), **RULES).ndim == ndim
    assert detect(snapshot(labels), ndim=2, **RULES).ndim == 2
    assert detect(snapshot(labels), ndim=3, **RULES).ndim == 3


def test_a_time_series_is_2d_however_much_is_painted():
    labels = np.zeros((12, 20, 30), np.uint16)
    labels[:, 5:10, 5:10] = 1
    taken = snapshot(labels, axis_labels=("t", "y", "x"))
    assert detect(taken, **RULES).describe().startswith("2D, 1 cell,")


def test_nothing_painted_is_refused():
    with pytest.raises(LabelsError, match="Nothing is painted"):
        detect(snapshot(np.zeros((20, 30), np.uint16)), **RULES)


def regions(shapes, shape, labels_options=None):
    """Where a snapshot counts as complete."""
    layer = Labels(np.ones(shape, np.uint16), **(labels_options or {}))
    image = Image(np.zeros(shape), **(labels_options or {}))
    taken = take_snapshot(image, layer, None, shapes, copy=True)
    return taken.complete()


def test_a_rectangle_covers_its_pixels_wherever_the_layers_lie():
    shapes = Shapes([np.array([[2, 4], [2, 10], [6, 10], [6, 4]])])
    mask = regions(shapes, (20, 30), {"scale": (0.5, 0.5), "translate": (1, 1)})
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max()) == (2, 10)
    assert (columns.min(), columns.max()) == (6, 18)


def test_an_ellipse_leaves_out_the_corners_of_its_box():
    box = np.array([[0, 0], [0, 20], [20, 20], [20, 0]])
    mask = regions(Shapes([box], shape_type="ellipse"), (30, 30))
    assert mask[10, 10]
    assert not mask[1, 1]
    assert 0.7 < mask.sum() / 400 < 0.87


def test_a_shape_on_one_slice_counts_there_alone():
    corners = np.array([[3, 2, 2], [3, 2, 12], [3, 12, 12], [3, 12, 2]])
    mask = regions(Shapes([corners]), (6, 20, 30))
    assert mask[3].any()
    assert not mask[[0, 1, 2, 4, 5]].any()


def test_a_flat_shape_counts_on_every_slice_of_a_stack():
    corners = np.array([[2, 2], [2, 12], [12, 12], [12, 2]])
    mask = regions(Shapes([corners]), (6, 20, 30))
    assert mask.any(axis=(1, 2)).all()


def test_lines_enclose_nothing():
    line = Shapes([np.array([[2, 2], [12, 12]])], shape_type="line")
    assert regions(line, (20, 30)) is None


def test_large_labels_are_copied_beside_the_viewer_and_again_if_painted_on(monkeypatch):
    monkeypatch.setattr(paint, "_COPIED_AT_ONCE", 100)
    image, layer = Image(np.zeros((20, 30))), Labels(np.zeros((20, 30), np.uint16))
    layer.data[2:5, 2:5] = 1
    taken = take_snapshot(image, layer, None, None, copy=True)
    assert taken.labels is layer.data  # nothing is copied yet
    copies = []

    def of(data):
        copied = SparseArray.of(data)
        copies.append(copied)
        if len(copies) == 1:  # a stroke falls into the copying
            layer.paint((10, 10), 7)
        return copied

    monkeypatch.setattr(paint, "SparseArray", Mock(of=of))
    settled = taken.settled()
    assert len(copies) == 2
    layer.data[:] = 0
    assert settled.labels[3, 3] == 1
    assert settled.labels[10, 10] == 7


@pytest.mark.parametrize("axes", [("t", "z", "y", "x"), ("z", "t", "y", "x")])
def test_a_time_series_of_stacks_is_looked_at_frame_by_frame(axes):
    labels = np.zeros((8, 7, 20, 30), np.uint16)
    labels[1, 2, 5:10, 5:10] = labels[5, 6, 12:18, 20:26] = 1
    painting = detect(snapshot(labels, axis_labels=axes), **RULES)
    assert painting.describe().startswith("2D, 1 cell, sparse")
    assert painting.problem is None


def test_a_mask_in_an_enormous_layer_is_split_where_it_is_painted():
    labels = Labels(empty_array((512, 8192, 8192), np.uint16))
    labels.data[3, 4000:4040, 5000:5040] = 1
    labels.data[3, 4100:4140, 5000:5040] = 1
    split_labels(labels)
    assert labels.data[3, 4020, 5020] == 1
    assert labels.data[3, 4120, 5020] == 2
    assert labels.selected_label == 3


def with_background():
    """Return labels of two cells and a stroke of background, and what is to be seen of them."""
    labels = np.zeros((40, 50), np.uint16)
    labels[5:10, 5:10], labels[20:26, 20:26] = 1, 2
    layer = Labels(labels, name="paint")
    layer.data[35:, :] = reserve_background(layer)
    return layer, take_snapshot(Image(np.zeros((40, 50))), layer, None, None, copy=True)


def test_painted_background_is_no_cell_and_known():
    _, taken = with_background()
    assert detect(taken, **RULES).describe() == "2D, 2 cells, sparse, 3.0 % painted"
    labels, known = taken.settled().parted("cells")
    assert np.unique(labels[...]).tolist() == [0, 1, 2]
    assert known[35:].all()
    assert not known[:35].any()


def test_painted_background_is_one_of_the_classes():
    _, taken = with_background()
    assert detect(taken, task="semantic", unpainted="auto").ids == (1, 2, 65535)


def test_the_engine_learns_which_number_is_background():
    _, taken = with_background()
    job = Mock(share=lambda image: image, share_array=lambda array: array)
    assert share_pair(job, taken, "cells").background == 65535
    assert share_pair(job, taken, "semantic").background is None


def test_background_is_not_split_into_cells():
    layer, _ = with_background()
    layer.data[layer.data == 2] = 1
    layer.data[35:, 20:30] = 0
    split_labels(layer)
    assert np.unique(layer.data).tolist() == [0, 1, 2, 65535]
    assert (layer.data[35:, :20] == 65535).all()
    assert layer.selected_label == 3


def test_of_several_labels_each_has_its_share_of_what_is_copied_at_once(monkeypatch):
    monkeypatch.setattr(paint, "_COPIED_AT_ONCE", 2000)
    image, layer = Image(np.zeros((20, 30))), Labels(np.zeros((20, 30), np.uint16))
    assert take_snapshot(image, layer, None, None, copy=True).copying is None
    assert take_snapshot(image, layer, None, None, copy=True, share=0.5).copying is not None
