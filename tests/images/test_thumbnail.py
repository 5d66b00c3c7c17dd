import imagecodecs
import numpy as np
import pytest

from unet_napari.errors import OutputError
from unet_napari.images.thumbnail import grey, label_colours, overlay, write_png


def test_grey_stretches_between_percentiles_and_ignores_what_is_not_finite():
    plane = np.arange(100, dtype=np.float32).reshape(10, 10)
    plane[0, 0] = np.nan
    assert grey(plane, low=0, high=100)[0, 0] == 0
    assert grey(plane, low=0, high=100)[9, 9] == 255
    assert not grey(np.full((3, 3), np.nan)).any()
    assert not grey(np.full((3, 3), 7)).any()


def test_consecutive_labels_get_colours_far_apart():
    colours = label_colours(np.arange(1, 20))
    assert np.abs(np.diff(colours, axis=0)).sum(axis=1).min() > 0.5


def test_overlay_leaves_background_grey_and_outlines_in_full_colour():
    image = np.tile(np.arange(20), (20, 1))
    labels = np.zeros((20, 20), np.int32)
    labels[5:15, 5:15] = 3
    picture = overlay(image, labels)
    np.testing.assert_array_equal(picture[0, :, 0], picture[0, :, 1])
    np.testing.assert_array_equal(
        picture[5, 5], (label_colours(np.array(3)) * 255).astype(np.uint8)
    )


def test_png_is_written_whole_or_not_at_all(tmp_path):
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    write_png(tmp_path / "a.png", picture)
    back = imagecodecs.png_decode((tmp_path / "a.png").read_bytes())
    np.testing.assert_array_equal(back, picture)
    with pytest.raises(OutputError, match="nowhere' does not exist"):
        write_png(tmp_path / "nowhere" / "a.png", picture)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
