"""What models have found in the image that is open, saved when the list goes on."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel

from napari.layers import Image as ImageLayer
from napari.layers import Labels
from unet_napari import images
from unet_napari._napari.jobs.background_work import Background
from unet_napari._napari.layers.layer_axes import array_of, image_of, output_axes
from unet_napari._napari.layers.ownership import (
    ResultOrigin,
    age,
    fingerprint_of,
    is_as_made,
    is_made_for,
    is_saved,
    is_unedited,
    note_saved,
    origin_noted,
)
from unet_napari._napari.runs.preview_layer import PURPOSE as PREVIEW
from unet_napari.collection.image_list import ImageEntry
from unet_napari.collection.names import numbered
from unet_napari.errors import UnetNapariError, without_warnings
from unet_napari.folder_run.standing import labels_digest
from unet_napari.images import Image
from unet_napari.images.result_record import ResultRecord, read_record
from unet_napari.labels.label_axes import open_labels
from unet_napari.system.disk import make_folder

__all__ = ["ResultKeeper"]


@dataclass(frozen=True)
class _Found:
    """Labels that a model has found, taken hold of to be saved.

    Attributes
    ----------
    entry : ImageEntry
    image, layer
        Layers of the image and of the labels.
    labels : Image
    origin : ResultOrigin
    as_made : bool
        Whether they are as the model has found them.
    pixels : int or None
        Fingerprint of the layer.
    """

    entry: ImageEntry
    image: ImageLayer
    layer: Labels
    labels: Image
    origin: ResultOrigin
    as_made: bool
    pixels: int | None


@dataclass(frozen=True)
class _Written:
    path: Path
    digest: str
    objects: int | None


class ResultKeeper:
    """Saves the results of whole images, as a run over all saves them, edited ones as well.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    files : Background
        Writes the files.
    tell : callable
        Shows a line to the user; takes whether it is an error.
    keep : callable
        Keeps facts about images of the list, see `Browser.keep`.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        files: Background,
        tell: Callable[[str, bool], None],
        keep: Callable[[Mapping[str, Mapping[str, Any]], Path], None],
    ) -> None:
        self._viewer, self._files, self._tell, self._keep = viewer, files, tell, keep

    def save(self, entry: ImageEntry, layer: ImageLayer) -> str:
        """Save what was found in an image and is in no file yet, beside the viewer.

        Returns
        -------
        str
            What cannot be saved, in one line; empty if there is nothing such.
        """
        made_for = {"image": str(layer.unique_id)}
        found = [
            x for x in self._viewer.layers if isinstance(x, Labels) and is_made_for(x, made_for)
        ]
        parts = []
        for result in sorted(found, key=age, reverse=True):  # what is known is that of the newest
            origin = origin_noted(result)
            if is_saved(result):
                continue
            if origin is None:
                shown = is_made_for(result, {"purpose": PREVIEW.key})
                if not shown and is_unedited(result) and fingerprint_of(result) is not None:
                    parts.append(f"'{result.name}'")
            else:
                try:
                    self._save(entry, layer, result, origin)
                except UnetNapariError as error:  # the list goes on all the same
                    return f"What was found in '{entry.name}' is not saved: {error}"
        if not parts:
            return ""
        names = " and ".join(parts)
        return f"{names} was not saved: only what was found in the whole of an image is."

    def _save(
        self, entry: ImageEntry, layer: ImageLayer, result: Labels, origin: ResultOrigin
    ) -> None:
        image = image_of(layer)
        axes = output_axes(image.axes)
        sizes = {axis: size for axis, size in image.pixel_size.items() if axis in axes}
        labels = Image(array_of(result), axes, sizes, name=result.name)
        what = (entry, layer, result, labels, origin)
        found = _Found(*what, is_as_made(result), fingerprint_of(result))
        fail = partial(self._fail, found)
        self._files.run(partial(_write, found), partial(self._end, found), fail)

    def _end(self, found: _Found, written: _Written) -> None:
        note_saved(found.layer, written.digest, found.pixels)
        entry, folder = found.entry, found.entry.labels.parent
        facts: dict[str, Any] = {
            "result": written.path.relative_to(folder).as_posix(),
            "model": found.origin.model,
            "objects": written.objects,
        }
        if found.as_made:
            facts |= {"doubt": None, "worst_at": (), "familiarity": None}
        self._keep({entry.name: facts}, folder)
        if written.path != entry.result_of(found.origin.model):
            self._tell(
                f"Another result of '{entry.name}' was edited and stays as it is: "
                f"'{found.layer.name}' is saved as '{written.path.name}'.",
                False,
            )
        layers = self._viewer.layers
        if found.layer in layers and found.image not in layers and is_saved(found.layer):
            layers.remove(found.layer)  # an edited one, which stayed open until it was safe

    def _fail(self, found: _Found, error: Exception) -> None:
        self._tell(f"What was found in '{found.entry.name}' is not saved: {error}", True)


def _write(found: _Found) -> _Written:
    """Write labels and where they come from; takes as long as the disk."""
    record = ResultRecord.from_dict(found.origin.record)
    digest, objects = labels_digest(found.labels), record.found.get("objects")
    if not found.as_made and objects is not None:
        objects = int(np.count_nonzero(np.unique(np.asarray(found.labels.data[...]))))
    known = digest if found.as_made else record.found.get("labels", "")
    path = _free(found)
    image = replace(record.image, path=_seen_from(path.parent, found.entry.image))
    record = replace(record, image=image, found={**record.found, "labels": known})
    make_folder(path.parent)
    data = found.labels.data
    with images.open_output(
        path,
        shape=data.shape,
        dtype=np.uint32,
        axes=found.labels.axes,
        pixel_size=found.labels.pixel_size,
        overwrite=True,
        labels=True,
    ) as output:
        for index in range(data.shape[0]):
            output[index] = np.asarray(data[index])
        output.record = record
    return _Written(path, digest, objects)


def _seen_from(folder: Path, image: Path) -> str:
    """Return the path of an image from a folder, so that both may move together."""
    try:
        return Path(os.path.relpath(image, folder)).as_posix()
    except ValueError:  # on another drive
        return image.as_posix()


def _free(found: _Found) -> Path:
    """Return a file that may be written: never one with labels that somebody has edited."""
    path = found.entry.result_of(found.origin.model)
    if not path.exists():
        return path
    try:
        with without_warnings():
            there = labels_digest(open_labels(path))
            record = read_record(path)
    except (UnetNapariError, OSError):  # nobody knows what it is
        return numbered(path)
    as_made = record is not None and record.found.get("labels", there) == there
    return path if as_made or there == found.origin.in_file else numbered(path)
