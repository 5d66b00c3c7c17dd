"""Which of the models that there are may be a start: few, the most familiar ones first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unet_napari.images import Normalisation
from unet_napari.model.info import ListedModel
from unet_napari.tasks.kinds.catalogue import task_kind

if TYPE_CHECKING:
    from unet_napari.model.info import ListedModel, ModelInfo

__all__ = ["Wanted", "familiar_models"]

_OWN_MODELS = 2  # of the user's models, so that a large library makes no training slow


@dataclass(frozen=True)
class Wanted:
    """What a training needs of a start.

    Attributes
    ----------
    task
        Name of the task. Where its maps are classes, the last layer is learnt anew, so that models
        of other tasks are of use.
    ndim, channels
        Spatial axes of the network, and channels of the images.
    diameter
        Diameter of a typical painted object, in pixels of the images; None where it is unknown.
    pixel_size
        Pixel size of the images, in micrometres by axis, where it is known.
    """

    task: str
    ndim: int
    channels: int
    diameter: float | None
    pixel_size: Mapping[str, float]


def familiar_models(wanted: Wanted, models: Sequence[ListedModel]) -> list[ListedModel]:
    """Return the models that a training may start from: bundled ones, and two of the user's.

    Of the user's, those go first that know objects and pixels of the sizes that the images have;
    of equals the latest.

    Parameters
    ----------
    wanted
        What is needed.
    models
        The models that there are.
    """
    fitting = [model for model in models if model.info and _fits(model.info, wanted)]
    own = [model for model in fitting if not model.bundled]
    own.sort(key=_age, reverse=True)
    own.sort(key=lambda model: _strangeness(model.info, wanted) if model.info else math.inf)
    return [model for model in fitting if model.bundled] + own[:_OWN_MODELS]


def _fits(info: ModelInfo, wanted: Wanted) -> bool:
    """Tell whether the network can look at the images as it has learned to."""
    usual = Normalisation().to_dict()
    return (
        info.ndim == wanted.ndim
        and info.channels == wanted.channels
        and info.normalisation == usual
        and (info.task.get("name") == wanted.task or not task_kind(wanted.task).separates_objects)
    )


def _strangeness(info: ModelInfo, wanted: Wanted) -> float:
    """Return by how much sizes differ, as logarithms of factors, rounded to halves of a doubling.

    What is not known does not count.
    """
    pairs = [(info.diameter, wanted.diameter)]
    pairs += [(info.pixel_size.get(axis), size) for axis, size in wanted.pixel_size.items()]
    off = [abs(math.log2(a / b)) for a, b in pairs if a and b]
    return round(2 * max(off, default=0.0)) / 2


def _age(model: ListedModel) -> float:
    try:
        return model.path.stat().st_mtime
    except OSError:  # it is gone
        return -math.inf
