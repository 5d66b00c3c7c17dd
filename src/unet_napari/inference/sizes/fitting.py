"""Whether the objects of an image are as large as those that a model knows, and what helps if not.

A network finds objects of many sizes around the usual one, and scaling an image costs outlines. So
the scale is changed only where something is wrong at the model's own: the objects found have
another size, or are too few, or the image looks unfamiliar; and only if the model, tried at several
scales, then knows what it sees (`trial_steps`).

A small image is segmented at the model's own scale first, and that result judged: for one of known
sizes, this costs nothing. Of a larger one a part of bounded size is looked at before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.inference.diameter import LEAST_SCORE, model_spacing, trial_steps
from unet_napari.inference.views import split_views
from unet_napari.labels.measure import diameters

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from unet_napari.images import Image, Scale
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.diameter import Trial
    from unet_napari.inference.prepared import PreparedModel
    from unet_napari.inference.progress import Progress
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.model.model import Model
    from unet_napari.tasks.familiarity import Familiarity

__all__ = ["FoundObjects", "Seen", "decides_itself", "describe_sizes", "fitting_steps", "is_small"]

# By what factor sizes differ from the usual one where scaling pays.
_OFF_FACTOR = 2.5
# The model's own scale stays where this share of what it found there differs by less than this
# factor from the estimate.
_SHARE_ALIKE = 0.8
_ALIKE_FACTOR = 2.0
# Relative diameters at which looks are cheap, a sixteenth of the pixels and less, and show large
# objects of which the model finds pieces that are as large as it knows objects.
_COARSE_DIAMETERS = (4.0, 8.0, 16.0)
# Fewer objects have no typical size.
_FEWEST_OBJECTS = 4
# Pixels, all frames and slices, up to which an image is segmented before its sizes are judged.
_SMALL_IMAGE = {2: 2**21, 3: 2**22}


class Seen:
    """A result that is written through, and remembered in memory.

    Parameters
    ----------
    out : array-like
        Takes the labels, ([T,] *S).

    Attributes
    ----------
    labels : ndarray of uint32
        The same labels.
    """

    def __init__(self, out: Writable) -> None:
        self._out = out
        self.shape = tuple(out.shape)
        self.chunks = getattr(out, "chunks", None)
        self.labels = np.zeros(self.shape, np.uint32)

    def __setitem__(self, key: Any, value: Any, /) -> None:  # noqa: ANN401  as `Writable` has it
        """Write a part."""
        self._out[key] = self.labels[key] = value


def decides_itself(model: Model, config: InferenceConfig) -> bool:
    """Tell whether it is left to the program at which scale an image is segmented."""
    untouched = config.diameter is None and not config.rescale
    return untouched and model.diameter is not None and model.task.kind.separates_objects


def is_small(image: Image, model: Model) -> bool:
    """Tell whether an image is so small that it may be segmented twice."""
    return image.frames * math.prod(image.shape) <= _SMALL_IMAGE[model.ndim]


def describe_sizes(model: Model, diameter: float) -> str:
    """Say at which size the objects are segmented, as the end of a line."""
    return (
        f"cells of about {diameter:.0f} pixels, where '{model.name}' knows {model.diameter:.0f}: "
        "segmented at that size"
    )


@dataclass(frozen=True)
class FoundObjects:
    """What a model has found at its own scale.

    Attributes
    ----------
    sizes : ndarray of float, shape (number of objects,)
        Diameters, in the smallest pixels of the image.
    unfamiliar : bool
        Whether the image is unlike those that the model knows.
    """

    sizes: NDArray[np.float64]
    unfamiliar: bool

    @classmethod
    def within(
        cls,
        labels: NDArray[np.integer],
        image: Image,
        model: Model,
        familiarity: Familiarity | None,
    ) -> FoundObjects:
        """Measure the middle frame and slice of a result.

        Parameters
        ----------
        labels : ndarray of int, ([T,] *S)
            What was found in the image.
        image, model
            What was segmented with what.
        familiarity : Familiarity or None
            Facts that tell how sure the model was of it.
        """
        views = split_views(image, model.ndim)
        index = views[len(views) // 2].index
        spacing = model_spacing(model, image.spatial_axes[-model.ndim :])
        unfamiliar = familiarity is not None and familiarity.describe() is not None
        return cls(diameters(labels[index], spacing), unfamiliar)

    def looks_wrong(self, model: Model) -> bool:
        """Tell whether objects seem to have other sizes than the model knows."""
        few = len(self.sizes) < _FEWEST_OBJECTS
        return self.unfamiliar or few or _off(float(np.median(self.sizes)), model) >= _OFF_FACTOR

    def misses(self, diameter: float, model: Model) -> bool:
        """Tell whether objects of a diameter are found better at another scale.

        Larger objects that the model does not know are cut or missed, which their sizes show.
        Smaller ones are missed, or too small to be kept.
        """
        off = _off(diameter, model)
        if off < _OFF_FACTOR or self.unfamiliar or diameter < float(model.diameter or 0):
            return off >= _OFF_FACTOR
        if not self.looks_wrong(model):
            # Of pieces that are as large as usual objects, hardly any is as large as estimated.
            return _ratio(float(np.median(self.sizes)), diameter) >= _ALIKE_FACTOR
        agree = (self.sizes > diameter / _ALIKE_FACTOR) & (self.sizes < diameter * _ALIKE_FACTOR)
        return len(agree) < _FEWEST_OBJECTS or bool(agree.mean() < _SHARE_ALIKE)


def fitting_steps(
    image: Image,
    prepared: PreparedModel,
    config: InferenceConfig,
    scale: Scale,
    found: FoundObjects | None = None,
) -> Generator[Progress, None, float | None]:
    """Find the diameter that helps, if one does.

    Parameters
    ----------
    image, prepared, config, scale
        See `trial_steps`.
    found : FoundObjects, optional
        What was found in the image at the model's own scale. Where it was not segmented, a part of
        it is looked at first. More scales are tried only where that looks wrong, or where the
        model knows what it sees at one of the scales at which objects of known sizes vanish.

    Returns
    -------
    float or None
        The diameter, in the smallest pixels of the image; None where the model's own scale is
        the right one.
    """
    model, seen = prepared.model, found

    def goes_on(*trials: Trial) -> bool:
        nonlocal seen
        coarse = trials
        if seen is None:
            coarse, own = trials[:-1], trials[-1]
            seen = FoundObjects(own.sizes, own.unfamiliar)
        return seen.looks_wrong(model) or any(trial.score >= LEAST_SCORE for trial in coarse)

    first = _COARSE_DIAMETERS if found else (*_COARSE_DIAMETERS, 1.0)
    best = yield from trial_steps(image, prepared, config, scale, first, goes_on)
    if best.diameter is None or seen is None or not seen.misses(best.diameter, model):
        return None
    return best.diameter


def _off(diameter: float, model: Model) -> float:
    """Return by what factor objects are larger, or smaller, than usual; 1 if that is unknown."""
    return 1.0 if model.diameter is None else _ratio(diameter, model.diameter)


def _ratio(one: float, other: float) -> float:
    """Return the larger of two numbers over the smaller one."""
    return max(one / other, other / one)
