"""Images and pairs as a job of the engine opens them, by reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.engine.arrays import ArrayRef
from unet_napari.images import Image
from unet_napari.training import Pair

if TYPE_CHECKING:
    from unet_napari.engine.requests import ImageRef, PairRef
    from unet_napari.engine.worker.job_context import JobContext

__all__ = ["open_array", "open_image", "open_pair"]


def open_image(reference: ImageRef, context: JobContext) -> Image:
    """Open an image by its reference; nothing is read yet."""
    return Image(
        open_array(reference.data, context),
        reference.axes,
        pixel_size=dict(reference.pixel_size),
        name=reference.name,
        source=None if reference.source is None else Path(reference.source),
        fixed=dict(reference.fixed),
    )


def open_pair(reference: PairRef, context: JobContext) -> Pair:
    """Open an image and its labels by their references."""
    annotated = reference.annotated
    return Pair(
        open_image(reference.image, context),
        open_array(reference.labels, context),
        None if annotated is None else open_array(annotated, context),
        file=reference.file,
    ).with_background(reference.background)


def open_array(data: Any, context: JobContext) -> Any:  # noqa: ANN401  an array, or a reference to one
    """Open an array of a job; those of a command have been taken on arrival."""
    return context.open(data) if isinstance(data, ArrayRef) else data
