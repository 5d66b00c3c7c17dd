"""Trainings and segmentations on a host for the command line and Python, which wait for them."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from unet_napari.engine.client import EngineClient
from unet_napari.engine.protocol import (
    ArraysReady,
    ConnectionChanged,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobWarning,
    Progress,
)
from unet_napari.engine.region_requests import SegmentRegionJob
from unet_napari.engine.remote.host import RemoteHost
from unet_napari.engine.requests import ImageRef, PairRef, SegmentJob, TrainJob
from unet_napari.errors import EngineError, warn_user
from unet_napari.geometry import Box
from unet_napari.images import Image
from unet_napari.inference.regions.picking import take_over
from unet_napari.inference.regions.placed import place_region
from unet_napari.inference.regions.writing import ShiftedArray

if TYPE_CHECKING:
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.regions.region import ImageRegion
    from unet_napari.model.model import Model
    from unet_napari.training.data.pairs import Pair

__all__ = ["segment_elsewhere", "segment_on", "segment_region_on", "train_elsewhere", "train_on"]

_ROWS = 16  # slices, or rows of a picture, copied at a time


def _as_host(host: str | RemoteHost) -> RemoteHost:
    """Return a host that may be given by its address."""
    return RemoteHost(host) if isinstance(host, str) else host


@contextmanager
def _model_file(model: Model | str | Path | None) -> Iterator[str | None]:
    """Give a model a file for as long as the block lasts, if it has none."""
    if model is None or isinstance(model, str | Path):
        yield None if model is None else str(model)
        return
    with TemporaryDirectory(prefix="unet-napari-") as folder:
        yield str(model.save(Path(folder) / f"{model.name or 'model'}.unet"))


def segment_on(
    client: EngineClient,
    image: Image,
    model: str | Path,
    labels: Any,  # noqa: ANN401  anything that can be assigned to by regions
    config: InferenceConfig,
    thresholds: Mapping[str, float],
    *,
    doubt: bool = False,
) -> Generator[Progress, None, Mapping[str, Any]]:
    """Segment an image on a host, as `segment_steps` does here.

    Parameters
    ----------
    client
        Client of an engine on the host.
    image
        The image.
    model
        Name or path of the model.
    labels
        Array that is written to when all labels are there.
    config
        Settings of the inference.
    thresholds
        Decoding parameters in place of the model's.
    doubt
        Whether to find out how far the objects are to be doubted.

    Returns
    -------
    mapping
        What was found out of that, see `doubt_facts_steps`.

    Raises
    ------
    EngineError
        If the host cannot be used, or the segmentation fails there.
    """
    reference = _share(client, image)
    settings = config.to_dict()
    job = SegmentJob(reference, str(model), settings, thresholds=dict(thresholds), doubt=doubt)
    found, result = yield from _progress_of(_events(client, job))
    if found is not None:
        for start in range(0, found.shape[0], _ROWS):
            rows = slice(start, start + _ROWS)
            labels[rows] = found[rows]
    return {} if result.get("doubt") is None else dict(result["doubt"])


def segment_region_on(
    client: EngineClient,
    image: Image,
    model: str | Path,
    labels: Any,  # noqa: ANN401  anything that can be read and assigned to by regions
    config: InferenceConfig,
    thresholds: Mapping[str, float],
    region: ImageRegion,
    highest: int = 0,
) -> Generator[Progress, None, Mapping[str, Any]]:
    """Segment a region of an image on a host, as `region_steps` does here.

    Parameters
    ----------
    client, image, model, labels, config, thresholds
        Arguments of `segment_on`.
    region
        What of the image is segmented.
    highest
        No label in `labels` is higher; 0: it holds none.

    Returns
    -------
    mapping
        Nothing: what is doubtful of a region is not known.

    Raises
    ------
    EngineError
        If the host cannot be used, or the segmentation fails there.
    """
    placed = place_region(region, image)
    mask = None if placed.mask is None else client.folder.share(placed.mask)
    said = str(region) if mask is None else ""
    settings = (config.to_dict(), dict(thresholds))
    job = SegmentRegionJob(_share(client, image), str(model), said, mask, *settings)
    found, result = yield from _progress_of(_events(client, job))
    if found is not None:
        windows = [(index, Box.from_spans(spans)) for index, spans in result["windows"]]
        separates = result["objects"] is not None
        part = ShiftedArray(found, result["start"])
        take_over(labels, part, windows, placed, highest, separates=separates)
    return {}


def _progress_of(
    events: Generator[Any, None, Mapping[str, Any]],
) -> Generator[Progress, None, tuple[Any, Mapping[str, Any]]]:
    """Yield the progress of a segmentation; return its labels, None if there are none, and more."""
    found = None
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            result: Mapping[str, Any] = end.value
            return found, result
        if isinstance(event, ArraysReady):
            found = event.labels
        elif isinstance(event, Progress):
            yield event


def train_on(
    host: RemoteHost,
    pairs: Sequence[Pair],
    config: Mapping[str, Any],
    output: Path,
    *,
    start_from: str | None,
    state: Path | None,
    resume: Path | None,
) -> Generator[Any, None, Mapping[str, Any]]:
    """Train on a host; yield what the training reports, and return the result of a `TrainJob`.

    Parameters
    ----------
    host
        The computer.
    pairs
        What to train on.
    config
        Fields of a `TrainConfig`.
    output
        The model file to write, on this computer.
    start_from, state
        As of a `TrainJob`.
    resume
        State of the training that goes on; None: a new one begins.

    Raises
    ------
    EngineError
        If the host cannot be used, or the training fails there.
    KeyboardInterrupt
        If it was stopped before there was a model.
    """
    with EngineClient(host=host) as client:
        share = client.folder.share
        references = tuple(
            PairRef(
                _share(client, pair.image),
                share(pair.painted.labels),
                None if pair.painted.annotated is None else share(pair.painted.annotated),
                next(iter(pair.painted.background), None),
                None if pair.image.source is None else str(pair.image.source.absolute()),
            )
            for pair in pairs
        )
        kept = resume if state is None else state
        if resume is not None and kept is not None and kept != resume:
            shutil.copyfile(resume, kept)  # it goes on in the new place
        job = TrainJob(
            references,
            config,
            str(output),
            output.stem,
            None if resume is not None else start_from,
            state=None if kept is None else str(kept),
            resume=resume is not None,
        )
        return (yield from _events(client, job))


def train_elsewhere(
    host: str | RemoteHost,
    pairs: Sequence[Pair],
    settings: Mapping[str, Any],
    start_from: Model | str | Path | None,
    state: str | Path | None,
    resume: str | Path | None,
    on_event: Callable[[Any], None] | None,
) -> Model:
    """Train on a host to the end and return the model, see `unet_napari.train`."""
    from unet_napari.model.model import Model
    from unet_napari.training.config import TrainConfig

    config = settings if resume is not None else TrainConfig.from_dict(settings).to_dict()
    files = [None if path is None else Path(path) for path in (state, resume)]
    with _model_file(start_from) as start, TemporaryDirectory(prefix="unet-napari-") as folder:
        output = Path(folder) / "model.unet"
        kept, begun = files
        steps = train_on(
            _as_host(host), pairs, config, output, start_from=start, state=kept, resume=begun
        )
        for event in steps:
            if on_event is not None:
                on_event(event)
        return Model.load(output)


def segment_elsewhere(
    host: str | RemoteHost,
    image: Image,
    model: Model,
    labels: Any,  # noqa: ANN401  anything that can be assigned to by regions
    config: InferenceConfig,
    region: ImageRegion | None = None,
    highest: int = 0,
) -> Iterator[Progress]:
    """Segment on a host with a model that may have no file, see `segment_on`."""
    with _model_file(model) as file, EngineClient(host=_as_host(host)) as client:
        if file is None:
            return
        if region is None:
            yield from segment_on(client, image, file, labels, config, {})
        else:
            yield from segment_region_on(client, image, file, labels, config, {}, region, highest)


def _share(client: EngineClient, image: Image) -> ImageRef:
    source = None if image.source is None else str(image.source)
    data = client.folder.share(image.data)
    about = dict(image.pixel_size), image.name, dict(image.fixed)
    return ImageRef(data, image.axes, *about, source)


def _events(client: EngineClient, job: object) -> Generator[Any, None, Mapping[str, Any]]:
    """Yield the events of a job and return its result; Ctrl+C stops it, and waits for its end."""
    events: queue.SimpleQueue[Any] = queue.SimpleQueue()
    handle = client.submit(job, events.put)
    try:
        while True:
            try:
                event = events.get()
            except KeyboardInterrupt:
                client.cancel(handle)
                continue
            match event:
                case JobFinished():
                    return event.result
                case JobFailed():
                    raise EngineError(event.message)
                case JobCancelled():
                    raise KeyboardInterrupt
                case JobWarning() | ConnectionChanged():
                    warn_user(event.message, stacklevel=2)
                case _:
                    yield event
    finally:
        client.cancel(handle)
