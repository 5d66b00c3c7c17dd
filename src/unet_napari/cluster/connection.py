"""The connection to a cluster, and whether its workers are fit for the work."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

from unet_napari.errors import ResourceError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Client

__all__ = ["ask_all", "check_workers", "connect_cluster"]

_Answer = TypeVar("_Answer")
_OWN_VERSION = version("unet-napari")
# Seconds within which a scheduler answers, and a first worker is there.
_PATIENCE = 10.0
_PATIENCE_WITH_WORKERS = 60.0


@contextmanager
def connect_cluster(scheduler: str | None = None, workers: int = 1) -> Iterator[Client]:
    """Connect to a scheduler, or start processes on this computer, and check the workers.

    Parameters
    ----------
    scheduler
        Address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``.
    workers
        Number of processes of this computer with a thread each, where no scheduler is given.

    Yields
    ------
    Client
        What `unet_napari.segment` takes.

    Raises
    ------
    ResourceError
        If the scheduler does not answer, or see `check_workers`.
    SettingsError
        If Dask's `distributed` is not installed.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise SettingsError(
            "Work on several machines needs the package distributed: "
            "pip install 'unet-napari[distributed]'."
        ) from error
    if scheduler is None:
        with (
            LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=":0",
                silence_logs="ERROR",
            ) as cluster,
            Client(cluster) as client,
        ):  # fmt: skip
            check_workers(client)
            yield client
        return
    try:
        client = Client(scheduler, timeout=_PATIENCE)
    except (OSError, ValueError) as error:  # a wrong address is a ValueError
        raise ResourceError(
            f"No Dask scheduler answers at {scheduler} within {_PATIENCE:.0f} seconds. Start one "
            "with 'dask scheduler', which names its address, and check that this computer can "
            "reach it."
        ) from error
    with client:
        check_workers(client)
        yield client


def check_workers(client: Client) -> None:
    """Wait for the first worker, and make sure that all have the version of this program.

    Raises
    ------
    ResourceError
        If there is no worker, or one has another version or none.
    """
    address = client.scheduler.address if client.scheduler else "the address given"
    try:
        client.wait_for_workers(1, timeout=_PATIENCE_WITH_WORKERS)
    except TimeoutError as error:
        raise ResourceError(
            f"The scheduler at {address} has no workers. Start some with 'dask worker {address}', "
            "on machines that see the images; of a queue such as SLURM, wait for the jobs to start."
        ) from error
    # A function of Python itself, which workers know that have not this program.
    found = client.run(version, "unet-napari", on_error="return")
    others = Counter(
        "none" if isinstance(answer, Exception) else str(answer)
        for answer in found.values()
        if not isinstance(answer, OSError)  # of a worker that has died meanwhile
    )
    del others[_OWN_VERSION]
    if others:
        listed = ", ".join(f"{count} with {name}" for name, count in sorted(others.items()))
        raise ResourceError(
            f"Workers have other versions of unet-napari than {_OWN_VERSION}, which is here: "
            f"{listed} of {len(found)}. Install the same on their machines: "
            f"pip install unet-napari=={_OWN_VERSION}."
        )


def ask_all(client: Client, function: Callable[..., _Answer], *arguments: object) -> list[_Answer]:
    """Return what a function returns on each worker; one that dies meanwhile gives no answer.

    Raises
    ------
    ResourceError
        If none answers; what the function raises is raised here.
    """
    answers = client.run(function, *arguments, on_error="return").values()
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    for error in failed:
        if not isinstance(error, OSError):  # of a connection that has ended
            raise error
    if len(failed) == len(answers):
        raise ResourceError("All workers have died. Start some again; the same command goes on.")
    return [answer for answer in answers if not isinstance(answer, Exception)]
