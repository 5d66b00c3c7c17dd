"""The network of a model in int8: calibrated once, kept, and its speed compared once."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import torch

from unet_napari.inference.backends.calibration import Calibration
from unet_napari.inference.backends.int8 import calibrate
from unet_napari.inference.running.sampling import sample_tiles
from unet_napari.inference.storage.calibrations import keep_calibration, read_calibration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from unet_napari.images import Image, Statistics
    from unet_napari.inference.backends.agreement import Agreement
    from unet_napari.inference.backends.backend import Quantisable
    from unet_napari.inference.planning.plan import Plan
    from unet_napari.inference.prepared import PreparedModel
    from unet_napari.inference.tiles import Grid

__all__ = ["calibrate_on", "ensure_calibrated", "known_speed"]

_ROUNDS = 3  # of a measurement that is kept: one that something else disturbed must not decide


def ensure_calibrated(
    prepared: PreparedModel,
    backend: Quantisable,
    grid: Grid,
    examples: Iterable[tuple[Image, Statistics]],
) -> Agreement | None:
    """Let a backend compute in int8, as it was calibrated before, or else on the examples.

    Parameters
    ----------
    prepared : PreparedModel
        Model that predicts.
    backend : Quantisable
        What computes it; one that computes in int8 already is left as it is.
    grid : Grid
        Grid on which the examples may be cut.
    examples : iterable of (Image, Statistics)
        Images with the spatial axes of the network, of one shape, and how bright each is as a
        whole. None is looked at where there is a calibration.

    Returns
    -------
    Agreement or None
        How well it agrees with fp32, on tiles of the examples; None where none was looked at.

    Warns
    -----
    UnetNapariWarning
        See `calibrate` and `keep_calibration`.
    """
    if backend.calibration is not None:
        return None
    known = read_calibration(prepared.calibration_key)
    if known is not None:
        backend.restore(known)
        return None
    calibration, agreement = calibrate_on(prepared, backend, grid, examples)
    keep_calibration(prepared.calibration_key, calibration)
    return agreement


def calibrate_on(
    prepared: PreparedModel,
    backend: Quantisable,
    grid: Grid,
    examples: Iterable[tuple[Image, Statistics]],
) -> tuple[Calibration, Agreement]:
    """Calibrate a backend that computes in fp32 so far on tiles of images; keep nothing.

    The parameters are those of `ensure_calibrated`.
    """
    seen = list(examples)
    tiles = sample_tiles(prepared.model, seen, grid)
    agreement = calibrate(backend, prepared.model.task, tiles)
    calibration = Calibration(backend.stored(), agreement.same, seen[0][0].name)
    backend.calibration = calibration
    return calibration, agreement


def known_speed(
    prepared: PreparedModel, backend: Quantisable, plan: Plan, measure: Callable[[], float]
) -> float:
    """Return how fast a plan is computed here, measured once and kept with the calibration, if any.

    Parameters
    ----------
    prepared : PreparedModel
        Model that predicts.
    backend : Quantisable
        Backend in int8; the speed is kept with its calibration, where that is kept.
    plan : Plan
        What is computed, in int8 or otherwise.
    measure : callable
        Returns floating-point operations per second; takes some tenths of a second.
    """
    calibration = backend.calibration
    assert calibration is not None  # noqa: S101  it computes in int8
    cut = "tiles" if plan.strip is None else "stream"
    way = f"{plan.backend} {plan.precision} {plan.device.type} {cut}"
    where = f"{torch.get_num_threads()} threads of {platform.node()}"
    name = f"{way}, {where}"
    if name not in calibration.speeds:
        speed = max(measure() for _ in range(_ROUNDS))
        backend.calibration = calibration = calibration.with_speed(name, speed)
        kept = read_calibration(prepared.calibration_key)
        if kept is not None and kept.digest == calibration.digest:
            keep_calibration(prepared.calibration_key, calibration)
    return calibration.speeds[name]
