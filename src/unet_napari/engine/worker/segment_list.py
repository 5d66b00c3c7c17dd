"""Segmenting a list of images into files, in one go."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.engine.requests import ImageRef
from unet_napari.engine.worker.open_images import open_image
from unet_napari.engine.worker.segment_layers import load_model, reading_of
from unet_napari.engine.worker.shelf import SHELF
from unet_napari.errors import OutputError
from unet_napari.folder_run.contact_sheet import SHEET_SIDE
from unet_napari.folder_run.image_line import IMAGE_STATES, ImageLine
from unet_napari.folder_run.order import FolderOrder, ListedImage
from unet_napari.folder_run.run import FolderEnd, folder_steps
from unet_napari.folder_run.tables import FolderTables
from unet_napari.images import read_image
from unet_napari.images.formats.names import image_name
from unet_napari.inference import InferenceConfig
from unet_napari.labels.measure import check_measurable
from unet_napari.model.info import find_model
from unet_napari.system.disk import make_folder

if TYPE_CHECKING:
    from unet_napari.engine.list_requests import ListItem, SegmentListJob
    from unet_napari.engine.worker.job_context import JobContext
    from unet_napari.images import Image

__all__ = ["segment_list"]


def segment_list(job: SegmentListJob, context: JobContext) -> dict[str, Any]:
    """Segment a list of images into files; see `SegmentListJob`."""
    SHELF.clear()
    order = FolderOrder(
        own=load_model(job.model),
        config=InferenceConfig.from_dict(dict(job.config)),
        thresholds=job.thresholds,
        model_file=find_model(job.model),
        measured=job.table is not None,
        doubted=job.doubt,
        thumbnail=SHEET_SIDE if job.sheet else job.thumbnail,
        overwrite=job.overwrite,
    )
    if job.table is not None:
        check_measurable(order.model.task.name)
    items = [_listed(item, context) for item in job.images]
    _check_outputs([item.output for item in items])
    files = [None if path is None else Path(path) for path in (job.table, job.listing, job.sheet)]
    for path in (*(item.output for item in items), *(file for file in files if file is not None)):
        make_folder(path.parent)
    states: Counter[str] = Counter()
    with closing(folder_steps(items, order, FolderTables(*files))) as steps:
        while not context.cancelled:
            try:
                event = next(steps)
            except StopIteration as end:
                return _result(states, end.value, stopped=False)
            if isinstance(event, ImageLine):
                states[event.state] += 1
                context.send(_with_reference(event, job.thumbnail, context))
            else:
                context.send(event.overall())
    return _result(states, FolderEnd(len(items) - states.total()), stopped=True)


def _result(states: Counter[str], end: FolderEnd, *, stopped: bool) -> dict[str, Any]:
    counts = {state: states[state] for state in IMAGE_STATES}
    return {**counts, "not_tried": end.not_tried, "reason": end.reason, "stopped": stopped}


def _listed(item: ListItem, context: JobContext) -> ListedImage:
    """Return an image of a job as the list has it; nothing is opened yet."""
    output = Path(item.output)
    if isinstance(item.image, ImageRef):
        image = open_image(item.image, context)
        name = item.name or image.name
        return ListedImage(name, output, lambda: image, partial(reading_of, image))
    path = Path(item.image)
    reading = dict(item.reading)
    return ListedImage(
        item.name or image_name(path), output, partial(_read, path, reading), lambda: reading
    )


def _read(path: Path, reading: dict[str, Any]) -> Image:
    return read_image(path, **reading)


def _check_outputs(outputs: list[Path]) -> None:
    """Raise `OutputError` if two images would be written to one file."""
    twice = sorted(str(path) for path, count in Counter(outputs).items() if count > 1)
    if twice:
        raise OutputError(f"Several images would be written to {', '.join(twice)}.")


def _with_reference(line: ImageLine, side: int, context: JobContext) -> ImageLine:
    """Return a line whose thumbnail the client can open."""
    if line.thumbnail is None or not side:
        return replace(line, thumbnail=None)
    picture = np.asarray(line.thumbnail)
    reference, shared = context.allocate(picture.shape, picture.dtype)
    shared[...] = picture
    return replace(line, thumbnail=reference)
