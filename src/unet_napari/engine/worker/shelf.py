"""The maps of the last segmentation, for as long as nothing else needs their room."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from unet_napari.errors import EngineError
from unet_napari.inference.running.kept_maps import KeptMaps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unet_napari.model.model import Model

__all__ = ["SHELF", "Shelf"]


class Shelved(NamedTuple):
    """What is on the shelf: the maps, and the model that has made them, with its own thresholds."""

    maps: KeptMaps
    model: Model


class Shelf:
    """Room for the maps of one segmentation; those of the next one take their place."""

    def __init__(self) -> None:
        self._number = 0
        self._shelved: Shelved | None = None

    def clear(self) -> None:
        """Let go of the maps."""
        if self._shelved is not None:
            self._shelved.maps.close()
        self._shelved = None

    @contextmanager
    def filling(self, model: Model) -> Iterator[KeptMaps | None]:
        """Make room for the maps of a segmentation; what does not come to its end is not kept.

        None where the model has no thresholds.
        """
        self.clear()
        if not model.task.kind.separates_objects:
            yield None
            return
        self._number += 1
        self._shelved = Shelved(KeptMaps(), model)
        try:
            yield self._shelved.maps
        except BaseException:
            self.clear()
            raise
        if not self._shelved.maps.whole:
            self.clear()

    @property
    def number(self) -> int | None:
        """The number of the maps that are there; None if there are none."""
        return None if self._shelved is None else self._number

    def find(self, number: int) -> Shelved:
        """Return the maps of a number, and their model.

        Raises
        ------
        EngineError
            If they are not there any more.
        """
        if self._shelved is None or number != self._number:
            raise EngineError(
                "The probability maps of this result are not kept any more: segment the image "
                "again to change its thresholds."
            )
        return self._shelved


SHELF = Shelf()
"""The one of this process."""
