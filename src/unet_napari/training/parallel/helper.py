"""The program of a helper: ``python -m unet_napari.training.parallel.helper``.

It reads its job and its steps from its standard input, and ends with it: also where the leader was
killed, in the middle of a sum that would never come to its end.
"""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from unet_napari.networks import build_network
from unet_napari.system.device import is_out_of_memory, memory_format, release_memory
from unet_napari.tasks import make_task
from unet_napari.training.batch_loss import BatchLoss
from unet_napari.training.data.augment import Patch
from unet_napari.training.parallel.group import Group, PartnerError, PartnerMemoryError
from unet_napari.training.parallel.messages import HelperJob, StepRequest, parsed_line
from unet_napari.training.parallel.share import Share

if TYPE_CHECKING:
    from unet_napari.networks.base import Network


def main() -> None:
    """Help until there is nothing more to read; the last line of an error is for the leader."""
    try:
        _help_on()
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)  # a thread that reads would make an abort of an ordinary exit


def _help_on() -> None:
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    job: HelperJob = parsed_line(HelperJob, sys.stdin.buffer.readline())
    threading.Thread(target=_read, args=(lines, job.folder), daemon=True).start()
    device = torch.device(job.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if job.threads:
        torch.set_num_threads(job.threads)
    network = build_network(job.network, job.options).to(device).train()
    layout = memory_format(network.ndim, device)
    network.to(memory_format=layout)
    task = make_task(job.task)
    folder = Path(job.folder)
    (folder / f"ready-{job.rank}").touch()
    group = Group(job.rank, job.size, job.longest, device, folder)
    share = Share(BatchLoss(network, task, device, layout, job.mixed), group)
    while True:
        step: StepRequest = parsed_line(StepRequest, lines.get())
        try:
            _help(share, group, network, step, device)
        except (PartnerError, PartnerMemoryError):
            continue
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            release_memory(device)


def _help(
    share: Share, group: Group, network: Network, step: StepRequest, device: torch.device
) -> None:
    """Give the gradient of a share of a batch."""
    with group.telling():
        torch.manual_seed(step.seed + group.rank)
        network.zero_grad(set_to_none=True)
        room = Patch(
            torch.empty(step.image, device=device),
            torch.empty(step.labels, dtype=getattr(torch, step.dtype), device=device),
            torch.empty(step.labels, dtype=torch.bool, device=device),
        )
    share.gradients(room)


def _read(lines: queue.SimpleQueue[bytes], folder: str) -> None:
    """Pass on what the leader says; end the process when it has fallen silent."""
    for line in sys.stdin.buffer:
        lines.put(line)
    shutil.rmtree(folder, ignore_errors=True)  # of a leader that was killed
    os._exit(0)


if __name__ == "__main__":
    main()
