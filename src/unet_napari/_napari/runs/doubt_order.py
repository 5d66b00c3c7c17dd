"""What is asked of the engine to find the doubtful objects of the last segmentation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from napari.layers import Labels
from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.background_paint import background_number
from unet_napari._napari.layers.layer_axes import array_of, output_axes
from unet_napari._napari.layers.spots import Ranker, Spot, placed
from unet_napari._napari.runs.kept_run import KeptRun
from unet_napari.engine import DoubtJob
from unet_napari.errors import EngineError

__all__ = ["ranker"]


def ranker(
    job: Job, background: Background, run: KeptRun, thresholds: Callable[[], Mapping[str, float]]
) -> Ranker:
    """Return what ranks the objects of a segmentation whose maps the engine has kept.

    Parameters
    ----------
    job : Job
        The engine.
    background : Background
        Copies what is painted.
    run : KeptRun
        The segmentation.
    thresholds : callable
        Returns those that its labels have now, as of a `DecodeJob`.
    """
    axes, place = output_axes(run.order.image.axes), run.order.place

    def rank(
        labels: Labels,
        done: Callable[[Sequence[Spot]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        region, values = run.region, dict(thresholds())

        def request() -> DoubtJob:
            part = painted_part(labels, axes, region, place.index)
            reference = job.share_array(part)
            return DoubtJob(run.number, values, reference, background_number(labels))

        def show(result: Mapping[str, Any]) -> None:
            if result:
                done(placed(result["doubtful"], axes, region, place.index))
            else:  # another job was begun
                failed(EngineError("The engine was needed for something else: press N again."))

        def ask(wanted: DoubtJob) -> None:
            if run.pid != job.pid:
                failed(EngineError("Segment the image again to look for doubtful cells in it."))
                return
            try:
                job.ask(wanted, show, failed)
            except EngineError as error:
                failed(error)

        background.run(request, ask, failed)

    return rank


def painted_part(
    labels: Labels, axes: str, region: Mapping[str, tuple[int, int]], index: Mapping[str, int]
) -> np.ndarray[Any, Any]:
    """Return what is painted in a part of an image, its axes in the order of the region."""
    key = tuple(
        slice(*region[letter]) if letter in region else index.get(letter, 0) for letter in axes
    )
    part = np.asarray(array_of(labels)[key])
    letters = [letter for letter in axes if letter in region]
    return np.ascontiguousarray(part.transpose([letters.index(letter) for letter in region]))
