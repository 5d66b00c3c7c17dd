"""Decoding in the memory that there is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from unet_napari.errors import ResourceError
from unet_napari.system.device import is_out_of_memory
from unet_napari.tasks.decoding.blocks import Blocks
from unet_napari.tasks.decoding.instances import BYTES_PER_VOXEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unet_napari.geometry import Box
    from unet_napari.inference.running.places import ViewWriter
    from unet_napari.tasks import Task
    from unet_napari.tasks.decoding.blocks import Store
    from unet_napari.tasks.decoding.stack import StackDecoder

__all__ = ["blocks_for", "decode_patiently"]

# More threads than this wait for the memory.
_MOST_THREADS = 4
# If this many voxels are too many, something else has taken the memory.
_FEWEST_VOXELS = 2**12


def blocks_for(memory: int) -> Blocks:
    """Return how to cut an image for decoding in so much memory."""
    threads = min(torch.get_num_threads(), _MOST_THREADS)
    largest = memory // (threads * BYTES_PER_VOXEL)
    usual = Blocks()
    return Blocks(
        min(usual.voxels, max(largest // 2, _FEWEST_VOXELS)), min(usual.largest, largest), threads
    )


def decode_patiently(
    decoder: Task | StackDecoder,
    packed: Store,
    scratch: Store,
    target: ViewWriter,
    blocks: Blocks,
    first_id: int,
) -> Iterator[tuple[int, int, Box | None]]:
    """Decode; where memory runs out, again with smaller blocks."""
    while True:
        try:
            yield from decoder.decode_steps(packed, scratch, target, blocks, first_id)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return
        blocks = replace(blocks, voxels=blocks.voxels // 4, largest=blocks.largest // 4, threads=1)
        if blocks.voxels < _FEWEST_VOXELS:
            raise ResourceError(
                "Memory does not suffice to find the objects, even in blocks of "
                f"{_FEWEST_VOXELS:,} pixels. Close other programs, or segment a part of the image."
            )
