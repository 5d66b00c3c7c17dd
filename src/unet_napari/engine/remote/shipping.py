"""A job and its commands, as they leave this computer: arrays and files with numbers."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.engine.arrays import ArrayRef, map_arrays, open_ref
from unet_napari.engine.fetched_array import BlockGrid, FetchBlocks
from unet_napari.engine.live_requests import PairAdded
from unet_napari.engine.protocol import Command, Start, encode
from unet_napari.engine.remote.job_files import WantedFile, job_files, model_here, refuse_unseen
from unet_napari.engine.remote.messages import (
    TAG,
    OfferedArray,
    SentArray,
    SentFile,
    replace_tagged,
)
from unet_napari.engine.remote.packing import array_frames, block_frames, file_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unet_napari.engine.remote.host import RemoteHost
    from unet_napari.engine.remote.line import Frame
    from unet_napari.engine.shared import SharedFolder

__all__ = ["Shipment", "Shipping"]


class Shipment:
    """What is sent for one message.

    Attributes
    ----------
    size
        Bytes of its arrays and files, before they are packed.
    message
        The message itself, as JSON, to be sent behind them.
    """

    def __init__(self) -> None:
        self.size = 0
        self.message = ""
        self._parts: list[Iterator[Frame]] = []

    def add(self, parts: Iterator[Frame], size: int) -> None:
        """Send these, too."""
        self._parts.append(parts)
        self.size += size

    def parts(self) -> Iterator[Frame]:
        """Return all parts of arrays and files, in their order."""
        return itertools.chain.from_iterable(self._parts)


class Shipping:
    """Gives arrays and files numbers, and sends each model once.

    Parameters
    ----------
    host
        Where they go.
    folder
        The folder through which the viewer shares arrays.

    Attributes
    ----------
    wanted
        The files that the host sends back, by their numbers.
    """

    def __init__(self, host: RemoteHost, folder: SharedFolder) -> None:
        self._host, self._folder = host, folder
        self._numbers = itertools.count(1)
        self._models: dict[tuple[Path, int, int], SentFile] = {}
        self._offered: dict[int, tuple[SentArray, Any, BlockGrid]] = {}
        self.wanted: dict[int, WantedFile] = {}

    def start(self, message: Start) -> Shipment:
        """Return what is sent for a job.

        Raises
        ------
        UnetNapariError
            If a file or an array of it is missing, or cannot be had there.
        """
        shipment = Shipment()

        def image(content: dict[str, Any]) -> dict[str, Any]:
            # A file that only this computer sees cannot be named there.
            source, reference = content["source"], _reference(content["data"])
            seen = self._host.array_there(reference) is not None
            data = content["data"] if seen else self._offer(reference)
            return {**content, "source": source and self._host.path_there(source), "data": data}

        def array(content: dict[str, Any]) -> Any:  # noqa: ANN401
            reference = _reference(content)
            there = self._host.array_there(reference)
            return self._add_array(shipment, reference) if there is None else content | there

        self._offered.clear()
        text = replace_tagged(message.job, {"ImageRef": image})
        job = json.loads(replace_tagged(text, {"ArrayRef": array}))
        self._add_files(shipment, job)
        shipment.message = encode(Start(message.job_id, encode(job)))
        return shipment

    def command(self, message: Command) -> Shipment:
        """Return what is sent for a command."""
        shipment = Shipment()
        if isinstance(message.command, PairAdded):  # its image is needed as those of the job are
            pair = message.command.pair
            image = replace(pair.image, data=self._offer(pair.image.data), source=None)
            added = replace(message.command, pair=replace(pair, image=image))
            message = replace(message, command=added)
        changed = map_arrays(message, lambda reference: self._add_array(shipment, reference))
        shipment.message = encode(changed)
        return shipment

    def blocks(self, wanted: FetchBlocks) -> Iterator[Frame]:
        """Yield the frames of the blocks of an array that the other side reads now."""
        sent, data, grid = self._offered[int(wanted.array)]
        for number in wanted.blocks:
            yield from block_frames(sent, grid.slices(number), data)

    def _offer(self, reference: ArrayRef) -> Any:  # noqa: ANN401  it takes the place of a reference
        sent = SentArray(next(self._numbers), reference.shape, reference.dtype)
        data = open_ref(reference, folders=self._folder.folders)
        chunks = tuple(getattr(data, "chunks", None) or ())
        grid = BlockGrid(reference.shape, reference.dtype, chunks)
        self._offered[sent.number] = sent, data, grid
        return OfferedArray(sent.number, sent.shape, sent.dtype, chunks)

    def _add_array(self, shipment: Shipment, reference: ArrayRef) -> SentArray:
        sent = SentArray(next(self._numbers), reference.shape, reference.dtype)
        data = open_ref(reference, folders=self._folder.folders)
        size = math.prod(reference.shape) * np.dtype(reference.dtype).itemsize
        shipment.add(array_frames(sent, data), size)
        return sent

    def _add_files(self, shipment: Shipment, job: dict[str, Any]) -> None:
        """Replace the paths of a job by what they are there."""
        if job[TAG] == "SegmentFileJob":
            job["output"] = self._seen(job["output"])
        elif job[TAG] == "SegmentListJob":
            for item in job["images"]:
                item["output"] = self._seen(item["output"])
                if isinstance(item["image"], str):
                    item["image"] = self._seen(item["image"])
            for name in ("table", "listing", "sheet"):
                job[name] = job[name] and self._seen(job[name])
        fields = job_files(job[TAG])
        for name in fields.models:
            path = None if job[name] is None else model_here(job[name])
            if path is not None:
                job[name] = self._add_model(shipment, path)
        for name in fields.written:
            if job[name] is None:
                continue
            path = Path(job[name])
            sent = SentFile(next(self._numbers), path.name, wanted=True)
            self.wanted[sent.number] = WantedFile(path, model=name == "output")
            if name == "state" and job["resume"] and path.exists():
                shipment.add(file_frames(sent.number, path), path.stat().st_size)
            job[name] = sent

    def _seen(self, path: str) -> str:
        """Return what a file is called there, or raise an error if it is not seen there."""
        there = self._host.path_there(path)
        if there is None:
            raise refuse_unseen(path)
        return there

    def _add_model(self, shipment: Shipment, path: Path) -> SentFile:
        status = path.stat()
        version = path, status.st_mtime_ns, status.st_size
        if version not in self._models:
            self._models[version] = SentFile(next(self._numbers), path.name)
            shipment.add(file_frames(self._models[version].number, path), status.st_size)
        return self._models[version]


def _reference(content: dict[str, Any]) -> ArrayRef:
    fields = {name: value for name, value in content.items() if name != TAG}
    return ArrayRef(**{**fields, "shape": tuple(fields["shape"]), "chunks": ()})
