"""Processes that add up numbers together, and learn at once if one of them cannot go on."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from unet_napari.errors import ResourceError
from unet_napari.system.device import is_out_of_memory

__all__ = ["Group", "PartnerError", "PartnerLostError", "PartnerMemoryError"]

_TIMEOUT = timedelta(minutes=10)  # without an answer after which a process counts as lost
_MEETING = timedelta(minutes=1)  # within which processes that are ready have found each other
_SPINS = 50  # looks at a sum that is under way before the processor is given away in between
_MOMENT = 1.5  # seconds in which a process that is lost has ended
_PAUSE = 5e-5  # seconds between two looks
_NO_MEMORY, _OTHER_ERROR = 1.0, 1e6  # what a process that fails adds to the first number of a sum


class PartnerError(Exception):
    """Another process has failed in this step; it says why itself."""


class PartnerMemoryError(MemoryError):
    """The memory of another process has run out in this step."""


class PartnerLostError(ResourceError):
    """Another process has ended, or cannot be reached any more."""


class Group:
    """A process among those that share a batch, as it sees the others.

    Every sum carries a number that says whether somebody failed. So a process that fails takes part
    in one more sum, whichever that is to the others; then all have stopped at the same place, and
    the next step can begin. It works because all sums have the same length.

    Parameters
    ----------
    rank
        Number of this process; 0 is the leader.
    size
        Number of processes.
    longest
        The most numbers that are ever added up at once.
    device
        Device of this process.
    folder
        Folder in which they find each other, empty at first.
    alive
        Called while it waits for the others; raises where they are lost.

    Raises
    ------
    ResourceError
        If this process is part of another group already.
    PartnerLostError
        If the others do not come.
    """

    def __init__(
        self,
        rank: int,
        size: int,
        longest: int,
        device: torch.device,
        folder: Path,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        if dist.is_initialized():
            raise ResourceError(
                "Several devices cannot be used here, as this process is part of another "
                "distributed program (torch.distributed): leave devices out."
            )
        self.rank, self.size, self._alive = rank, size, alive
        self._nccl = device.type == "cuda" and dist.is_nccl_available()
        store = dist.FileStore(str(folder / "meeting"), size)  # type: ignore[attr-defined]
        store.set_timeout(_MEETING)
        hook = sys.excepthook  # torch puts "[rank0]:" before each line of later errors, for ever
        try:
            with _loopback():
                dist.init_process_group(
                    "nccl" if self._nccl else "gloo",
                    store=store,
                    rank=rank,
                    world_size=size,
                    timeout=_TIMEOUT,
                )
        except RuntimeError as error:
            alive()
            reason = str(error).splitlines()[0]
            raise PartnerLostError(
                f"The processes that are to train together do not find each other ({reason}): "
                "train on a single device."
            ) from error
        finally:
            sys.excepthook = hook
        self._numbers = torch.zeros(1 + longest, dtype=torch.float64, device=device)

    def total(self, values: Tensor) -> Tensor:
        """Return the sums of float numbers, ``(L,)``, over all processes.

        Raises
        ------
        PartnerError, PartnerMemoryError
            If another process has failed.
        """
        numbers = self._numbers.zero_()
        numbers[1 : 1 + len(values)].copy_(values)
        self.add_up(numbers)
        failed = numbers[0].item()
        if failed >= _OTHER_ERROR:
            raise PartnerError
        if failed:
            raise PartnerMemoryError
        return numbers[1 : 1 + len(values)].to(values.dtype, copy=True)

    def settle(self) -> None:
        """Wait until all processes are here, or one has failed, as `total`."""
        self.total(self._numbers[:0])

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell the others of an error of this process, which is raised here."""
        try:
            yield
        except (PartnerError, PartnerMemoryError, PartnerLostError):
            raise
        except Exception as error:
            self._numbers.zero_()[0] = _NO_MEMORY if is_out_of_memory(error) else _OTHER_ERROR
            self.add_up(self._numbers)
            raise

    def add_up(self, values: Tensor) -> None:
        """Replace numbers of one length by their sums over all processes."""
        self._wait(dist.all_reduce(values, async_op=True))

    def spread(self, values: Tensor) -> None:
        """Replace numbers of one length by those of the leader."""
        self._wait(dist.broadcast(values, 0, async_op=True))

    def find_out(self) -> None:
        """Wait until `alive` says who is lost, for a moment: a connection ends before a process."""
        end = time.monotonic() + _MOMENT
        while time.monotonic() < end:
            self._alive()
            time.sleep(_PAUSE)

    def close(self) -> None:
        """Leave the group; the others may have left, or died, before."""
        if self._nccl:  # a sum without an answer would keep the device busy for ever
            dist.distributed_c10d._abort_process_group()
            return
        with suppress(RuntimeError):
            dist.destroy_process_group()

    def _wait(self, work: dist.Work | None) -> None:
        assert work is not None  # noqa: S101  this process belongs to the group
        looks = 0
        while not work.is_completed():
            looks += 1
            if looks > _SPINS:
                self._alive()
                time.sleep(_PAUSE)
        try:
            work.wait()
        except RuntimeError as error:
            self.find_out()
            raise PartnerLostError(
                "The processes that train together have lost each other: continue the training, "
                "or train on a single device."
            ) from error


@contextmanager
def _loopback() -> Iterator[None]:
    """Let gloo listen where nobody but this computer can connect."""
    name, interface = "GLOO_SOCKET_IFNAME", {"linux": "lo", "darwin": "lo0"}.get(sys.platform)
    if interface is None or name in os.environ:
        yield
        return
    os.environ[name] = interface
    try:
        yield
    finally:
        del os.environ[name]
