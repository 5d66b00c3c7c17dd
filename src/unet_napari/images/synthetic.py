"""Fluorescent nuclei made by computation: the example that the package brings along."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["nuclei"]

# Length of a step along Z, in pixels of X; micrographs have coarser steps there.
_Z_STEP = 2.0
# Share of the picture that nuclei cover, by number of spatial axes.
_COVER_SHARE = {2: 0.26, 3: 0.16}
# Limits of the mean radius, in pixels.
_RADIUS_LIMITS = (4.0, 13.0)
# Share of the nuclei that are put next to another one.
_TOUCHING_SHARE = 0.3
# Share of the nuclei that are small, bright and smooth, as in mitosis.
_MITOTIC_SHARE = 0.06
# Properties of the camera: counts without light, counts per photon, standard deviation of the
# read-out.
_OFFSET, _GAIN, _READ_NOISE = 110.0, 6.0, 5.0
# Number of photons from the centre of a nucleus of average brightness.
_PHOTONS = 130.0


@dataclass(frozen=True)
class _Nucleus:
    """One ellipsoid. Its lengths are in pixels of X, also along Z."""

    centre: NDArray[np.float64]
    radius: float
    to_sphere: NDArray[np.float64]  # turns and stretches the ellipsoid into the unit sphere
    brightness: float
    smooth: bool


def nuclei(
    shape: Sequence[int], *, count: int, seed: int
) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | NDArray[np.uint32]]:
    """Make a picture or a stack of fluorescent nuclei, and the truth about it.

    Ellipsoids of varied size, shape and brightness, some of them touching, with chromatin
    texture, nucleoli and a few bright mitotic ones; blurred and hazy as in a widefield
    microscope, lit unevenly, recorded by a camera with shot and read-out noise.

    Parameters
    ----------
    shape
        ``(Y, X)`` or ``(Z, Y, X)``; a Z step is as long as 2 pixels of X.
    count
        Number of nuclei; their size follows from it.
    seed
        The same seed makes the same picture.

    Returns
    -------
    image : numpy.ndarray of uint16
    labels : numpy.ndarray of uint16
        1 to `count`, 0 is background; uint32 for more than 65,535 nuclei.

    Raises
    ------
    ValueError
        If the shape has not 2 or 3 positive sizes or the count is negative.
    """
    if len(shape) not in _COVER_SHARE or min(shape) < 1 or count < 0:
        raise ValueError(f"cannot draw {count} nuclei in a picture of shape {tuple(shape)}")
    rng = np.random.default_rng(seed)
    step = np.ones(len(shape))
    step[:-2] = _Z_STEP
    drawn = list(_place_nuclei(rng, np.asarray(shape) * step, count))
    wobble = _smooth_noise(rng, shape, 5.0 / step)
    chromatin = _smooth_noise(rng, shape, 1.6 / step)
    labels, light = _draw_nuclei(drawn, shape, step, wobble, chromatin)
    return _record(rng, _through_microscope(rng, light, step)), labels


def _place_nuclei(
    rng: np.random.Generator, extent: NDArray[np.float64], count: int
) -> Iterator[_Nucleus]:
    """Draw nuclei that overlap as little as the room allows."""
    ndim = len(extent)
    unit_ball = math.pi if ndim == 2 else 4 / 3 * math.pi
    room = _COVER_SHARE[ndim] * float(np.prod(extent)) / (max(count, 1) * unit_ball)
    mean_radius = float(np.clip(room ** (1 / ndim), *_RADIUS_LIMITS))
    centres = np.empty((0, ndim))
    radii = np.empty(0)
    for _ in range(count):
        mitotic = rng.random() < _MITOTIC_SHARE
        radius = mean_radius * rng.uniform(0.75, 1.25) * (0.7 if mitotic else 1.0)
        candidates = rng.uniform(0.02, 0.98, (40, ndim)) * extent
        if len(centres) and rng.random() < _TOUCHING_SHARE:
            neighbour = rng.integers(len(centres))
            reach = 0.95 * (radius + radii[neighbour])
            candidates = centres[neighbour] + reach * _directions(rng, 40, ndim)
            candidates = np.clip(candidates, 0.02 * extent, 0.98 * extent)
        distance = np.linalg.norm(candidates[:, None] - centres[None], axis=-1)
        gap = (distance - 0.9 * (radius + radii)).min(axis=1, initial=math.inf)
        free = np.flatnonzero(gap >= 0)
        centre = candidates[free[0] if len(free) else int(gap.argmax())]
        centres, radii = np.vstack([centres, centre]), np.append(radii, radius)
        brightness = float(rng.lognormal(0, 0.35)) * (2.2 if mitotic else 1.0)
        yield _Nucleus(centre, radius, _ellipsoid(rng, radius, ndim), brightness, mitotic)


def _directions(rng: np.random.Generator, number: int, ndim: int) -> NDArray[np.float64]:
    vectors = rng.normal(size=(number, ndim))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _ellipsoid(rng: np.random.Generator, radius: float, ndim: int) -> NDArray[np.float64]:
    """Return the matrix that maps a randomly turned ellipsoid on the unit sphere."""
    stretch = rng.uniform(0.8, 1.25, ndim)
    stretch /= float(np.prod(stretch)) ** (1 / ndim)
    turn, _ = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    return np.asarray(turn / (radius * stretch[:, None]))


def _smooth_noise(
    rng: np.random.Generator, shape: Sequence[int], sigma: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return smooth noise with mean 0 and standard deviation 1."""
    sigma = np.minimum(sigma, np.asarray(shape) / 4)
    field = ndimage.gaussian_filter(rng.normal(size=tuple(shape)), sigma, mode="wrap")
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-9))


def _draw_nuclei(
    drawn: Sequence[_Nucleus],
    shape: Sequence[int],
    step: NDArray[np.float64],
    wobble: NDArray[np.float64],
    chromatin: NDArray[np.float64],
) -> tuple[NDArray[np.uint16] | NDArray[np.uint32], NDArray[np.float64]]:
    """Return labels and the light that leaves each pixel; the nearer nucleus wins a pixel."""
    labels = np.zeros(tuple(shape), np.uint16 if len(drawn) < 2**16 else np.uint32)
    light = np.zeros(tuple(shape))
    depth = np.ones(tuple(shape))  # 0 at the centre of the nucleus that owns a pixel, 1 outside
    for number, nucleus in enumerate(drawn, start=1):
        reach = 1.5 * nucleus.radius
        first = np.maximum(np.floor((nucleus.centre - reach) / step), 0).astype(int)
        last = np.minimum(np.ceil((nucleus.centre + reach) / step) + 1, shape).astype(int)
        box = tuple(map(slice, first, last))
        grid = np.stack(np.meshgrid(*map(np.arange, first, last), indexing="ij"), axis=-1)
        place = (grid * step - nucleus.centre) @ nucleus.to_sphere.T
        distance = np.linalg.norm(place, axis=-1) + 0.06 * wobble[box]
        mine = distance < depth[box]
        depth[box][mine] = distance[mine]
        labels[box][mine] = number
        light[box][mine] = _emission(nucleus, place, distance, chromatin[box])[mine]
    return labels, light


def _emission(
    nucleus: _Nucleus,
    place: NDArray[np.float64],
    distance: NDArray[np.float64],
    chromatin: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Brightness of one nucleus: thicker in the middle, grainy, with two dark nucleoli."""
    thickness = 0.55 + 0.45 * np.sqrt(np.clip(1 - distance**2, 0, 1))
    if nucleus.smooth:
        return nucleus.brightness * thickness
    grain = np.clip(1 + 0.22 * chromatin, 0.2, None)
    # The places of the nucleoli follow from the turn of the nucleus: no random numbers are needed.
    axis = nucleus.to_sphere[0] * nucleus.radius
    for spot in (0.45 * axis, -0.3 * axis):
        grain *= 1 - 0.45 * np.exp(-np.sum((place - spot) ** 2, axis=-1) / 0.045)
    return nucleus.brightness * thickness * grain


def _through_microscope(
    rng: np.random.Generator, light: NDArray[np.float64], step: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Blur, add out-of-focus haze and autofluorescence, and light the field unevenly."""
    sigma = np.full(light.ndim, 1.1)
    sigma[:-2] = 2.6 / _Z_STEP  # the point-spread function is longer along Z
    sharp = ndimage.gaussian_filter(light, sigma)
    haze = ndimage.gaussian_filter(light, 14 / step, mode="nearest")
    ramps = np.meshgrid(*(np.linspace(-1, 1, size) for size in light.shape[-2:]), indexing="ij")
    tilt = rng.uniform(-0.5, 0.5, 2)
    off_centre = sum((ramp - t) ** 2 for ramp, t in zip(ramps, tilt, strict=True))
    lamp = 1 - 0.14 * np.asarray(off_centre)
    cloud = 0.03 * np.clip(1 + 0.4 * _smooth_noise(rng, light.shape, 40 / step), 0, None)
    return np.asarray((sharp + 0.18 * haze + cloud) * lamp)


def _record(rng: np.random.Generator, light: NDArray[np.float64]) -> NDArray[np.uint16]:
    counts = _OFFSET + _GAIN * rng.poisson(_PHOTONS * light)
    counts = counts + rng.normal(0, _READ_NOISE, light.shape)
    return np.clip(np.rint(counts), 0, 2**16 - 1).astype(np.uint16)
