"""How large the objects of an image are, found by trying a model at several scales."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.inference.config import InferenceConfig
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.progress import Progress
from unet_napari.inference.rescale import rescale_image
from unet_napari.inference.running.predictor import Predictor
from unet_napari.inference.views import (
    LARGEST_FACTOR,
    check_image,
    find_scale,
    rescale_factors,
    split_views,
)
from unet_napari.labels.measure import diameters

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from numpy.typing import NDArray

    from unet_napari.images import Image, Scale, Statistics
    from unet_napari.model.model import Model

__all__ = ["LEAST_SCORE", "Trial", "diameter_steps", "model_spacing", "trial_steps"]

# Trial diameters relative to the model's: the image is made up to 16 times smaller, 4 times larger.
_TRIAL_FACTORS = tuple(2.0 ** (step / 2) for step in range(-4, 9))
# Diameter in pixels of the smallest objects; magnified noise looks like objects that are smaller.
_SMALLEST_DIAMETER = 5
# Objects that fit along each axis of what is looked at.
_OBJECTS_ACROSS = 12
# Least and most pixels that are looked at, rescaled, by the number of axes.
_PIXELS_SEEN = {2: (96**2, 384**2), 3: (24**3, 2**19)}
# Enlargement up to which it is as many as may be: large images often hold few large objects.
_SMALL_SCALE = 1 / 4
# Pixels of the middle in which the part with the most contrast is searched, and places per axis.
_PIXELS_READ, _PLACES_PER_AXIS = {2: 2**24, 3: 2**25}, 4
# Least contrast of the normalised image: objects span about 1, noise, never stretched, 0.3.
_LEAST_CONTRAST = 0.5
_FEWEST_OBJECTS = 4  # fewer have no typical size
# By what factor objects may be smaller or larger than those that the model knows.
_TYPICAL_FACTOR = 1.5
LEAST_SCORE = 0.3
"""Score of a scale at which the model knows what it sees."""
_MEASURING_STAGE = "measuring objects"


@dataclass(frozen=True)
class Trial:
    """What a model finds when objects are taken to have a certain diameter.

    Attributes
    ----------
    diameter : float or None
        Typical diameter of the objects found, in the smallest pixels of the image, at most the
        largest at which an image is segmented; None if there are too few.
    score : float
        Certainty of the model about the objects, 0 to 1, times their share that is as large as
        those it was trained on.
    unfamiliar : bool
        Whether the image, at this scale, is unlike those that the model knows.
    sizes : ndarray of float, shape (number of objects,)
        Diameters of the objects found.
    """

    diameter: float | None
    score: float
    unfamiliar: bool = False
    sizes: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


_NO_TRIAL = Trial(None, 0.0)


def diameter_steps(
    image: Image,
    model: Model,
    config: InferenceConfig | None = None,
    *,
    statistics: Statistics | None = None,
) -> Generator[Progress, None, float | None]:
    """Estimate the typical diameter of the objects in an image, step by step.

    A part of the image of bounded size, with much contrast, is segmented at several scales. That
    scale is right at which the model is certain and finds objects as large as those it was
    trained on; from what it finds there, the diameter follows.

    Parameters
    ----------
    image : Image
        Image that suits the model. Of a time series the middle frame is looked at, and for a 2D
        model the middle slice.
    model : Model
        One that knows its `diameter`.
    config : InferenceConfig, optional
        Device, memory and whether to take a stack slice by slice.
    statistics : Statistics, optional
        Brightness of the whole of which the image is a part, see `find_scale`. By default it is
        measured on the image.

    Yields
    ------
    Progress
        After each scale.

    Returns
    -------
    float or None
        Diameter of a disc, or ball, of the same size, in the smallest pixels of the image. None
        where there are too few objects, or the model has no diameter.

    Raises
    ------
    ImageError
        If the image does not suit the model or holds no number.
    """
    # With a diameter, no pixel size is warned of: it is what is being found out.
    config = replace(config or InferenceConfig(), rescale=False, diameter="auto")
    check_image(image, model, config)
    if model.diameter is None:
        return None
    scale = find_scale(image, model, statistics)
    best = yield from trial_steps(image, PreparedModel.of(model), config, scale)
    return best.diameter


def trial_steps(
    image: Image,
    prepared: PreparedModel,
    config: InferenceConfig,
    scale: Scale,
    first: tuple[float, ...] = (),
    goes_on: Callable[..., bool] | None = None,
) -> Generator[Progress, None, Trial]:
    """Estimate a diameter as `diameter_steps` does, of an image that suits the model.

    Parameters
    ----------
    image, config
        See `diameter_steps`.
    prepared : PreparedModel
        Model that looks.
    scale : Scale
        Brightness of the image.
    first : tuple of float
        What is tried first, relative to the model's diameter, where the image has room for it.
    goes_on : callable, optional
        Is given the first trials, and says whether the others are made, too.

    Returns
    -------
    Trial
        The best one; without a diameter where nothing can be estimated, or nothing else was tried.
    """
    known = prepared.model.diameter
    if known is None:
        return _NO_TRIAL
    config = replace(
        config,
        backend="torch", precision="auto", tile=None, rescale=False, diameter="auto", tta=False,
    )  # fmt: skip
    views = split_views(image, prepared.model.ndim)
    view = views[len(views) // 2].image
    look = _Look(view, prepared, config, scale.of(view))
    if look.contrast < _LEAST_CONTRAST:
        return _NO_TRIAL
    first = tuple(factor for factor in first if look.has_room(factor * known))
    possible = [factor for factor in _TRIAL_FACTORS if factor * known >= _SMALLEST_DIAMETER]
    others = (f for f in possible if f not in first and look.has_room(f * known))
    candidates = [*first, *others]
    work = len(candidates) + 1
    trials: list[Trial] = []
    for factor in candidates:
        if len(trials) == len(first) and goes_on is not None and not goes_on(*trials):
            return _NO_TRIAL
        trials.append(look.at(factor * known))
        yield Progress(len(trials), work, _MEASURING_STAGE)
    best = _best_of(trials)
    if best.diameter is None or best.score < LEAST_SCORE:
        return _NO_TRIAL
    # The scales tried are coarse: look again at the one that the objects themselves ask for.
    refined = look.at(best.diameter)
    yield Progress(work, work, _MEASURING_STAGE)
    return refined if refined.diameter is not None and refined.score >= best.score else best


def _best_of(trials: Sequence[Trial]) -> Trial:
    """Return the trial with the highest score."""
    # A trial that finds smaller objects has seen noise, magnified to the size that the model knows.
    plausible = (t for t in trials if t.diameter is not None and t.diameter >= _SMALLEST_DIAMETER)
    return max(plausible, key=lambda trial: trial.score, default=_NO_TRIAL)


class _Look:
    """Segments parts of one view at any scale.

    Attributes
    ----------
    contrast : float
        Contrast of the view, normalised.
    """

    def __init__(
        self, image: Image, prepared: PreparedModel, config: InferenceConfig, statistics: Statistics
    ) -> None:
        self._prepared, self._model = prepared, prepared.model
        self._config, self._statistics = config, statistics
        region = _middle(image.shape, _PIXELS_READ[self._model.ndim])
        self._image = replace(
            image, data=image.read(region), axes="C" + image.spatial_axes, fixed={}
        )
        channels = self._model.normalisation.apply(self._image.read(), statistics)
        low, high = np.percentile(channels.reshape(len(channels), -1), (1, 99.8), axis=1)
        self.contrast = float((high - low).max())
        self._gray: NDArray[np.float32] = channels.mean(axis=0)

    def has_room(self, diameter: float) -> bool:
        """Tell whether enough objects of about this diameter, in the smallest pixels, fit in."""
        known, axes = float(self._model.diameter or 1), self._image.spatial_axes
        pixels = math.prod(self._gray.shape) * math.prod(model_spacing(self._model, axes))
        one = (diameter / _TYPICAL_FACTOR) ** self._model.ndim
        return diameter <= known or pixels >= _FEWEST_OBJECTS * one

    def at(self, diameter: float) -> Trial:
        """Segment as if objects had a `diameter`, in the smallest pixels of the image."""
        factors = rescale_factors(self._image, self._model, diameter)
        region = self._busiest(factors)
        size = tuple(part.stop - part.start for part in region)
        shape = tuple(max(1, round(n * f)) for n, f in zip(size, factors, strict=True))
        crop = replace(self._image, data=self._image.read(region))
        maps = np.empty((self._model.task.out_channels, *shape), np.float32)
        predictor = Predictor(self._prepared, shape, self._config)
        for _ in predictor.run(rescale_image(crop, shape), self._statistics, maps):
            pass
        labels = _without_border(self._model.task.decode(maps))
        scale = diameter / float(self._model.diameter or 1)
        return self._judge(labels, maps, scale)

    def _judge(self, labels: NDArray[np.integer], maps: NDArray[np.float32], scale: float) -> Trial:
        known = float(self._model.diameter or 1)
        familiarity = self._model.task.familiarity()
        if familiarity is not None:
            familiarity.see(self._model.task.pack(maps))
        unfamiliar = familiarity is not None and familiarity.describe() is not None
        found = diameters(labels, model_spacing(self._model, self._image.spatial_axes))
        if len(found) < _FEWEST_OBJECTS:
            return Trial(None, 0.0, unfamiliar, found * scale)
        typical = (found > known / _TYPICAL_FACTOR) & (found < known * _TYPICAL_FACTOR)
        certainty = float(np.abs(2 * maps[0][labels > 0] - 1).mean())
        score = certainty * float(typical.mean())
        diameter = min(float(np.median(found)) * scale, LARGEST_FACTOR * known)
        return Trial(diameter, score, unfamiliar, found * scale)

    def _busiest(self, factors: tuple[float, ...]) -> tuple[slice, ...]:
        """Return the part with the most contrast of the size that is looked at."""
        ndim = len(factors)
        least, most = _PIXELS_SEEN[ndim]
        wanted = (_OBJECTS_ACROSS * float(self._model.diameter or 1)) ** ndim
        wanted = most if max(factors) <= _SMALL_SCALE else wanted
        side = min(max(wanted, least), most) ** (1 / ndim)
        size = [
            min(length, max(1, round(side / factor)))
            for length, factor in zip(self._gray.shape, factors, strict=True)
        ]
        starts = [
            np.unique(np.linspace(0, length - n, _PLACES_PER_AXIS).astype(int)).tolist()
            for length, n in zip(self._gray.shape, size, strict=True)
        ]
        regions = [
            tuple(slice(start, start + n) for start, n in zip(corner, size, strict=True))
            for corner in itertools.product(*starts)
        ]
        return max(regions, key=lambda region: float(self._gray[region].std()))


def model_spacing(model: Model, axes: str) -> tuple[float, ...]:
    """Return the size of a model's pixels along the axes of an image, in its smallest pixels."""
    sizes = [model.pixel_size.get(axis) for axis in axes]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return (1.0,) * len(axes)
    return tuple(size / min(known) for size in known)


def _middle(shape: tuple[int, ...], most: int) -> tuple[slice, ...]:
    """Return the middle of an image, at most so many pixels of it."""
    shrink = min(1.0, (most / math.prod(shape)) ** (1 / len(shape)))
    sizes = [max(1, int(size * shrink)) for size in shape]
    return tuple(
        slice((size - n) // 2, (size - n) // 2 + n) for size, n in zip(shape, sizes, strict=True)
    )


def _without_border(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the labels without the objects at the border, which the border may have cut."""
    inside = labels.copy()
    for axis in range(labels.ndim):
        ends = np.moveaxis(labels, axis, 0)[[0, -1]]
        inside[np.isin(inside, np.unique(ends))] = 0
    return inside
