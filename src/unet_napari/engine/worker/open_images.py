"""Images and pairs as a job of the engine opens them, by reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from unet_napari.engine.arrays import ArrayRef, open_ref
from unet_napari.images import Image, Normalisation, Statistics
from unet_napari.training import Pair

if TYPE_CHECKING:
    from unet_napari.engine.requests import ImageRef, PairRef
    from unet_napari.engine.worker.job_context import JobContext

__all__ = ["Measured", "open_array", "open_image", "open_pair"]


@dataclass(frozen=True)
class Measured(Normalisation):
    """A rule for a part of an image, with the statistics of the whole.

    Measured on the part, a dim corner would be as bright as the rest of the image.
    """

    statistics: Statistics = field(default_factory=lambda: Statistics((), ()))

    @classmethod
    def of(cls, rule: Normalisation, statistics: Statistics) -> Self:
        """Return a rule that applies these statistics as `rule` does."""
        return cls(**rule.to_dict(), statistics=statistics)

    def measure(self, image: Image, *, quiet: bool = False) -> Statistics:  # noqa: ARG002  known
        """Return the statistics of the whole."""
        return self.statistics


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
    ).with_background(reference.background)


def open_array(data: Any, context: JobContext) -> Any:  # noqa: ANN401  an array, or a reference to one
    """Open an array of a job; those of a command have been taken on arrival."""
    return open_ref(data, folders=context.folder.folders) if isinstance(data, ArrayRef) else data
