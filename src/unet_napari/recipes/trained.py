"""How a training is made again, from what lies beside its model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari import images
from unet_napari.errors import ImageError, ModelFileError, without_warnings
from unet_napari.labels.label_axes import labels_axes, labels_shape
from unet_napari.model.file import SUFFIX
from unet_napari.model.info import find_model
from unet_napari.recipes.paint_files import PaintFiles, common_background
from unet_napari.recipes.told import ImageFile, saved_as
from unet_napari.recipes.training import RepeatedTraining, TrainedPair
from unet_napari.training.budget import RISE_STEPS
from unet_napari.training.config import TrainConfig
from unet_napari.training.data.identity import fingerprint
from unet_napari.training.start.given import NOTHING
from unet_napari.training.state.state_file import read_state_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unet_napari.images import Image
    from unet_napari.training.state.state_head import PairHead, StateHead

__all__ = ["repeated_training"]

_MOST_WARMUP = 0.99  # share of the steps; it must be less than all of them


def repeated_training(state: Path) -> RepeatedTraining:
    """Return the recipe of the last training of a model; writes what was painted beside it.

    Images are read to see whether they still are what was trained on, so it may take a moment.

    Parameters
    ----------
    state
        State file beside the model.

    Raises
    ------
    ModelFileError
        If there is no such file, it is damaged, or of a version that did not keep what is needed.
    OutputError
        If what was painted cannot be written.
    """
    if not state.exists():
        raise ModelFileError(
            f"What '{state.stem}' was trained on is not beside it ('{state.name}' is missing), so "
            "its training cannot be told as code."
        )
    head = read_state_head(state)
    trained = [(n, image) for n, image in enumerate(head.images) if not image.removed]
    if not head.course or not all(image.axes for _, image in trained):
        raise ModelFileError(
            f"'{state.stem}' was trained by an older version, which did not keep all that is "
            "needed to train it again: train it once more."
        )
    background, paint = common_background(state, trained), PaintFiles(state)
    pairs = []
    for number, image in trained:
        labels, mask = paint.write(number, image, background)
        files = str(labels), None if mask is None else str(mask)
        pairs.append(TrainedPair(_image_file(image), *files))
    settings = _with_steps(head) | {"background_id": background}
    start = str(head.course["start"]["name"])
    remarks = list(_remarks(state, head))
    return RepeatedTraining(pairs, settings, start, f"{state.stem}{SUFFIX}", remarks)


def _with_steps(head: StateHead) -> dict[str, Any]:
    """Return the settings with the steps that were made in place of an end by the clock."""
    settings = TrainConfig.from_dict(head.config).to_dict()
    if not _by_clock(settings) and not head.course["stopped"]:
        return settings
    if settings["live"]:  # so that the rate rises over as many steps
        rise = RISE_STEPS * settings["warmup"] / head.step
        settings["warmup"] = round(min(_MOST_WARMUP, rise), 6)
    return settings | {"seconds": None, "epochs": None, "live": False, "steps": head.step}


def _by_clock(settings: Mapping[str, Any]) -> bool:
    return settings["steps"] is None and settings["epochs"] is None


def _image_file(image: PairHead) -> ImageFile:
    """Return the file of an image, and how it is read so that it is what was trained on."""
    channel = image.fixed.get("C")
    if image.source is not None and Path(image.source).exists():
        for axes in (None, image.image_axes):
            found = _opened(image.source, axes, channel)
            if found is not None and _is_same(found, image):
                size = dict(image.pixel_size)
                return ImageFile(
                    image.source, "", axes, channel, {} if _known(found, size) else size
                )
    path = saved_as(image.name)
    return ImageFile(path, image.name, image.image_axes, channel, dict(image.pixel_size))


def _opened(path: str, axes: str | None, channel: int | None) -> Image | None:
    try:
        with without_warnings():
            return images.read_image(path, axes=axes, channel=channel)
    except (ImageError, OSError):
        return None


def _is_same(found: Image, image: PairHead) -> bool:
    """Tell whether an image has the pixels that were trained on, along the same axes."""
    axes, shape = labels_axes(found), labels_shape(found)
    if _long(axes, shape) != _long(image.axes, image.shape):
        return False
    try:
        return fingerprint(found) == image.fingerprint
    except ImageError:
        return False


def _long(axes: str, shape: Sequence[int]) -> list[tuple[str, int]]:
    """Return the axes that are longer than 1, with their lengths."""
    return [(axis, size) for axis, size in zip(axes, shape, strict=True) if size > 1]


def _known(found: Image, wanted: Mapping[str, float]) -> bool:
    """Tell whether a file says the pixel size that was trained with."""
    known = found.pixel_size
    return all(math.isclose(known.get(a, 0.0), size, rel_tol=1e-9) for a, size in wanted.items())


def _remarks(state: Path, head: StateHead) -> Iterator[str]:
    """Say how like the first model the second one becomes, and why."""
    reasons = [*_other_course(head), *_other_start(state, head)]
    if reasons:
        yield from reasons
        yield "So the weights are not the same, but about as good."
        if _by_clock(head.config):
            yield "A training with Steps (under Network) can be made again bit for bit."
    else:
        torch = head.course["versions"]["torch"]
        yield (
            f"On the same kind of processor, with as many threads and torch {torch}, this gives "
            "the same weights, bit for bit."
        )


def _other_course(head: StateHead) -> Iterator[str]:
    course, steps = head.course, head.step
    if course["continued"]:
        yield "It was stopped and gone on with; here all steps are made in one go."
    if course["joined"]:
        yield "Paint changed while it was trained; here all of it is there from the first step."
    if _by_clock(head.config):
        yield (
            f"It went by the clock and made {steps:,} steps; here learning rate and choice of the "
            "best weights go by the steps."
        )
    elif course["stopped"]:
        yield f"It was stopped after {steps:,} steps; here the rate falls over these alone."
    if course["device"] != "cpu":
        yield "It was trained on a GPU, where no two trainings give the same weights."


def _other_start(state: Path, head: StateHead) -> Iterator[str]:
    start = head.course["start"]
    if start.get("scaled"):
        yield f"The start '{start['name']}' was brought to the scale of the cells; here it is not."
    if start["name"] == NOTHING:
        return
    try:
        file = find_model(start["name"])
    except ModelFileError:
        yield f"The model '{start['name']}' that it started from is gone: name its file instead."
        return
    begun = state.stat().st_mtime - head.seconds
    if file.resolve() == state.with_suffix(SUFFIX).resolve() or file.stat().st_mtime > begun:
        yield f"The model '{start['name']}' that it started from has changed since."
