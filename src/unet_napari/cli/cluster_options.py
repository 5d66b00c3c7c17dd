"""Whether other processes do the work: options that several commands share."""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from typing import TYPE_CHECKING

from unet_napari.cli.values import positive_integer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from distributed import Client

    from unet_napari.folder_run.image_line import ImageLine, Underway
    from unet_napari.folder_run.order import FolderOrder, ListedImage
    from unet_napari.folder_run.run import FolderEnd
    from unet_napari.folder_run.tables import FolderTables
    from unet_napari.images import Image
    from unet_napari.inference.running.machines import Machines

__all__ = ["add_cluster_options", "cluster_for", "machines_of", "steps_of_all"]


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of a command."""
    group = parser.add_argument_group("Several machines (docs/guide/cluster.md)")
    among = group.add_mutually_exclusive_group()
    among.add_argument("--scheduler", metavar="ADDRESS",
        help="scheduler whose workers do the work, such as tcp://node1:8786")  # fmt: skip
    among.add_argument("--workers", type=positive_integer, metavar="N",
        help="number of processes of this computer that do the work")  # fmt: skip


@contextmanager
def cluster_for(arguments: argparse.Namespace) -> Iterator[Client | None]:
    """Provide the connection to the workers that the options ask for; None if they ask for none."""
    if arguments.scheduler is None and arguments.workers is None:
        yield None
        return
    from unet_napari.cluster.connection import connect_cluster

    with connect_cluster(arguments.scheduler, arguments.workers or 1) as client:
        yield client


def machines_of(
    client: Client | None, order: FolderOrder, scene: int | str | None
) -> Callable[[Image], Machines] | None:
    """Return what lets the workers segment an image; None without a connection to any."""
    if client is None:
        return None
    from unet_napari.cluster.machines import DaskMachines

    return lambda image: DaskMachines(client, image, order.model, order.config, scene)


def steps_of_all(
    client: Client | None,
    items: Sequence[ListedImage],
    paths: Sequence[Path],
    order: FolderOrder,
    tables: FolderTables,
) -> Generator[Underway | ImageLine, None, FolderEnd]:
    """Return the steps of some images: of one in regions, of several each on one worker."""
    if client is None or len(items) == 1:
        from unet_napari.folder_run.run import folder_steps

        return folder_steps(items, order, tables)
    from unet_napari.cluster.image_tasks import cluster_folder_steps

    return cluster_folder_steps(client, items, paths, order, tables)
