"""What a training was painted with, as files that stay as they are."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.collection.paint_file import PaintTarget, PaintToSave
from unet_napari.errors import OutputError
from unet_napari.labels.sparse import SparseArray
from unet_napari.model.names import PAINT_SUFFIX
from unet_napari.recipes.told import saved_as
from unet_napari.training.state.state_file import painted_in_state

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from unet_napari.training.state.state_head import PairHead

__all__ = ["PaintFiles", "common_background"]

_LARGEST_TIFF = 2**30  # pixels; of a larger image a zarr holds what is painted, and not the rest
_DIGITS = 8  # of the hash in the name of a file


class PaintFiles:
    """The folder of a model's paint; a file is named by its content and never changed.

    So a program that was copied before another training still trains on what it was copied for.

    Parameters
    ----------
    state
        State file of the training, beside whose model the folder lies.

    Attributes
    ----------
    folder : Path
        The folder.
    """

    def __init__(self, state: Path) -> None:
        self._state, self.folder = state, state.with_suffix(PAINT_SUFFIX)

    def write(
        self, number: int, image: PairHead, background: int | None
    ) -> tuple[Path, Path | None]:
        """Write what was painted on an image, unless it is there already.

        Parameters
        ----------
        number, image
            The image in the state.
        background
            Label number that background gets.

        Returns
        -------
        tuple of Path and Path or None
            The labels, and the mask of where everything is painted, if there is one.

        Raises
        ------
        ModelFileError
            If the state cannot be read.
        OutputError
            If a file cannot be written.
        """
        labels, annotated = painted_in_state(self._state, number)
        dtype: DTypeLike = labels.dtype
        if background is not None and background > np.iinfo(labels.dtype).max:
            dtype = np.uint32
        known = image.background if background is not None else ()
        mapped = SparseArray(labels.shape, dtype)
        for box in labels.boxes():
            block = labels[box.to_slices()].astype(dtype)
            mapped.put(box, np.where(np.isin(block, known), background or 0, block).astype(dtype))
        name = saved_as(image.name).removesuffix(".tif")
        written = self._written(f"{name}-labels", mapped, image)
        if annotated is None:
            return written, None
        mask = SparseArray(annotated.shape, np.uint8)
        for box in annotated.boxes():
            mask.put(box, annotated[box.to_slices()].astype(np.uint8))
        return written, self._written(f"{name}-complete", mask, image)

    def _written(self, name: str, pixels: SparseArray, image: PairHead) -> Path:
        suffix = ".tif" if math.prod(pixels.shape) <= _LARGEST_TIFF else ".zarr"
        path = self.folder / f"{name}-{_digest(pixels)[:_DIGITS]}{suffix}"
        if not path.exists():
            try:
                self.folder.mkdir(exist_ok=True)
            except OSError as error:
                raise OutputError(f"'{self.folder}' cannot be made: {error.strerror}.") from error
            PaintTarget(path, None).save(PaintToSave(pixels, image.axes, image.pixel_size))
        return path


def common_background(state: Path, images: Sequence[tuple[int, PairHead]]) -> int | None:
    """Return one label number for the background of all images; None where none is painted.

    It is the one that they have in common, or else one above all numbers.

    Raises
    ------
    ModelFileError
        If the state cannot be read.
    """
    numbers = {number for _, image in images for number in image.background}
    if not numbers:
        return None
    highest, taken = 0, len(numbers) > 1
    for number, image in images:
        labels, _ = painted_in_state(state, number)
        for box in labels.boxes():
            block = labels[box.to_slices()]
            highest = max(highest, int(block.max()))
            taken |= bool(np.isin(block, list(numbers - set(image.background))).any())
    return max(highest, *numbers) + 1 if taken else next(iter(numbers))


def _digest(pixels: SparseArray) -> str:
    """Return a hash of an array, whatever the type of its numbers is."""
    digest: Any = hashlib.sha256(str(pixels.shape).encode())
    for box in pixels.boxes():
        digest.update(str(box.spans).encode())
        digest.update(np.ascontiguousarray(pixels[box.to_slices()], "<u4").tobytes())
    return str(digest.hexdigest())
