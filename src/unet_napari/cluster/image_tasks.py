"""A list of images, each of which one worker segments as a whole."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.cluster.dask_pool import DaskPool, result_of
from unet_napari.cluster.machines import fleet_of, refuse_int8
from unet_napari.errors import ResourceError
from unet_napari.folder_run.finishing import ImageDone, failed_image
from unet_napari.folder_run.order import FolderOrder, ListedImage
from unet_napari.folder_run.run import FolderEnd, folder_steps
from unet_napari.folder_run.tables import FolderTables
from unet_napari.images import read_image
from unet_napari.inference import result_shape, segment_steps
from unet_napari.inference.backends.device_choice import choose_device
from unet_napari.inputs import image_for
from unet_napari.model.file import SUFFIX
from unet_napari.model.model import Model
from unet_napari.system.heap import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from distributed import Client
    from numpy.typing import NDArray

    from unet_napari.folder_run.image_line import ImageLine, Underway
    from unet_napari.images import Image
    from unet_napari.inference.config import InferenceConfig

__all__ = ["cluster_folder_steps", "labels_from_workers", "segment_listed"]


@dataclass(frozen=True, eq=False)
class _SentOrder:
    """What is done with every image, as workers are told of it.

    Attributes
    ----------
    model : bytes
        The model file.
    name : str
        Name of the model.
    settings : mapping
        All other fields of `FolderOrder`.
    memory : int
        Bytes that a worker may use for an image, unless the settings say it.
    """

    model: bytes
    name: str
    settings: Mapping[str, Any]
    memory: int


@dataclass(frozen=True)
class _SentImage:
    """One image, as a worker is told of it.

    Attributes
    ----------
    name : str
        What it is called in the tables.
    path : Path
        The file.
    output : Path
        The file that its labels go into.
    reading : mapping
        Axes, channel and scene, as far as they were said.
    """

    name: str
    path: Path
    output: Path
    reading: Mapping[str, Any]

    def open(self, model: Model) -> Image:
        """Open it for a model."""
        return image_for(model, read_image(self.path, **self.reading))


def cluster_folder_steps(
    client: Client,
    items: Sequence[ListedImage],
    paths: Sequence[Path],
    order: FolderOrder,
    tables: FolderTables,
) -> Generator[Underway | ImageLine, None, FolderEnd]:
    """Segment a list of images on the workers of a cluster, see `folder_steps`.

    Parameters
    ----------
    client : Client
        Connection to the scheduler, which `check_workers` has found fit.
    items, order, tables
        See `folder_steps`.
    paths : sequence of Path
        The file of each image; workers see them, and the outputs, under these names.

    Yields
    ------
    ImageLine
        When an image is done with, in the order of the list.

    Returns
    -------
    FolderEnd

    Raises
    ------
    OutputError
        If a table or the sheet cannot be written.
    SettingsError
        For the precision int8.
    """
    fleet = fleet_of(client)
    [sent] = client.scatter([_sent(order, fleet.memory)], broadcast=True)
    images = [
        _SentImage(item.name, path.resolve(), item.output.resolve(), dict(item.reading()))
        for item, path in zip(items, paths, strict=True)
    ]
    pool = DaskPool(client, Path(), fleet.resources)
    with tables.open():
        futures = pool.futures(segment_listed, [sent] * len(images), images)
        for number, future in enumerate(futures):
            try:
                done = result_of(future)
            except ResourceError as error:  # it has killed its workers, which the others need not
                done = failed_image(number, items[number], error, 0.0)
            done = replace(done, line=replace(done.line, number=number))
            tables.add(done)
            yield done.line
            if done.disk_is_full:
                return FolderEnd(len(items) - number - 1, done.line.message)
    return FolderEnd()


def segment_listed(sent: _SentOrder, image: _SentImage) -> ImageDone:
    """Segment one image, on a worker, and write its result."""
    order = _order(sent)
    opened = partial(image.open, order.model)
    item = ListedImage(image.name, image.output, opened, lambda: image.reading)
    kept = _Kept()
    with keep_freed_memory():
        for _ in folder_steps([item], order, kept):
            pass
    return kept.done


def labels_from_workers(
    client: Client,
    paths: Sequence[Path],
    reading: Mapping[str, Any],
    models: Sequence[Model],
    config: InferenceConfig,
) -> Iterator[Callable[[], NDArray[np.uint32]]]:
    """Yield for each image, and of it for each model, what waits for its labels and returns them.

    Parameters
    ----------
    client : Client
        Connection to the scheduler, which `check_workers` has found fit.
    paths : sequence of Path
        The images; workers see them under these names.
    reading : mapping
        Axes, channel and scene, as far as they were said.
    models : sequence of Model
        Models that segment each of them.
    config : InferenceConfig
        Settings of the segmentation.

    Raises
    ------
    SettingsError
        For the precision int8.
    """
    fleet = fleet_of(client)
    orders = [_sent(FolderOrder(model, config), fleet.memory) for model in models]
    sent = client.scatter(orders, broadcast=True)
    images = [_SentImage(path.name, path.resolve(), Path(), reading) for path in paths]
    rows = zip(*((order, image) for image in images for order in sent), strict=True)
    for future in DaskPool(client, Path(), fleet.resources).futures(_labels_of, *rows):
        yield partial(result_of, future)


def _labels_of(sent: _SentOrder, image: _SentImage) -> NDArray[np.uint32]:
    order = _order(sent)
    opened = image.open(order.model)
    labels = np.zeros(result_shape(opened), np.uint32)
    for _ in segment_steps(opened, order.model, labels, order.config):
        pass
    return labels


class _Kept(FolderTables):
    """Keeps what is told of a single image, which is written elsewhere."""

    done: ImageDone

    def add(self, finished: ImageDone) -> None:
        """Take note of the image."""
        self.done = finished


def _sent(order: FolderOrder, memory: int) -> _SentOrder:
    refuse_int8(order.config)
    settings = {field.name: getattr(order, field.name) for field in fields(order)}
    del settings["own"], settings["machines"], settings["elsewhere"]
    with TemporaryDirectory() as folder:
        model = order.own.save(Path(folder) / "model").read_bytes()
    return _SentOrder(model, order.own.name, settings, memory)


@lru_cache(maxsize=2)
def _order(sent: _SentOrder) -> FolderOrder:
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"model{SUFFIX}"
        file.write_bytes(sent.model)
        own = replace(Model.load(file), name=sent.name)
    order = FolderOrder(own, **sent.settings)
    config = order.config
    if config.memory is None and choose_device(config.device, own.ndim).type == "cpu":
        config = replace(config, memory=sent.memory)
    return replace(order, config=config)
