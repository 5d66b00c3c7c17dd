"""Networks in int8: calibrated on tiles of the image at hand, and compared with fp32 there.

Static quantisation after training (Jacob et al. 2018, arXiv:1712.05877): weights and features are
rounded to 8 bits, within the ranges that the features have on a few examples. NNCF finds the
ranges and corrects the biases, OpenVINO computes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import SettingsError
from unet_napari.inference.backends.agreement import (
    Agreement,
    measure_agreement,
    warn_of_disagreement,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unet_napari.inference.backends.backend import Quantisable
    from unet_napari.tasks import Task

__all__ = ["calibrate", "check_int8", "quantise"]


def check_int8() -> None:
    """Raise `SettingsError` if a package that int8 needs is not installed."""
    missing = [name for name in ("openvino", "nncf") if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"The precision int8 needs {' and '.join(missing)}, not installed here. Install with: "
            'pip install "unet-napari[int8]", or choose another precision.'
        )


def quantise(graph: Any, batches: Sequence[NDArray[np.float32]]) -> Any:  # noqa: ANN401  untyped
    """Return an OpenVINO graph in int8.

    Parameters
    ----------
    graph : openvino.Model
        Graph in fp32, of the shape of the batches. It is left as it is.
    batches : sequence of ndarray
        Examples of its input.
    """
    import nncf

    nncf.set_log_level(logging.ERROR)
    # It draws a progress bar on stdout, which belongs to the results of the command line.
    with contextlib.redirect_stdout(io.StringIO()):
        return nncf.quantize(
            graph,
            nncf.Dataset(batches),
            subset_size=len(batches),
            target_device=nncf.TargetDevice.CPU,
            # Ranges that need not begin at zero: a quarter fewer pixels changed.
            preset=nncf.QuantizationPreset.MIXED,
        )


def calibrate(backend: Quantisable, task: Task, tiles: Sequence[NDArray[np.float32]]) -> Agreement:
    """Change a backend to int8 and tell how well it agrees with what it said in fp32.

    Parameters
    ----------
    backend : Quantisable
        Backend that computes in fp32 so far.
    task : Task
        What the output of its network means.
    tiles : sequence of ndarray
        Tiles from `sample_tiles`. Every second one calibrates, and the agreement is that on the
        others; a single tile does both.

    Warns
    -----
    UnetNapariWarning
        If fewer than 99 % of the pixels are decided alike.
    """
    examples, others = tiles[0::2], tiles[1::2] or tiles
    reference = [backend.logits(tile) for tile in others]
    backend.quantise(examples)
    agreement = measure_agreement(task, reference, backend.logits, others)
    warn_of_disagreement(agreement, "int8")
    return agreement
