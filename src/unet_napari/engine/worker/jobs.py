"""The jobs of the engine process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unet_napari.engine.list_requests import SegmentListJob
from unet_napari.engine.region_requests import SegmentRegionJob
from unet_napari.engine.requests import (
    AugmentationJob,
    CompareJob,
    DiameterJob,
    MeasureJob,
    SegmentFileJob,
    SegmentJob,
    TrainJob,
)
from unet_napari.engine.threshold_requests import (
    CheckJob,
    DecodeJob,
    DoubtJob,
    FitJob,
    KeepThresholdsJob,
)
from unet_napari.engine.worker.decode_again import decode_again, fit_painted, keep_thresholds
from unet_napari.engine.worker.judge_labels import judge_labels
from unet_napari.engine.worker.measure_labels import measure_labels
from unet_napari.engine.worker.open_images import open_pair
from unet_napari.engine.worker.rank_doubts import draw_checked, rank_doubts
from unet_napari.engine.worker.segment_file import segment_into_file
from unet_napari.engine.worker.segment_layers import (
    estimate,
    segment_into_layers,
    segment_region,
)
from unet_napari.engine.worker.segment_list import segment_list
from unet_napari.engine.worker.train import run_training
from unet_napari.engine.worker.worker_warm_up import warm_up_worker
from unet_napari.training import TrainConfig
from unet_napari.training.data.patch_sheet import augmented_examples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from unet_napari.engine.worker.job_context import JobContext

__all__ = ["RUNNERS", "warm_up_worker"]


def draw_augmentation(job: AugmentationJob, context: JobContext) -> dict[str, Any]:
    """Draw patches as training would see them; see `AugmentationJob`."""
    pairs = [open_pair(reference, context) for reference in job.pairs]
    picture = augmented_examples(pairs, TrainConfig.from_dict(job.config))
    reference, shared = context.allocate(picture.shape, picture.dtype)
    shared[...] = picture
    return {"picture": reference}


RUNNERS: Mapping[type, Callable[[Any, JobContext], dict[str, Any]]] = {
    AugmentationJob: draw_augmentation,
    CheckJob: draw_checked,
    CompareJob: judge_labels,
    DecodeJob: decode_again,
    DiameterJob: estimate,
    DoubtJob: rank_doubts,
    FitJob: fit_painted,
    KeepThresholdsJob: keep_thresholds,
    MeasureJob: measure_labels,
    SegmentFileJob: segment_into_file,
    SegmentJob: segment_into_layers,
    SegmentListJob: segment_list,
    SegmentRegionJob: segment_region,
    TrainJob: run_training,
}
