"""Pictures of cells of random look, made by program: they cost no licence.

Each kind of picture draws objects, which are labelled, and a look, which is not tied to any
microscope: bright or dark objects, filled or with a rim only, textured, blurred, unevenly lit and
noisy. A network that learns from them alone finds closed outlines; beside micrographs they keep it
from learning one kind of look by heart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Labels = NDArray[np.int32]

__all__ = ["KINDS", "draw"]

_DIAMETERS = (12.0, 40.0)  # of a typical object of a picture, in pixels
_HARMONICS = 4  # waves of an outline around an object


def draw(kind: str, size: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], Labels]:
    """Draw a picture.

    Parameters
    ----------
    kind
        One of `KINDS`: blobs, tissue, membranes or filaments.
    size
        Rows and columns, in pixels.
    rng
        Decides everything else.

    Returns
    -------
    image : ndarray of float32, shape (size, size)
        Brightness in arbitrary units.
    labels : ndarray of int32, shape (size, size)
        The objects, 0 between them.
    """
    low, high = np.log(_DIAMETERS)
    diameter = float(np.exp(rng.uniform(low, high)))
    labels, light = KINDS[kind](size, diameter, rng)
    return _photograph(light, rng).astype(np.float32), labels


def _blobs(size: int, diameter: float, rng: np.random.Generator) -> tuple[Labels, Floats]:
    """Draw roundish objects, some of them touching, on a ground of another brightness."""
    centres = _points(size, diameter * rng.uniform(0.85, 2.2), rng)
    labels, inner = _around(centres, size, diameter, rng, stretch=rng.uniform(0, 0.8))
    return labels, _fill(labels, inner, diameter, rng)


def _tissue(size: int, diameter: float, rng: np.random.Generator) -> tuple[Labels, Floats]:
    """Draw cells that fill the picture, or a part of it, told apart by gaps and brightness."""
    labels, edge = _mosaic(size, diameter, rng)
    labels = np.where(edge < rng.uniform(0.5, 2.0), 0, labels).astype(np.int32)
    if rng.random() < 0.5:  # with an empty part
        empty = _smooth(size, 2 * diameter, rng) < rng.uniform(-0.5, 0.7)
        gone = np.unique(labels[empty])
        labels[np.isin(labels, gone)] = 0
    return labels, _fill(labels, np.minimum(edge / (diameter / 2), 1), diameter, rng)


def _membranes(size: int, diameter: float, rng: np.random.Generator) -> tuple[Labels, Floats]:
    """Draw cells that fill the picture, of which only the membranes show."""
    labels, edge = _mosaic(size, diameter, rng)
    width = rng.uniform(0.8, 2.2)
    membrane = np.exp(-0.5 * (edge / width) ** 2) * _varied(size, diameter, 0.5, rng)
    specks = rng.uniform(0, 0.5) * (_smooth(size, rng.uniform(1, 3), rng) > rng.uniform(1.2, 2))
    inside = rng.uniform(0, 0.25) * _smooth(size, rng.uniform(1, 4), rng)
    return np.where(edge < 0.5, 0, labels).astype(np.int32), membrane + specks + inside


def _filaments(size: int, diameter: float, rng: np.random.Generator) -> tuple[Labels, Floats]:
    """Draw bent rods, as long as several of their widths; those in front cut those behind."""
    width = max(4.0, diameter / 3)
    count = int(rng.uniform(0.15, 0.5) * size**2 / (width * 3 * diameter)) + 1
    drawn = np.zeros((size, size), np.int32)
    for number in range(1, count + 1):
        length = int(rng.uniform(1, 4) * diameter)
        angles = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.5 / diameter**0.5, length))
        path = rng.uniform(0, size, 2)[:, None] + np.cumsum([np.sin(angles), np.cos(angles)], 1)
        y, x = np.rint(path).astype(int)
        inside = (y >= 0) & (y < size) & (x >= 0) & (x < size)
        drawn[y[inside], x[inside]] = number
    distance, nearest = ndimage.distance_transform_edt(drawn == 0, return_indices=True)
    labels = np.where(distance < width / 2, drawn[tuple(nearest)], 0).astype(np.int32)
    return labels, _fill(labels, np.clip(1 - 2 * distance / width, 0, 1), width, rng)


KINDS: dict[str, Callable[[int, float, np.random.Generator], tuple[Labels, Floats]]] = {
    "blobs": _blobs,
    "tissue": _tissue,
    "membranes": _membranes,
    "filaments": _filaments,
}
"""Each takes the size of the picture, a typical diameter and the chance, and returns labels and
light."""


def _points(size: int, distance: float, rng: np.random.Generator) -> Floats:
    """Return the nodes of a shaken grid, about so many pixels apart, shape (n, 2)."""
    steps = np.arange(-distance, size + 2 * distance, distance)
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    points = grid + rng.normal(0, distance * rng.uniform(0.1, 0.35), grid.shape)
    points = points[rng.random(len(points)) < rng.uniform(0.5, 1)]
    return points if len(points) > 2 else grid


def _warped(size: int, diameter: float, rng: np.random.Generator) -> Floats:
    """Return the coordinates of each pixel, bent as a soft tissue is, shape (size * size, 2)."""
    amount = diameter * rng.uniform(0, 0.15)
    bent = [axis + amount * _smooth(size, diameter / 3, rng) for axis in np.mgrid[:size, :size]]
    return np.stack(bent, -1).reshape(-1, 2)


def _around(
    centres: Floats, size: int, diameter: float, rng: np.random.Generator, stretch: float
) -> tuple[Labels, Floats]:
    """Lay a wavy ellipse around each centre; return labels and how deep inside a pixel is."""
    pixels = np.stack(np.mgrid[:size, :size], -1).reshape(-1, 2)
    _, nearest = cKDTree(centres).query(pixels)
    offset = pixels - centres[nearest]
    count = len(centres)
    turn, long = rng.uniform(0, np.pi, count), np.exp(stretch * rng.uniform(0, 1, count))
    sine, cosine = np.sin(turn)[nearest], np.cos(turn)[nearest]
    along = (offset[:, 0] * sine + offset[:, 1] * cosine) / long[nearest] ** 0.5
    across = (offset[:, 0] * cosine - offset[:, 1] * sine) * long[nearest] ** 0.5
    angle = np.arctan2(across, along)
    radius = 0.5 * diameter * np.exp(rng.normal(0, 0.25, count))[nearest]
    for wave in range(2, 2 + _HARMONICS):
        height, phase = rng.normal(0, 0.12 / wave, count), rng.uniform(0, 2 * np.pi, count)
        radius = radius * (1 + height[nearest] * np.cos(wave * angle + phase[nearest]))
    depth = (1 - np.hypot(along, across) / radius).reshape(size, size)
    labels = np.where(depth > 0, 1 + nearest.reshape(size, size), 0).astype(np.int32)
    return labels, np.clip(depth, 0, 1)


def _mosaic(size: int, diameter: float, rng: np.random.Generator) -> tuple[Labels, Floats]:
    """Divide the picture among cells; return labels and the distance to the nearest edge."""
    centres = _points(size, diameter, rng)
    if rng.random() < 0.5:  # elongated along one axis
        centres = centres * [1, rng.uniform(1, 2)]
    _, nearest = cKDTree(centres).query(_warped(size, diameter, rng))
    labels = 1 + nearest.reshape(size, size).astype(np.int32)
    edge = ndimage.maximum_filter(labels, 3) != ndimage.minimum_filter(labels, 3)
    distance = ndimage.distance_transform_edt(~edge)
    return labels, np.asarray(distance)


def _fill(labels: Labels, depth: Floats, diameter: float, rng: np.random.Generator) -> Floats:
    """Paint objects: filled, with a rim or both, each as bright as chance says."""
    size, inside = len(labels), labels > 0
    bright = np.exp(rng.normal(0, rng.uniform(0.05, 0.5), labels.max() + 1))[labels]
    light = inside * bright * rng.uniform(0.2, 1)
    light = light * _varied(size, max(1.0, diameter / rng.uniform(4, 12)), rng.uniform(0, 0.5), rng)
    if rng.random() < 0.5:
        rim = np.exp(-0.5 * (depth / rng.uniform(0.08, 0.3)) ** 2) * inside
        light = light + rng.uniform(-0.7, 1) * rim
    if rng.random() < 0.3:  # a halo, as in phase contrast
        light = light - rng.uniform(0.2, 0.8) * ndimage.gaussian_filter(
            inside.astype(float), diameter * rng.uniform(0.1, 0.3)
        )
    ground = rng.uniform(0, 0.3) * _smooth(size, rng.uniform(1, diameter), rng)
    return np.asarray(light + ground)


def _photograph(light: Floats, rng: np.random.Generator) -> Floats:
    """Blur and light a picture, perhaps turn it dark on bright, and add noise."""
    light = ndimage.gaussian_filter(light, rng.uniform(0.3, 1.5))
    spread = float(np.std(light)) or 1.0
    if rng.random() < 0.5:
        light = -light
    light = light / spread + rng.uniform(0, 0.6) * _smooth(len(light), len(light) / 3, rng)
    grain = rng.normal(size=light.shape)
    if rng.random() < 0.5:
        grain = ndimage.gaussian_filter(grain, 0.7) * 2
    return np.asarray(light + 0.6 * rng.random() ** 2 * grain)


def _varied(size: int, length: float, amount: float, rng: np.random.Generator) -> Floats:
    """Return factors around 1 that vary over a length."""
    return np.exp(amount * _smooth(size, length, rng))


def _smooth(size: int, length: float, rng: np.random.Generator) -> Floats:
    """Return noise of mean 0 and standard deviation 1, smooth over a length in pixels."""
    noise = ndimage.gaussian_filter(rng.normal(size=(size, size)), min(length, size), mode="wrap")
    return np.asarray((noise - noise.mean()) / (noise.std() or 1.0))
