"""Measure every network and write the tables of docs/guide/models/networks.md.

    python benchmarks/networks.py              all of it, about 6 minutes on two cores
    python benchmarks/networks.py --rounds 0   only what needs no quiet machine

Parameters, operations and receptive fields are exact; ``--rounds 0`` writes just these. Memory is
the peak of a process of its own that trains for a step. Speed is the median over rounds, in which
the networks take turns, of how many times as fast as the plain U-Net a network is, with the
preparation that prediction uses (batch norm folded, channels last). Give every thread a core:
``OMP_NUM_THREADS`` is followed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from document import NETWORKS, replace_table
from machine import conditions
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from unet_napari.networks import CATALOGUE, Network, build_network, exact_halo, fold_batch_norm

TRAINING = {2: (2, 1, 256, 256), 3: (1, 1, 32, 96, 96)}  # the patches that we train on
PREDICTION = {2: (1, 1, 256, 256), 3: (1, 1, 32, 96, 96)}
LAYOUT = {2: torch.channels_last, 3: torch.channels_last_3d}
UNIT = {2: "megapixel", 3: "megavoxel"}


@dataclass(frozen=True)
class Row:
    """One line of a table: a network and what to call it."""

    title: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, ndim: int, **more: object) -> Network:
        """Make the network; `more` are options that this measurement wants."""
        size = {} if self.name == "resnet_unet" else {"features": FEATURES[ndim]}
        base = {"in_channels": 1, "out_channels": 2, "ndim": ndim}
        return build_network(self.name, base | size | self.options | more)


FEATURES: dict[int, Any] = {2: "small", 3: (32, 64, 128, 256)}

ROWS = (
    Row("U-Net", "unet"),
    Row("U-Net, interpolated upsampling", "unet", {"upsampling": "interpolate"}),
    Row("U-Net, residual blocks", "unet", {"residual": True}),
    Row("U-Net, deep supervision", "unet", {"deep_supervision": True}),
    Row("U-Net, instance norm", "unet", {"norm": "instance"}),
    Row("Attention U-Net", "attention_unet"),
    Row("U-Net++", "nested_unet"),
    Row("Multi-scale fusion U-Net", "fusion_unet"),
)
ROWS_2D = (
    Row("ResNet-18 U-Net", "resnet_unet", {"depth": 18}),
    Row("ResNet-50 U-Net", "resnet_unet", {"depth": 50}),
    Row("U-Net, `original`", "unet", {"features": "original"}),
    Row("U-Net, `large`", "unet", {"features": "large"}),
    Row("U-Net of the paper, `valid`", "unet", {"features": 64, "padding": "valid"}),
)
ROWS_3D = (
    Row(
        "U-Net, Z stride 1 at the top",
        "unet",
        {"strides": [(1, 2, 2), 2, 2], "kernels": [(1, 3, 3), 3, 3, 3]},
    ),
)
TABLES = {2: ROWS + ROWS_2D, 3: ROWS + ROWS_3D}


def gigaflop(network: Network) -> float:
    """Return the operations (two for a multiply-add) per million input positions, in 1e9."""
    meta = network.to("meta").eval()
    # 572 for the network of the paper; without padding a larger image costs less per pixel.
    size = [least + 24 * stride for least, stride in zip(meta.smallest, meta.stride, strict=True)]
    x = torch.empty(1, meta.in_channels, *size, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = meta(x)
    positions = output[0, 0].numel()  # of the output, so that lost margins count as a cost
    return counter.get_total_flops() / positions / 1000


def receptive_field(row: Row, ndim: int) -> tuple[int, ...] | None:
    """Return the input positions per axis that can change one output position, at most."""
    network = row.build(ndim)
    if row.name != "resnet_unet":  # the number of features does not matter, but takes time
        network = row.build(ndim, features=[2] * len(network.options["features"]))
    network.eval()
    halo = exact_halo(network)
    if halo is None:
        return None
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 1e-3)
    axes = list(zip(network.stride, halo, strict=True))  # alike in both: alike in all
    widths = {key: _field_along(network, axes.index(key), key[1]) for key in dict.fromkeys(axes)}
    return tuple(widths[key] for key in axes)


@torch.no_grad()
def _field_along(network: Network, axis: int, halo: int) -> int:
    """Mark every phase of the stride grid with NaN in turn; see `exact_halo`."""
    stride = network.stride[axis]
    shape = list(network.smallest)
    shape[axis] += 2 * (halo + stride)
    middle = shape[axis] // 2 // stride * stride
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for position in range(middle, middle + stride):
        line = torch.zeros(1, network.in_channels, *shape)
        line.select(axis + 2, position).fill_(torch.nan)
        others = [other for other in range(line.ndim) if other != axis + 2]
        touched = torch.nonzero(network(line).isnan().amax(dim=others)).flatten().tolist()
        # The output moves along with the input by strides: fold all onto one cell.
        for output in touched:
            source = position - output // stride * stride
            phase = output % stride
            first[phase] = min(first.get(phase, source), source)
            last[phase] = max(last.get(phase, source), source)
    return max(last[phase] - first[phase] + 1 for phase in first)


def training_memory(row: Row, ndim: int, *, checkpointing: bool) -> float:
    """Return the peak memory of a training step in MiB, above that of an idle process."""
    job = json.dumps([row.name, row.build(ndim, checkpointing=checkpointing).options, ndim])
    answer = subprocess.run(
        [sys.executable, __file__, "--train", job],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return float(answer.stdout)


def all_memories(rows: Sequence[Row], ndim: int) -> list[tuple[str, str]]:
    """Return the memory of each network without and with checkpointing, in MiB."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # of waiting for a process each
        plain = [pool.submit(training_memory, row, ndim, checkpointing=False) for row in rows]
        saving = [pool.submit(training_memory, row, ndim, checkpointing=True) for row in rows]
        pairs = zip(plain, saving, strict=True)
        return [(f"{p.result():,.0f}", f"{s.result():,.0f}") for p, s in pairs]


def train_one_step(name: str, options: dict[str, Any], ndim: int) -> float:
    """Train with AdamW on patches of the size that we use; return the growth in MiB."""
    torch.nn.Conv2d(1, 1, 3)(torch.zeros(1, 1, 8, 8)).sum().backward()  # load the libraries
    before = peak_memory()
    network = build_network(name, options).to(memory_format=LAYOUT[ndim]).train()
    shape = list(TRAINING[ndim])
    shape[2:] = [s + 2 * m for s, m in zip(shape[2:], network.margin, strict=True)]
    optimizer = torch.optim.AdamW(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()  # makes the optimizer's own memory, there from the second step on
    optimizer.zero_grad()
    output = network(torch.randn(shape).contiguous(memory_format=LAYOUT[ndim]))
    outputs = output if isinstance(output, list) else [output]
    torch.stack([each.square().mean() for each in outputs]).sum().backward()
    optimizer.step()
    return (peak_memory() - before) / 2**20


def peak_memory() -> int:
    """Return the most bytes that this process has had in memory."""
    if platform.system() == "Linux":
        # Not getrusage: on Linux it starts with the peak of the process that started this one.
        status = Path("/proc/self/status").read_text()
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def timings(networks: Sequence[Network], ndim: int, rounds: int) -> list[list[float]]:
    """Return the seconds of a prediction in each round, the networks taking turns."""
    jobs = [_prediction(network, ndim) for network in networks]  # each run once already
    seconds: list[list[float]] = [[] for _ in jobs]
    for _ in range(rounds):
        for run, times in zip(jobs, seconds, strict=True):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return seconds


def relative_speed(plain: Sequence[float], own: Sequence[float]) -> float:
    """Return the median over the rounds of how many times as fast as the plain network."""
    return statistics.median(p / o for p, o in zip(plain, own, strict=True))


def _prediction(network: Network, ndim: int) -> Callable[[], Tensor]:
    ready = fold_batch_norm(network).to(memory_format=LAYOUT[ndim])
    shape = list(PREDICTION[ndim])
    shape[2:] = [s + 2 * m for s, m in zip(shape[2:], ready.margin, strict=True)]
    x = torch.randn(shape).contiguous(memory_format=LAYOUT[ndim])

    @torch.inference_mode()
    def run() -> Tensor:
        output: Tensor = ready(x)
        return output

    run()  # the first call chooses the kernels
    return run


def table(ndim: int, rounds: int) -> Iterator[str]:
    """Yield the lines of one table."""
    rows = TABLES[ndim]
    measured = [("-", "-", "-")] * len(rows)
    note = "Memory and speed were not measured (`--rounds 0`)."
    if rounds:
        print(f"{ndim}D: speed", file=sys.stderr)
        seconds = timings([row.build(ndim) for row in rows], ndim, rounds)
        print(f"{ndim}D: memory", file=sys.stderr)
        measured = [
            (*memories, f"{relative_speed(seconds[0], own):.2f}")
            for memories, own in zip(all_memories(rows, ndim), seconds, strict=True)
        ]
        note = _conditions(ndim, statistics.median(seconds[0]))
    yield (
        f"| network | parameters | GFLOP per {UNIT[ndim]} | receptive field | training memory, MiB "
        "| with checkpointing, MiB | speed | paper |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|---|"
    for row, cells in zip(rows, measured, strict=True):
        print(f"{ndim}D: size of {row.title}", file=sys.stderr)
        network = row.build(ndim)
        width = receptive_field(row, ndim)
        reach = "the whole tile" if width is None else " x ".join(map(str, width))
        exact = (f"{network.parameter_count:,}", f"{gigaflop(network):,.0f}", reach)
        yield f"| {' | '.join((row.title, *exact, *cells, CATALOGUE[row.name].paper))} |"
    yield ""
    yield note


def _conditions(ndim: int, seconds: float) -> str:
    patch = " x ".join(map(str, TRAINING[ndim][2:]))
    speed = torch.Size(PREDICTION[ndim]).numel() / seconds
    return (
        f"Training memory: batch {TRAINING[ndim][0]} of {patch}, AdamW, fp32, one thread. Speed "
        f"1.00 is {speed / 1e6:.3g} {UNIT[ndim]}s per second. "
        f"{conditions(torch.get_num_threads())}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="repeats of the speed measurement")
    parser.add_argument("--document", type=Path, default=NETWORKS, help="to write the tables into")
    parser.add_argument("--train", help=argparse.SUPPRESS)  # the process of training_memory
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    if arguments.train:
        print(train_one_step(*json.loads(arguments.train)))
        return
    for ndim in TABLES:
        lines = list(table(ndim, arguments.rounds))
        print("\n".join(lines), flush=True)
        replace_table(arguments.document, f"{ndim}D", lines)
    print(f"wrote {arguments.document}", file=sys.stderr)


if __name__ == "__main__":
    main()
