"""Long work in a process of its own, so that the viewer never freezes.

It may import `folder_run`, `inference`, `training`, `model`, `labels`, `images` and `system`.
`EngineClient` lives in the viewer's process and needs neither torch nor Qt; ``worker`` and
``jobs`` live in the engine process. See ``docs/engine.md``.
"""

from unet_napari.engine.arrays import ArrayRef
from unet_napari.engine.client import EngineClient, JobHandle
from unet_napari.engine.list_requests import ListItem, SegmentListJob
from unet_napari.engine.live_requests import PaintTaken, PaintUpdate, PairAdded, PairRemoved
from unet_napari.engine.protocol import (
    ArraysReady,
    ConnectionChanged,
    Event,
    ImageLine,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobWarning,
    Preview,
    Progress,
    Resting,
    Saved,
    Started,
    Step,
    Validated,
)
from unet_napari.engine.region_requests import SegmentRegionJob
from unet_napari.engine.requests import (
    AugmentationJob,
    CompareJob,
    DiameterJob,
    ImageRef,
    MeasureJob,
    PairRef,
    PreviewRequest,
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

__all__ = [
    "ArrayRef",
    "ArraysReady",
    "AugmentationJob",
    "CheckJob",
    "CompareJob",
    "ConnectionChanged",
    "DecodeJob",
    "DiameterJob",
    "DoubtJob",
    "EngineClient",
    "Event",
    "FitJob",
    "ImageLine",
    "ImageRef",
    "JobCancelled",
    "JobFailed",
    "JobFinished",
    "JobHandle",
    "JobWarning",
    "KeepThresholdsJob",
    "ListItem",
    "MeasureJob",
    "PaintTaken",
    "PaintUpdate",
    "PairAdded",
    "PairRef",
    "PairRemoved",
    "Preview",
    "PreviewRequest",
    "Progress",
    "Resting",
    "Saved",
    "SegmentFileJob",
    "SegmentJob",
    "SegmentListJob",
    "SegmentRegionJob",
    "Started",
    "Step",
    "TrainJob",
    "Validated",
]
