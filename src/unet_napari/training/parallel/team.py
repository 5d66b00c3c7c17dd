"""The leader's side: helpers are started, asked for their share in every step, and ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unet_napari.system.subprocesses import detached
from unet_napari.training.data.augment import Patch
from unet_napari.training.parallel.devices import device_of_helper
from unet_napari.training.parallel.group import Group, PartnerError, PartnerLostError
from unet_napari.training.parallel.messages import HelperJob, StepRequest, written_line
from unet_napari.training.parallel.share import Share, longest_sum

if TYPE_CHECKING:
    from unet_napari.training.batch_loss import BatchLoss
    from unet_napari.training.learner import Learner

__all__ = ["Team", "team_for"]

_PROGRAM = "unet_napari.training.parallel.helper"
_FAREWELL = 1.5  # seconds between closing a helper's stdin and killing it
_PAUSE = 0.02  # seconds between two looks at whether the helpers are there
_LAST_WORDS = 300  # characters of what a helper has said of its failure that are passed on
_REMEDY = "Continue the training, or train on fewer devices."


class Team:
    """The helpers of a training.

    Parameters
    ----------
    loss
        The loss of the network that learns.
    size
        Number of processes, with the leader.

    Raises
    ------
    PartnerLostError
        If a helper cannot be started.
    """

    def __init__(self, loss: BatchLoss, size: int) -> None:
        self._device = loss.device
        self._folder = tempfile.TemporaryDirectory(
            prefix="unet-napari-team-", ignore_cleanup_errors=True
        )
        self._threads = torch.get_num_threads()
        on_cpu = loss.device.type == "cpu"
        self._share_of_threads = max(1, self._threads // size) if on_cpu else 0
        longest = longest_sum(loss.network, loss.task.out_channels)
        self._helpers: list[_Helper] = []
        self._group: Group | None = None
        folder = Path(self._folder.name)
        try:
            for rank in range(1, size):
                device = device_of_helper(rank, loss.device)
                job = HelperJob(
                    rank=rank,
                    size=size,
                    device=device,
                    threads=self._share_of_threads,
                    folder=str(folder),
                    longest=longest,
                    mixed=loss.mixed,
                    network=loss.network.name,
                    options=dict(loss.network.options),
                    task=loss.task.to_dict(),
                )
                self._helpers.append(_Helper(job))
            self._wait_for(folder)
            self._group = Group(0, size, longest, loss.device, folder, self._check)
            self._share = Share(loss, self._group)
        except BaseException:
            self.close()
            raise

    def gradients(self, batch: Patch) -> Tensor:
        """Do what `BatchLoss.gradients` does, together.

        Raises
        ------
        MemoryError, OutOfMemoryError
            If memory has run out in any of the processes.
        PartnerLostError
            If a helper has ended, or fails.
        """
        image, labels, annotated = (part.to(self._device).contiguous() for part in batch)
        # From the random numbers of the training, so that one that is continued has the same.
        seed = int(torch.randint(2**62, (1,)))
        dtype = str(labels.dtype).removeprefix("torch.")
        line = written_line(StepRequest(list(image.shape), list(labels.shape), dtype, seed))
        for helper in self._helpers:
            helper.send(line)
        if self._share_of_threads:
            torch.set_num_threads(self._share_of_threads)
        assert self._group is not None  # noqa: S101  it is there from the start to the end
        try:
            return self._share.gradients(Patch(image, labels, annotated))
        except PartnerError:
            self._group.find_out()
            raise PartnerLostError(f"A process of the training failed. {_REMEDY}") from None
        finally:
            torch.set_num_threads(self._threads)

    def close(self) -> None:
        """End the helpers."""
        for helper in self._helpers:
            helper.dismiss()
        for helper in self._helpers:
            helper.end()
        if self._group is not None:
            self._group.close()
        self._folder.cleanup()

    def _check(self) -> None:
        """Raise `PartnerLostError` if a helper has ended."""
        for helper in self._helpers:
            helper.check()

    def _wait_for(self, folder: Path) -> None:
        """Wait until all helpers are about to join the group, or one has ended."""
        while not all((folder / f"ready-{helper.rank}").exists() for helper in self._helpers):
            self._check()
            time.sleep(_PAUSE)


@contextmanager
def team_for(learner: Learner, size: int) -> Iterator[None]:
    """Let helpers share the steps of a learner meanwhile, where there is more than one device.

    Parameters
    ----------
    learner
        What learns.
    size
        Number of devices.
    """
    if size == 1:
        yield
        return
    team = Team(learner.loss, size)
    learner.gradients = team.gradients
    try:
        yield
    finally:
        learner.gradients = learner.loss.gradients
        team.close()


class _Helper:
    """A running helper."""

    def __init__(self, job: HelperJob) -> None:
        self.rank, self._size = job.rank, job.size
        self._words: Any = tempfile.TemporaryFile()  # noqa: SIM115  closed in `end`
        try:
            # -P: a file of the user's that is called random.py must not hide Python's.
            self._process = subprocess.Popen(  # noqa: S603  our own module, no shell
                [sys.executable, "-P", "-m", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._words,
                **detached(),
            )
        except OSError as error:
            raise PartnerLostError(
                f"A process of the training cannot be started: {error}."
            ) from error
        self.send(written_line(job))

    def send(self, line: bytes) -> None:
        """Send a line; if the helper has died, `check` will tell."""
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101  it was asked for
        with suppress(OSError):
            stdin.write(line)
            stdin.flush()

    def check(self) -> None:
        """Raise `PartnerLostError` if it has ended, with the reason that it gave."""
        code = self._process.poll()
        if code is None:
            return
        if code == -getattr(signal, "SIGKILL", 9):
            how = "was killed, most likely because the computer ran out of memory"
        elif code < 0 or code > 255:  # a signal, or a Windows exception
            how = f"crashed (code {code})"
        else:
            how = f"failed ({self._reason() or f'exit status {code}'})"
        raise PartnerLostError(
            f"Process {self.rank + 1} of the {self._size} that train together {how}. {_REMEDY}"
        )

    def dismiss(self) -> None:
        """Ask it to end."""
        assert self._process.stdin is not None  # noqa: S101  it was asked for
        with suppress(OSError):
            self._process.stdin.close()

    def end(self) -> None:
        """Wait for its end, and make it end if it takes too long."""
        try:
            self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._words.close()

    def _reason(self) -> str:
        """Return the last line that it has printed."""
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:_LAST_WORDS] if lines else ""
