"""From an image to maps: every view through the network, written where it belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unet_napari.inference.config import InferenceConfig
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.progress import Progress, with_time_left
from unet_napari.inference.running.predictor import Predictor
from unet_napari.inference.running.sampling import spread
from unet_napari.inference.stacks import smoothed_stack, stack_scale
from unet_napari.inference.views import check_image, find_scale, split_views

if TYPE_CHECKING:
    from collections.abc import Generator

    from unet_napari.images import Image, Statistics
    from unet_napari.inference.running.pipeline import Writable
    from unet_napari.inference.summary import PlanSummary
    from unet_napari.model.model import Model

__all__ = ["MapSink", "predict_steps"]


def predict_steps(
    image: Image,
    model: Model,
    out: Writable,
    config: InferenceConfig | None = None,
    *,
    statistics: Statistics | None = None,
) -> Generator[Progress, None, None]:
    """Predict the maps of an image, step by step; stop by no longer asking.

    Parameters
    ----------
    image : Image
        May have any size; only what a tile needs is read at a time.
    model : Model
        The model, which is left as it is.
    out : array-like
        float32, (K, *S), written tile by tile; with a time axis in the image (K, T, *S). K and
        the names of the maps are the task's.
    config : InferenceConfig, optional
        Settings of the prediction.
    statistics : Statistics, optional
        Brightness of the whole of which the image is a part, see `find_scale`. By default it is
        measured on the image.

    Yields
    ------
    Progress
        After each tile or strip.

    Raises
    ------
    ImageError
        If the image does not suit the model or holds no number.
    ResourceError
        If memory does not suffice for the smallest tiles.
    SettingsError
        If settings contradict each other or the model.

    Warns
    -----
    UnetNapariWarning
        See `check_image` and `make_plan`.
    """
    return with_time_left(
        _predict_steps(image, model, out, config or InferenceConfig(), statistics)
    )


def _predict_steps(
    image: Image,
    model: Model,
    out: Writable,
    config: InferenceConfig,
    statistics: Statistics | None,
) -> Generator[Progress, None, None]:
    config.check_unscaled()
    check_image(image, model, config)
    views = split_views(smoothed_stack(image, stack_scale(image, model, config)), model.ndim)
    scale = find_scale(image, model, statistics)
    examples = ((view.image, scale.of(view.image)) for view in spread(views))
    predictor = Predictor(PreparedModel.of(model), views[0].image.shape, config, examples)
    told = predictor.plan
    plan: PlanSummary | None = predictor.summary(len(views))
    yield Progress(0, len(views) * predictor.work, predictor.stage, plan=plan)
    for position, view in enumerate(views):
        target = MapSink(out, (slice(None), *view.index))
        for done, work in predictor.run(view.image, scale.of(view.image), target):
            plan = None if predictor.plan is told else predictor.summary()
            told = predictor.plan
            done += position * work
            yield Progress(done, len(views) * work, predictor.stage, plan=plan)


class MapSink:
    """The part of a result that one view is written into."""

    def __init__(self, out: Writable, index: tuple[Any, ...]) -> None:
        self._out, self._index = out, index
        self.shape = out.shape[:1] + out.shape[len(index) :]

    def __setitem__(self, key: Any, value: Any, /) -> None:  # noqa: ANN401  as NumPy has it
        first, *rest = key
        self._out[(first, *self._index[1:], *rest)] = value
