"""The job that segments a list of images, in one engine with one loaded model. Free of torch.

How a client uses it::

    job = SegmentListJob(
        images=(
            ListItem("/data/a.tif", "/data/results/a.tif", name="a"),
            ListItem(ImageRef(client.folder.share(layer.data), "YX", name="b"),
                     "/data/results/b.tif", name="b"),
        ),
        model="nuclei",
        config=InferenceConfig().to_dict(),
        table="/data/results/all.csv",      # a row for each object, of all images; or None
        listing="/data/results/list.csv",   # a row for each image; or None
    )
    handle = client.submit(job, on_event)
    client.cancel(handle)               # Stop: what is whole stays, and the tables of it

``on_event`` gets, besides what every job sends:

* `Progress`, again and again: ``done`` of ``total`` and ``seconds_left`` are those of the whole
  list, and ``stage`` names the image. There is no ``region``.
* `ImageLine`, once for each image, in the order of the list, as soon as it is done with. Its
  ``number`` is the place in ``images``; ``state`` says what became of it (`IMAGE_STATES`);
  ``objects``, ``doubt``, ``worst``, ``worst_at``, ``familiarity``, ``seconds`` and ``message`` are
  the columns to show and to sort by, None where they are not known; ``worst_at`` is the pixel to
  show when the image is opened; ``thumbnail`` is a uint8 array ``(Y, X, 3)`` of the receiver's own.
* `JobWarning`: what is also in the ``message`` of the image that it is about.

The end is `JobFinished` with a result (see `SegmentListJob`), also after ``cancel``; or
`JobCancelled`, if the engine had to be ended, which leaves the tables as they were written last,
at most half a minute ago. `JobFailed` means that the whole could not be done: no such model, or a
folder or a table that cannot be written. A single image that cannot be done is a line with the
state ``"failed"``.

To go on with a list that was stopped, or to do again what has changed, submit the same job again:
results whose record names the same pixels, model, settings and thresholds come back at once as
``"unchanged"``, with what was found then. Labels that were edited since, or are of another
program, come back as ``"kept"`` and are never replaced, unless ``overwrite`` is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unet_napari.engine.protocol import message
from unet_napari.engine.requests import ImageRef

__all__ = ["ListItem", "SegmentListJob"]


@message
@dataclass(frozen=True)
class ListItem:
    """One image of a list.

    Attributes
    ----------
    image
        The path of a file, which the engine opens when it is its turn, or a reference to an array.
    output
        The file or folder to write, see `unet_napari.images.open_output`. Its folder is made.
    name
        What it is called in tables and events; by default the name of the file.
    reading
        Keywords of `read_image` for a path: axes, channel, scene, pixel size.
    """

    image: ImageRef | str
    output: str
    name: str = ""
    reading: Mapping[str, Any] = field(default_factory=dict)


@message
@dataclass(frozen=True)
class SegmentListJob:
    """Segment a list of images into files, one after the other, with one loaded model.

    Its events are ``Progress`` and ``ImageLine``. Its result has ``done``, ``unchanged``, ``kept``
    and ``failed`` (numbers of images), ``not_tried`` (those behind a stop or a full disk),
    ``reason`` (why they were not tried; empty after a stop) and ``stopped``.

    Attributes
    ----------
    images
        The images; no two may have one output.
    model, config, thresholds
        As of a `SegmentJob`.
    table
        File for a row for each object of all images, .csv or .parquet; replaced if it exists.
    listing
        File for a row for each image, likewise.
    sheet
        PNG with all thumbnails, the most doubtful first, likewise.
    doubt
        Whether doubt and familiarity are found out; of classes there is no doubt.
    thumbnail
        Longest side of the thumbnails in the events, in pixels; 0: none.
    overwrite
        Whether results that are there are replaced whatever they are.
    """

    images: tuple[ListItem, ...]
    model: str
    config: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    table: str | None = None
    listing: str | None = None
    sheet: str | None = None
    doubt: bool = True
    thumbnail: int = 128
    overwrite: bool = False
