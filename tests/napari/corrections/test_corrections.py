"""Predicted cells become paint, and each correction is one step back."""

import numpy as np
import pytest

from napari.layers import Labels
from unet_napari._napari.corrections import corrections as module
from unet_napari._napari.corrections.corrections import Corrections
from unet_napari._napari.corrections.free_numbers import free_number
from unet_napari._napari.layers.background_paint import background_number, reserve_background
from unet_napari.errors import LabelsError, ResourceError

SHOWN = (0, 1)


@pytest.fixture
def predicted():
    labels = np.zeros((40, 60), np.uint32)
    labels[5:15, 5:15], labels[5:15, 16:26], labels[25:35, 10:40] = 1, 2, 3
    return labels


def corrections(predicted, painted=None, free=(0, 1)):
    labels = Labels(np.zeros(predicted.shape, np.uint16) if painted is None else painted)
    return Corrections(
        labels,
        Labels(predicted),
        free,
        background_number(labels),
        lambda: reserve_background(labels),
    )


def test_a_taken_cell_is_painted_with_the_next_free_number_and_undone_in_one_step(predicted):
    painted = np.zeros(predicted.shape, np.uint16)
    painted[0, 0] = 4
    found = corrections(predicted, painted)
    assert found.take((10, 10)) == "Taken as number 5."
    assert found.take((30, 20)) == "Taken as number 6."
    np.testing.assert_array_equal(painted == 5, predicted == 1)
    np.testing.assert_array_equal(painted == 6, predicted == 3)
    found.labels.undo()
    assert set(np.unique(painted)) == {0, 4, 5}
    found.labels.undo()
    assert set(np.unique(painted)) == {0, 4}


def test_paint_of_the_users_is_never_painted_over(predicted):
    painted = np.zeros(predicted.shape, np.uint16)
    painted[5:10, 5:15] = 9
    found = corrections(predicted, painted)
    found.take((12, 12))
    assert (painted == 9).sum() == 50
    assert (painted == 10).sum() == 50
    assert found.take((12, 12)) == "This cell is painted already."


def test_several_are_taken_and_undone_in_one_step(predicted):
    found = corrections(predicted)
    inside = np.zeros(predicted.shape, bool)
    inside[:20] = True
    plane = (slice(0, 40), slice(0, 60))
    assert found.take_within(plane, inside) == "2 cells taken."
    assert set(np.unique(found.labels.data)) == {0, 1, 2}
    found.labels.undo()
    assert not found.labels.data.any()
    assert found.take_within(plane, ~inside) == "1 cell taken."


def test_the_first_background_leaves_numbers_for_the_cells_after_it(predicted):
    found = corrections(predicted)
    found.take((10, 10))
    found.reject((10, 20))
    again = Corrections(
        found.labels, found.prediction, (0, 1), background_number(found.labels), lambda: 65535
    )
    assert again.take((30, 20)) == "Taken as number 2."


def test_what_is_no_cell_becomes_background_that_has_a_number_of_its_own(predicted):
    found = corrections(predicted)
    assert found.reject((10, 10)) == "Painted as background (number 65535)."
    np.testing.assert_array_equal(found.labels.data == 65535, predicted == 1)
    again = corrections(predicted, found.labels.data)
    again.labels.metadata = found.labels.metadata
    again = Corrections(
        again.labels, again.prediction, (0, 1), background_number(again.labels), lambda: 65535
    )
    assert again.take((30, 20)) == "Taken as number 1."  # the reserved number does not count
    assert again.take((10, 10)) == "Taken as number 2."  # and a cell corrects it


def test_a_predicted_cell_is_split_along_a_line(predicted):
    found = corrections(predicted)
    assert found.split([(20, 25), (30, 25), (38, 25)], SHOWN) == "Split into numbers 1 and 2."
    data = found.labels.data
    np.testing.assert_array_equal(data > 0, predicted == 3)
    assert set(np.unique(data[25:35, 10:24])) == {1} or set(np.unique(data[25:35, 10:24])) == {2}
    assert data[30, 12] != data[30, 38]
    found.labels.undo()
    assert not data.any()


def test_a_painted_cell_keeps_its_number_on_the_larger_side(predicted):
    painted = np.where(predicted == 3, 8, 0).astype(np.uint16)
    found = corrections(predicted, painted)
    assert found.split([(20, 20), (38, 20)], SHOWN) == "Split into numbers 8 and 9."
    assert painted[30, 38] == 8
    assert painted[30, 12] == 9


def test_a_line_beside_all_cells_or_into_one_is_explained(predicted):
    found = corrections(predicted)
    for line in ([(0, 0), (0, 50)], [(30, 25), (30, 30)]):
        with pytest.raises(LabelsError, match="right across"):
            found.split(line, SHOWN)
    assert not found.labels.data.any()


def test_two_cells_are_merged_with_the_gap_between_them(predicted):
    found = corrections(predicted)
    assert found.merge((10, 10), (10, 20)) == "Merged as number 1."
    assert (found.labels.data[6:14, 5:26] == 1).all()  # column 15 was background
    found.labels.undo()
    assert not found.labels.data.any()


def test_a_painted_cell_gives_its_number_to_a_predicted_one(predicted):
    painted = np.where(predicted == 2, 6, 0).astype(np.uint16)
    found = corrections(predicted, painted)
    assert found.merge((10, 10), (10, 20)) == "Merged as number 6."
    assert (painted[6:14, 5:26] == 6).all()
    with pytest.raises(LabelsError, match="from one of them to the other"):
        found.merge((10, 10), (10, 20))


def test_cells_of_a_volume_are_taken_and_split_through_all_slices():
    predicted = np.zeros((6, 30, 30), np.uint32)
    predicted[1:5, 5:25, 5:25] = 1
    found = corrections(predicted, free=(0, 1, 2))
    found.split([(2, 0, 15), (2, 29, 15)], (1, 2))
    data = found.labels.data
    np.testing.assert_array_equal(data > 0, predicted > 0)
    assert len(np.unique(data[:, :, 5:14])) == 2
    assert data[1, 10, 7] == data[4, 20, 7] != data[4, 20, 22]


def test_no_cell_and_no_free_number_are_explained(predicted):
    found = corrections(predicted)
    with pytest.raises(LabelsError, match="no predicted cell"):
        found.take((0, 0))
    full = Labels(np.full((3, 3), 255, np.uint8), name="mine")
    with pytest.raises(LabelsError, match="'mine' holds numbers up to 255 only"):
        free_number(full)


def test_the_next_number_follows_the_brush(predicted):
    labels = Labels(np.zeros((10, 10), np.uint16))
    assert free_number(labels) == 1
    labels.selected_label = 12
    labels.paint((5, 5), 12)
    assert free_number(labels) == 13


class OnDisk(np.ndarray):
    """Labels in a file, on a disk that has no room for the second of what is written."""

    written = 0

    def __setitem__(self, key, value):
        type(self).written += 1
        if type(self).written == 2:
            raise OSError(28, "No space left on device")
        super().__setitem__(key, value)


def test_on_a_full_disk_nothing_of_a_correction_stays(predicted, monkeypatch):
    full = corrections(predicted, np.zeros(predicted.shape, np.uint16).view(OnDisk))
    full.labels.name = "mine"
    monkeypatch.setattr(OnDisk, "written", 0)
    with pytest.raises(ResourceError, match=r"'mine' cannot be painted on: No space left on dev"):
        full.split([(24, 25), (35, 25)], SHOWN)
    assert not np.asarray(full.labels.data).any()  # not the first half either
    assert not full.labels._staged_history
    assert full.take((10, 10)).startswith("Taken as number")
    full.labels.undo()
    assert not np.asarray(full.labels.data).any()


def test_labels_in_a_file_are_checked_before_they_are_painted(predicted, monkeypatch):
    asked = []

    def refuse(array, size):
        asked.append(size)
        raise ResourceError("The disk of '/tmp' is full.")

    monkeypatch.setattr(module, "check_room", refuse)
    found = corrections(predicted)
    with pytest.raises(ResourceError, match="The disk of '/tmp' is full"):
        found.take((10, 10))
    assert asked == [200]
    assert not found.labels.data.any()
    assert not found.labels._undo_history


def test_where_the_numbers_end_nothing_of_several_stays(predicted):
    full = corrections(predicted, np.zeros(predicted.shape, np.uint8))
    full.labels.paint((39, 59), 253)
    inside = np.ones(predicted.shape, bool)
    with pytest.raises(LabelsError, match="all are used"):
        full.take_within((slice(None), slice(None)), inside)
    assert np.unique(full.labels.data).tolist() == [0, 253]
    full.labels.undo()  # the stroke before
    assert not full.labels.data.any()


def test_the_rim_of_a_painted_cell_is_no_cell(predicted):
    painted = np.zeros(predicted.shape, np.uint16)
    painted[6:14, 6:14] = 7  # a little smaller than it is predicted
    found = corrections(predicted, painted)
    assert found.take((10, 10)) == "This cell is painted already."
    inside = np.zeros(predicted.shape, bool)
    inside[:20] = True
    assert found.take_within((slice(None), slice(None)), inside) == "1 cell taken."
    assert np.unique(found.labels.data).tolist() == [0, 7, 8]
    assert not found.labels.data[5, 5]
