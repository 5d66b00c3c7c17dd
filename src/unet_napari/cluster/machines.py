"""The workers of a Dask cluster as what a segmentation asks to do its work."""

from __future__ import annotations

import math
import socket
import tempfile
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import torch

from unet_napari.cluster.connection import ask_all
from unet_napari.cluster.dask_pool import DaskPool
from unet_napari.cluster.job import RegionJob, SharedImage, new_token
from unet_napari.cluster.region_run import RegionRun
from unet_napari.cluster.regions import cut_regions
from unet_napari.cluster.shared_arrays import SharedArray, written_here
from unet_napari.errors import SettingsError
from unet_napari.images.divided import Divided
from unet_napari.inference.planning.planner import make_plan
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.storage.unfinished import REGIONS
from unet_napari.tasks.decoding.blocks import Blocks
from unet_napari.tasks.decoding.instances import BYTES_PER_VOXEL

if TYPE_CHECKING:
    from distributed import Client, Worker

    from unet_napari.images import Image, LazyArray
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.running.planned import Segmentation
    from unet_napari.inference.storage.scratch import Room
    from unet_napari.inference.summary import PlanSummary
    from unet_napari.model.model import Model

__all__ = ["DaskMachines", "Fleet", "fleet_of", "look_around", "refuse_int8"]

# Bytes of a worker without work, and share of the rest that its tasks may take. Dask gives nothing
# to a worker that has used 70 % of its memory, and ends one with 95 %.
_BYTES_OF_PROGRAM = 2**29
_SHARE_OF_MEMORY = 0.5
_LEAST_MEMORY = 2**26
# Share of that for the pixels and maps of a region; what is left is for the network.
_SHARE_FOR_PIXELS = 0.5
# Pixels of a block that is decoded: at least, so that its surroundings are not most of it.
_LEAST_BLOCK = 2**20
# Blocks of which one task takes several, where there are many.
_BLOCKS_TOGETHER = 64
_GPU = "GPU"  # the resource that workers with a GPU are given, see docs/guide/cluster.md


@dataclass(frozen=True)
class Fleet:
    """The workers as they are when the work begins.

    Attributes
    ----------
    threads, networks : int
        Number of tasks that all of them carry out at a time, and of those that run a network.
    memory : int
        Bytes that each of these tasks may use.
    resources : mapping of str to float or None
        What a task needs that runs a network.
    """

    threads: int
    networks: int
    memory: int
    resources: dict[str, float] | None


class DaskMachines:
    """The workers of a cluster, see `unet_napari.inference.running.machines.Machines`.

    Parameters
    ----------
    client : Client
        Connection to the scheduler, which `check_workers` has found fit.
    image : Image
        Image that is segmented; read from a file.
    model : Model
        Model that segments.
    config : InferenceConfig
        What the user wants.
    scene : int or str, optional
        Image of a file that holds several.

    Raises
    ------
    ImageError
        If the image is in no file.
    SettingsError
        For the precision int8.
    """

    def __init__(
        self,
        client: Client,
        image: Image,
        model: Model,
        config: InferenceConfig,
        scene: int | str | None = None,
    ) -> None:
        refuse_int8(config)
        self._client, self._model, self._config = client, model, config
        self._image = SharedImage.of(image, scene)
        self._fleet = Fleet(1, 1, 0, None)
        self._job: RegionJob | None = None

    def plan(self, planned: Segmentation, factors: tuple[float, ...]) -> PlanSummary:
        """Cut the image into regions, and return what the user is told of that."""
        fleet = self._fleet = fleet_of(self._client)
        summary = planned.summary(len(planned.views))
        prepared = PreparedModel.of(self._model)
        grid = prepared.grid(self._config.halo, planned.predictor.plan.variants)
        source = planned.seen(planned.views[0])
        task = planned.task
        bytes_of_a_pixel = source.channels * np.dtype(source.data.dtype).itemsize
        bytes_of_a_pixel += task.packed_maps * task.packed_dtype.itemsize
        memory = int(fleet.memory * (1 - _SHARE_FOR_PIXELS))
        most = (fleet.memory - memory) // bytes_of_a_pixel
        cut = cut_regions(planned.shape, grid, len(planned.views), fleet.networks, most)
        self._job = RegionJob(
            folder=Path(),
            token=new_token(),
            image=self._image,
            config=self._config,
            whole=planned.scale.whole,
            drift=planned.scale.drift,
            factors=factors,
            cut=cut,
            memory=memory,
        )
        outer = max((cut.outer(box) for box in cut.boxes), key=attrgetter("size"))
        plan = make_plan(prepared, outer.shape, replace(self._config, memory=memory))
        seconds = summary.seconds
        if seconds is not None:
            seconds *= cut.repeated * torch.get_num_threads() / fleet.networks
        return replace(
            summary,
            way="regions",
            reason="the workers share the image",
            tile=cut.region,
            tiles=len(planned.views) * cut.count,
            strip=None,
            halo=cut.context if cut.count > 1 else (0,) * len(cut.shape),
            batch=fleet.networks,
            memory=plan.memory + outer.size * bytes_of_a_pixel,
            seconds=seconds,
        )

    def run(self, planned: Segmentation, room: Room, folder: Path) -> RegionRun:
        """Return the run of what was planned last, whose workers see the folder and the image.

        Raises
        ------
        ImageError, OutputError
            If a worker does not see them.
        """
        assert self._job is not None  # noqa: S101  `plan` comes first
        folder = folder.resolve()
        job = replace(self._job, folder=folder)
        if (folder / REGIONS).is_dir():  # an earlier run goes on as it has begun
            job = replace(job, cut=RegionJob.read(folder).cut)
        self._job = job
        job.write(self._model)
        # After the job, without which the regions mean nothing.
        (folder / REGIONS).mkdir(exist_ok=True)
        for table in folder.glob("table-*.npy"):  # of a run that was stopped
            table.unlink()
        ask_all(self._client, look_around, folder, job.token)
        fleet = self._fleet
        network = DaskPool(self._client, folder, fleet.resources)
        largest = fleet.memory // BYTES_PER_VOXEL
        share = math.prod(planned.decoded_shape) // (2 * fleet.threads)
        voxels = min(max(share, _LEAST_BLOCK), Blocks.voxels, max(largest // 2, 1))
        blocks = Blocks(
            voxels,
            min(Blocks.largest, largest),
            pool=DaskPool(self._client, folder, together=_BLOCKS_TOGETHER),
        )
        return RegionRun(planned, room, job, network, blocks)

    def divided(self, image: Image) -> Divided:
        """Return an image, or labels of it, as the workers read it; as it is where they do not."""
        job = self._job
        if job is None or not job.folder.name:  # nothing was computed, as there is no contrast
            return Divided(image)
        data: LazyArray | None
        if image.source is not None:
            data = job.pixels(np.dtype(image.data.dtype))
        else:
            data = SharedArray.of(image.data)
        if data is None:  # a TIFF, which one process writes
            return Divided(image)
        pool = DaskPool(self._client, job.folder, together=_BLOCKS_TOGETHER)
        return Divided(replace(image, data=data), pool.map)


def refuse_int8(config: InferenceConfig) -> None:
    """Raise `SettingsError` for a precision in which workers would not say the same."""
    if config.precision == "int8":
        raise SettingsError(
            "A network in int8 is calibrated on each computer for itself, so that every worker "
            "would say something else: leave precision on auto, or segment without a cluster."
        )


def look_around(folder: Path, token: str) -> None:
    """Make sure, on a worker, that it sees what it needs, and can write beside it.

    Raises
    ------
    ImageError, OutputError
        If it does not, naming the machine and what it does not see.
    """
    RegionJob.opened(folder, token)
    with written_here(folder), tempfile.TemporaryFile(dir=folder):
        pass


def _facts(dask_worker: Worker) -> tuple[str, int, int, float, int]:
    """Return, on a worker, its host, threads, bytes of memory, GPUs, and bytes free on the host.

    0 bytes of memory mean that there is no limit.
    """
    limit, state = dask_worker.memory_manager.memory_limit or 0, dask_worker.state
    free = psutil.virtual_memory().available
    return socket.gethostname(), state.nthreads, limit, state.total_resources.get(_GPU, 0), free


def fleet_of(client: Client) -> Fleet:
    """Look at the workers that there are."""
    found = ask_all(client, _facts)
    threads = sum(number for _, number, *_ in found)
    with_gpu = sum(gpus for *_, gpus, _ in found)
    shares = []
    for host, number, limit, _, available in found:
        on_host = sum(n for other, n, *_ in found if other == host)
        shares.append((limit - _BYTES_OF_PROGRAM) // number if limit else available // on_host)
    return Fleet(
        threads,
        int(with_gpu) or threads,
        max(int(min(shares) * _SHARE_OF_MEMORY), _LEAST_MEMORY),
        {_GPU: 1} if with_gpu else None,
    )
