"""The first 32-bit labels find everything imported and compiled."""

from types import SimpleNamespace

import numpy as np
import pytest
from napari.utils.colormaps import _accelerated_cmap

from napari.layers import Labels
from unet_napari._napari.jobs import viewer_warm_up


def test_the_loop_for_32_bit_labels_is_compiled_for_all_that_a_new_layer_needs():
    loop = _accelerated_cmap._zero_preserving_modulo_inner_loop
    if not hasattr(loop, "signatures"):
        pytest.skip("numba is not installed, or is switched off")
    viewer_warm_up.warm_up_viewer()
    compiled = list(loop.signatures)
    assert len(compiled) >= 2
    Labels(np.array([[0, 7], [70000, 0]], np.uint32))
    assert loop.signatures == compiled


def test_versions_of_napari_that_work_otherwise_are_left_alone():
    viewer_warm_up._compile(SimpleNamespace())
    viewer_warm_up._compile(SimpleNamespace(_zero_preserving_modulo_inner_loop=lambda: None))
