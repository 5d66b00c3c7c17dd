"""Whether the result of an image that is there already is still that of this image and order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from unet_napari.images.result_record import pixel_digest, read_record
from unet_napari.inference.results.recording import mark_region
from unet_napari.labels.label_axes import open_labels, read_labels
from unet_napari.system.each import each_here

if TYPE_CHECKING:
    from pathlib import Path

    from unet_napari.folder_run.order import FolderOrder
    from unet_napari.images import Image, LazyArray
    from unet_napari.images.result_record import ResultRecord
    from unet_napari.system.each import Each

__all__ = ["Standing", "labels_digest", "standing_of"]

# Settings that say how a result is computed, not which one.
_IMMATERIAL = ("tile", "batch", "memory", "device")


@dataclass(frozen=True)
class Standing:
    """A result that is left as it is.

    Attributes
    ----------
    state : str
        ``"unchanged"`` or ``"kept"``, see `ImageLine`.
    labels : LazyArray
        Its labels, in the shape of the image's.
    found : mapping
        What its record tells of it.
    message : str
        Why it was kept.
    """

    state: str
    labels: LazyArray
    found: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""


def standing_of(image: Image, output: Path, order: FolderOrder) -> Standing | None:
    """Return the result that is there, or None if there is none, or it is to be made again.

    A result without a record, or whose labels are not those that were recorded, has been made or
    edited by somebody else, and is never replaced unless that is asked for.

    Raises
    ------
    ImageError, LabelsError
        If there is a file that cannot be read, or its labels are not those of this image.
    """
    if order.overwrite or not output.exists():
        return None
    record = read_record(output)
    known = None if record is None else record.found.get("labels")
    edited = known is not None and known != labels_digest(open_labels(output))
    fresh = record is not None and _is_of(record, image, order, output)
    if not (record is None or edited or fresh):
        return None
    labels = read_labels(output, image)
    if record is None or edited:
        what = "have no record of unet-napari" if record is None else "were edited since"
        message = f"The labels in {output} {what}, so they are kept; overwriting replaces them."
        return Standing("kept", labels, message=message)
    return Standing("unchanged", labels, record.found)


def labels_digest(labels: Image, each: Each = each_here) -> str:
    """Return a hash of labels, whatever integers they are stored as, see `pixel_digest`."""
    return pixel_digest(labels, "uint32", each)


def _is_of(record: ResultRecord, image: Image, order: FolderOrder, output: Path) -> bool:
    """Tell whether a record names this image, model and settings, and all that is asked for.

    What a dock has segmented by itself has not been doubted.
    """
    return (
        record.model.digest == order.digest
        and dict(record.thresholds) == dict(order.thresholds)
        and _material(record.settings) == _material(order.config.to_dict())
        and dict(record.region) == mark_region(order.region, output)
        and record.image.axes == image.axes
        and record.image.reading.get("channel") == image.fixed.get("C")
        and dict(record.image.pixel_size) == dict(image.pixel_size)
        and record.image.digest == pixel_digest(image)
        and (record.found.get("doubted", True) or not (order.doubted and order.separates))
    )


def _material(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings on which the labels depend, as JSON has them."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in settings.items()
        if name not in _IMMATERIAL
    }
