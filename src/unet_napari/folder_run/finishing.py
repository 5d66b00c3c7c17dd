"""What is done with labels when they are computed: counted, doubted, measured, put in place."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import UnetNapariError, noting_warnings
from unet_napari.folder_run.image_line import ImageLine
from unet_napari.folder_run.small_picture import small_picture
from unet_napari.folder_run.standing import labels_digest
from unet_napari.geometry import Box
from unet_napari.images.divided import Divided
from unet_napari.inference.doubt.found_facts import doubt_facts_steps
from unet_napari.inference.progress import Progress
from unet_napari.inference.results.recording import record_of
from unet_napari.labels.label_axes import labels_on
from unet_napari.labels.measure import measure_objects
from unet_napari.system.device import is_out_of_memory
from unet_napari.system.disk import is_full
from unet_napari.system.memory import NO_MEMORY

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from unet_napari.folder_run.order import FolderOrder, ListedImage
    from unet_napari.folder_run.standing import Standing
    from unet_napari.images import BoxWriter, Image, LazyArray
    from unet_napari.inference.progress import PlanSummary
    from unet_napari.inference.running.kept_maps import KeptMaps
    from unet_napari.inference.running.machines import Machines
    from unet_napari.labels.measure import Table

__all__ = ["Computed", "ImageDone", "count_labelled", "failed_image", "left_as_it_is"]

# What is counted at a time, along the last axes: as many slices as a chunk of ours has.
_COUNTED_SIDES = (16, 1024, 1024)


@dataclass(frozen=True)
class ImageDone:
    """An image that is done with.

    Attributes
    ----------
    line : ImageLine
        What is told of it.
    rows : dict of str to list
        The table of its objects; empty where they were not measured.
    disk_is_full : bool
        Whether it failed because its disk has no more room.
    """

    line: ImageLine
    rows: Table = field(default_factory=dict)
    disk_is_full: bool = False


@dataclass
class Computed:
    """An image whose labels are computed, but not yet under their name.

    Attributes
    ----------
    number : int
        Its place in the list.
    item : ListedImage
        Which image of the list it is.
    image : Image
        The image.
    order : FolderOrder
        What is done with it.
    labels : BoxWriter
        Its labels.
    kept : KeptMaps or None
        Its maps, if they are wanted and are here.
    machines : Machines or None
        Other machines that segmented it.
    told : mapping
        What another computer that segmented it has found out, see `doubt_facts_steps`.
    plan : PlanSummary or None
        How it was computed.
    notes : list of str
        Warnings so far.
    seconds : float
        Seconds so far.
    files : ExitStack
        What is open: leaving it puts the labels in place.
    """

    number: int
    item: ListedImage
    image: Image
    order: FolderOrder
    labels: BoxWriter
    kept: KeptMaps | None
    machines: Machines | None
    told: Mapping[str, Any]
    plan: PlanSummary | None
    notes: list[str]
    seconds: float
    files: ExitStack

    def steps(self) -> Generator[Progress, None, ImageDone]:
        """Finish it, step by step; whoever stops asking leaves no result."""
        started = time.perf_counter()
        with self.files, noting_warnings() as notes:
            doubt = self.told or (yield from self._doubt())
            yield Progress(1, 3, "measuring")
            image, labels, order = self.image, self.labels, self.order
            divided = self._divided(labels_on(image, labels))
            labels.each = divided.each
            found = {**_facts(image, divided, order), **doubt}
            rows = _measured(image, labels, order)
            thumbnail = small_picture(image, labels, order.thumbnail) if order.thumbnail else None
            yield Progress(2, 3, "writing")
            said = [*self.notes, *notes]
            labels.record = record_of(
                image,
                order.own,
                order.config,
                divided=self._divided(image),
                output=self.item.output,
                thresholds=order.thresholds,
                model_file=order.model_file,
                plan=self.plan,
                warnings=said,
                reading=self.item.reading(),
                digest=order.digest,
                found=found,
                region=order.region,
            )
        seconds = self.seconds + time.perf_counter() - started
        line = _line(self.number, self.item, "done", found, seconds, " ".join(said), thumbnail)
        return ImageDone(line, rows)

    def _divided(self, image: Image) -> Divided:
        """Return who works on the parts of the image, or of its labels."""
        return Divided(image) if self.machines is None else self.machines.divided(image)

    def _doubt(self) -> Generator[Progress, None, dict[str, Any]]:
        """Find out how far the objects are to be doubted, and let go of their maps."""
        try:
            return (yield from doubt_facts_steps(self.kept, self.order.model.task))
        finally:
            if self.kept is not None:
                self.kept.close()


def left_as_it_is(
    number: int, item: ListedImage, image: Image, standing: Standing, order: FolderOrder
) -> ImageDone:
    """Tell of a result that was there already."""
    started = time.perf_counter()
    labels, found = standing.labels, dict(standing.found)
    if standing.state == "kept":
        divided = Divided(labels_on(image, labels))
        found = {"objects": count_labelled(image, divided) if order.separates else None}
    rows = _measured(image, labels, order)
    thumbnail = small_picture(image, labels, order.thumbnail) if order.thumbnail else None
    seconds = time.perf_counter() - started
    line = _line(number, item, standing.state, found, seconds, standing.message, thumbnail)
    return ImageDone(line, rows)


def failed_image(number: int, item: ListedImage, error: Exception, seconds: float) -> ImageDone:
    """Return what is told of an image that failed by what its user can put right.

    Any other error is raised.
    """
    message = _told(error)
    if message is None:
        raise error
    line = ImageLine(number, item.name, "failed", seconds=seconds, message=message)
    return ImageDone(line, disk_is_full=is_full(error))


def _told(error: Exception) -> str | None:
    """Return what is told of an error, or None for a defect of ours."""
    if isinstance(error, UnetNapariError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    if isinstance(error, MemoryError | RuntimeError) and is_out_of_memory(error):
        return NO_MEMORY
    return None


def count_labelled(image: Image, labels: Divided) -> int:
    """Return the number of objects, of a film that of all frames together.

    Parameters
    ----------
    image
        The image.
    labels
        Its labels, in the shape of `unet_napari.labels.label_axes.labels_on`.
    """
    frames = image.frames if image.frames > 1 else 0
    if frames:
        return sum(_count(labels, (frame,)) for frame in range(frames))
    return _count(labels, ())


def _count(labels: Divided, place: tuple[int, ...]) -> int:
    """Count the ids at a place along the leading axes, block by block."""
    data = labels.image.data
    shape = tuple(data.shape[len(place) :])
    sides = [*(1 for _ in shape[:-3]), *_COUNTED_SIDES[-len(shape) :]]
    known, seen = np.zeros(0, np.int64), np.zeros(0, np.bool_)
    for ids in labels.each(partial(_ids_in, data, place), Box.whole(shape).blocks(sides)):
        highest = int(ids.max(initial=0))
        if int(ids.min(initial=0)) < 0 or highest > math.prod(shape):  # no table of that size
            known = np.union1d(known, ids)
            continue
        if highest >= seen.size:
            seen = np.concatenate([seen, np.zeros(max(highest + 1 - seen.size, seen.size), bool)])
        seen[ids] = True
    return int(np.count_nonzero(np.union1d(known, np.flatnonzero(seen))))


def _ids_in(labels: LazyArray, place: tuple[int, ...], box: Box) -> NDArray[np.int64]:
    """Return the ids in a part, each once."""
    ids = np.asarray(labels[(*place, *box.to_slices())]).ravel()
    first = np.concatenate([ids[:1], ids[1:][ids[1:] != ids[:-1]]])  # of each run along X
    return np.unique(first).astype(np.int64)


def _facts(image: Image, labels: Divided, order: FolderOrder) -> dict[str, Any]:
    """Return what the record keeps, so that a later run can tell of it."""
    facts: dict[str, Any] = {"labels": labels_digest(*labels)}
    if order.separates:
        facts["objects"] = count_labelled(image, labels)
    return facts


def _measured(image: Image, labels: LazyArray, order: FolderOrder) -> Table:
    if not order.measured:
        return {}
    return measure_objects(labels_on(image, labels), image, slicewise=order.config.slicewise)


def _line(
    number: int,
    item: ListedImage,
    state: str,
    found: Mapping[str, Any],
    seconds: float,
    message: str,
    thumbnail: Any,  # noqa: ANN401  a picture, or None
) -> ImageLine:
    return ImageLine(
        number,
        item.name,
        state,
        str(item.output),
        objects=found.get("objects"),
        doubt=found.get("doubt"),
        worst=found.get("worst"),
        worst_at=tuple(found.get("worst_at", ())),
        familiarity=found.get("familiarity"),
        seconds=seconds,
        message=message,
        thumbnail=thumbnail,
    )
