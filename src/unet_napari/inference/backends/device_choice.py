"""Which device computes: one that is there, and that computes what the CPU does."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from unet_napari.errors import warn_user
from unet_napari.networks.folding import fold_batch_norm
from unet_napari.networks.unet import UNet
from unet_napari.system.device import computes_bfloat16, is_out_of_memory, memory_format
from unet_napari.tasks import CellsTask

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from unet_napari.networks.base import Network

    Compute = Callable[[Network, Tensor, Tensor, torch.device, str], list[Tensor]]

__all__ = ["choose_device", "choose_precision", "fault_of", "find_fault"]

_CPU = torch.device("cpu")
_DEVICE_NAMES = {"cuda": "NVIDIA GPU (cuda)", "mps": "Apple GPU (mps)"}
# How far outputs and gradients may be off, as shares of the norm of each; the faults that this is
# for are larger than the tensor. Where relu and maximum pooling nearly tie, rounding decides:
# that of TF32, usual on CUDA, changes gradients by up to 0.3, fp32 by less than 0.04.
_OUTPUT_TOLERANCE, _GRADIENT_TOLERANCE = 0.1, 0.7
# Share of the largest gradient below which a gradient is mostly rounding.
_SMALL_SHARE = 0.02
# Shapes of the images that are compared, the batch first, by the number of spatial axes.
_IMAGE_SHAPES = {2: (2, 32, 32), 3: (1, 8, 16, 16)}
# What `find_fault` said in this process, by device, number of axes and precision.
_found_faults: dict[tuple[str, int, str], str | None] = {}


def choose_device(wanted: str, ndim: int) -> torch.device:
    """Return the device to compute on.

    An accelerator is taken only if a small network gives the same there as on the CPU, forwards
    and backwards: with some versions of torch, of drivers and of macOS it does not, or only in 2D.
    That is found out once per process and number of axes, in a fraction of a second.

    Parameters
    ----------
    wanted : {"auto", "cpu", "cuda", "mps"}
        ``"auto"`` takes the first of cuda, mps and cpu that is there.
    ndim : int
        The number of spatial axes of the network.

    Returns
    -------
    torch.device
        The CPU, after a `UnetNapariWarning` with the reason, where the device is not there or
        computes something else.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        wanted = next(name for name, available in there.items() if available)
    if wanted == "cpu":
        return _CPU
    if there[wanted]:
        device = torch.device(wanted)
        fault = fault_of(device, ndim)
        if fault is None:
            return device
        problem = f"The {_DEVICE_NAMES[wanted]} of this computer is not used: {fault}."
    else:
        problem = f"There is no {wanted} device on this computer that torch can use."
    warn_user(f"{problem} The CPU computes instead, which takes longer.", stacklevel=2)
    return _CPU


def choose_precision(wanted: str, device: torch.device) -> str:
    """Return the number format to compute in: on a CPU, none that it has no instructions for.

    Parameters
    ----------
    wanted : {"auto", "fp32", "fp16", "bf16", "int8"}
        What is asked for.
    device : torch.device
        Where it is computed.

    Returns
    -------
    str
        On a CPU bf16 in place of fp16, which takes five times as long as fp32 there, and fp32 in
        place of bf16 where that is imitated; each after a `UnetNapariWarning`.
    """
    if device.type != "cpu" or wanted not in ("fp16", "bf16"):
        return wanted
    possible = "bf16" if computes_bfloat16(device) else "fp32"
    if possible != wanted:
        warn_user(
            f"This processor has no instructions for {wanted}, which would take longer than fp32: "
            f"{possible} is computed instead.",
            stacklevel=2,
        )
    return possible


def fault_of(device: torch.device, ndim: int, precision: str = "fp32") -> str | None:
    """Return what `find_fault` says; it is asked once per process, unless memory was short."""
    key = (device.type, ndim, precision)
    if key not in _found_faults:
        try:
            _found_faults[key] = find_fault(device, ndim, precision)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return "it has no memory left; close other programs that use it"
    return _found_faults[key]


def find_fault(
    device: torch.device, ndim: int, precision: str = "fp32", compute: Compute | None = None
) -> str | None:
    """Compare what a device computes of a small network with what the CPU does.

    Parameters
    ----------
    device
        An accelerator that torch says is there.
    ndim
        The number of spatial axes of the network.
    precision
        ``"fp32"``: a step of training and a prediction. ``"fp16"``: a prediction in fp16.
    compute
        Stands in for what computes on the device, in tests.

    Returns
    -------
    str or None
        What is wrong, in words for the user; None if the device can be used.

    Raises
    ------
    RuntimeError
        If the device has no memory left.
    """
    network, image, labels = _example(ndim)
    expected = _results(network, image, labels, _CPU, "fp32")
    try:
        found = (compute or _results)(network, image, labels, device, precision)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        return f"it cannot compute a small {ndim}D network ({reason})"
    if _agree(found, expected[: len(found)]):
        return None
    return (
        f"with this version of torch ({torch.__version__}) it computes something else than the "
        f"CPU, of a small {ndim}D network"
    )


def _example(ndim: int) -> tuple[Network, Tensor, Tensor]:
    """Make a network with the layers of ours, and something to learn; the same each time."""
    task = CellsTask()
    with torch.random.fork_rng([]):  # the weights that are drawn here are replaced
        network = UNet(1, task.out_channels, (4, 8, 8), ndim=ndim, deep_supervision=True)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:  # the norms and biases begin as in a training
                width = (2 / parameter[0].numel()) ** 0.5
                parameter.copy_(width * torch.randn(parameter.shape, generator=generator))
    image = torch.randn(_IMAGE_SHAPES[ndim], generator=generator)[:, None]
    labels = torch.zeros(_IMAGE_SHAPES[ndim], dtype=torch.int32)
    labels[..., 2:7, 3:9], labels[..., 8:14, 5:12] = 1, 2
    return network, image, labels


def _results(
    network: Network, image: Tensor, labels: Tensor, device: torch.device, precision: str
) -> list[Tensor]:
    """Return a prediction, and in fp32 the logits and gradients of a training; all on the CPU."""
    layout = memory_format(network.ndim, device)
    network = copy.deepcopy(network).to(device).to(memory_format=layout)
    batch = image.to(device, memory_format=layout)
    half = precision == "fp16"
    with torch.inference_mode(), torch.autocast(device.type, torch.float16, enabled=half):
        results = [fold_batch_norm(network)(batch)]
    if not half:
        task, everywhere = CellsTask(), torch.ones_like(labels, dtype=torch.bool)
        main, *coarse = network.train()(batch)
        loss = task.loss(main, task.encode(labels.to(device), everywhere.to(device)))
        coarser = [logits.square().mean() for logits in coarse]
        torch.stack([loss, *coarser]).sum().backward()  # type: ignore[no-untyped-call]
        results += [main, *(p.grad for p in network.parameters() if p.grad is not None)]
    return [result.detach().float().cpu() for result in results]


def _agree(found: list[Tensor], expected: list[Tensor]) -> bool:
    """Tell whether two lists of `_results` hold the same, up to rounding."""
    largest = max((float(gradient.norm()) for gradient in expected[2:]), default=0.0)
    return len(found) == len(expected) and all(
        # NaN agrees with nothing.
        float((a - b).norm()) <= _OUTPUT_TOLERANCE * float(b.norm())
        if number < 2
        else float((a - b).norm())
        <= _GRADIENT_TOLERANCE * (float(b.norm()) + _SMALL_SHARE * largest)
        for number, (a, b) in enumerate(zip(found, expected, strict=True))
    )
