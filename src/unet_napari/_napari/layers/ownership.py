"""The owner of a result layer: we, as long as nobody has touched it, and then the user.

A layer remembers in its metadata what it was made for, which layer it is itself (copied metadata
make no layer ours), what its pixels were when we last wrote them, and whether it was edited.
"""

import itertools
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, runtime_checkable
from weakref import WeakSet

import numpy as np
from napari.utils.events import Event

from napari.layers import Labels, Layer
from unet_napari._napari.layers.layer_axes import array_of

__all__ = [
    "Chooser",
    "RegionChooser",
    "ResultOrigin",
    "age",
    "choosers",
    "fingerprint_of",
    "highest_noted",
    "is_as_made",
    "is_made_for",
    "is_result",
    "is_saved",
    "is_unedited",
    "is_untouched",
    "mark",
    "ndim_noted",
    "note_highest",
    "note_ndim",
    "note_origin",
    "note_purpose",
    "note_saved",
    "note_warnings",
    "origin_noted",
    "pixels_noted",
    "seal",
    "writing",
]

_KEY = "unet-napari"  # in a layer's metadata
_BLOCK = 1 << 18  # bytes that are looked at in one place of a large array
_BLOCKS = 64  # number of such places; a smaller array is looked at as a whole

_numbers = itertools.count(1)  # for the results, in the order in which they are made
_ours: WeakSet[Layer] = WeakSet()  # layers that we are writing to


class Chooser(Protocol):
    """A part of a dock in which the user chooses layers as an input, such as *Labels* of Train."""

    def chosen_layers(self) -> Collection[Layer]:
        """Return the layers that are chosen now."""


@runtime_checkable
class RegionChooser(Chooser, Protocol):
    """A `Chooser` in which regions go with chosen labels, such as *Complete in* of Train."""

    def regions_of(self, labels: Layer) -> Layer | None:
        """Return the layer of shapes around what is painted completely in some labels."""


class ResultOrigin(NamedTuple):
    """Where the labels of a whole image come from.

    Attributes
    ----------
    record : mapping
        ``ResultRecord.to_dict()``.
    model : str
        Name or path of the model.
    in_file : str
        Hash of the labels as they are in their file; empty where they are in none.
    """

    record: Mapping[str, Any]
    model: str
    in_file: str = ""


choosers: WeakSet[Any] = WeakSet()
"""Every `Chooser` there is; what is chosen in one of them is never written to."""


def mark(layer: Layer, made_for: dict[str, str]) -> None:
    """Make a new layer a result of ours, and take note of every edit from now on."""
    identity = {"layer": str(layer.unique_id), "number": next(_numbers)}
    _remember(layer, {**made_for, **identity, "edited": False})
    seal(layer)
    layer.events.data.connect(_note_edit)
    if isinstance(layer, Labels):
        layer.events.paint.connect(_note_edit)
        layer.events.labels_update.connect(_note_edit)


def is_made_for(layer: Layer, made_for: dict[str, str]) -> bool:
    """Tell whether a layer is a result of ours, whoever has edited it since; copies are not."""
    record = layer.metadata.get(_KEY, {})
    wanted = {**made_for, "layer": str(layer.unique_id)}
    return all(record.get(name) == value for name, value in wanted.items())


def is_result(layer: Layer) -> bool:
    """Tell whether a layer is a result of ours as we wrote it; copies and edited ones are not."""
    record = layer.metadata.get(_KEY, {})
    return record.get("layer") == str(layer.unique_id) and not record["edited"]


def age(layer: Layer) -> int:
    """Return a number that sorts results, the newest first."""
    return -int(layer.metadata[_KEY]["number"])


def is_unedited(layer: Layer) -> bool:
    """Tell whether a layer is a result of ours that nobody but us has written to."""
    record = layer.metadata.get(_KEY, {})
    ours = is_made_for(layer, {}) and not record.get("edited", True)
    return ours and record.get("pixels") == _fingerprint(layer)


def is_untouched(layer: Layer) -> bool:
    """Tell whether nobody but us has written to a result of ours, or has chosen it as an input."""
    if not is_unedited(layer):
        return False
    return not any(layer is chosen for chooser in choosers for chosen in chooser.chosen_layers())


def note_highest(layer: Layer, number: int) -> None:
    """Remember that no label of a result is higher."""
    _remember(layer, {"highest": number})


def highest_noted(layer: Layer) -> int:
    """Return the highest label that a result may have; 0 if that was not noted."""
    return int(layer.metadata[_KEY].get("highest", 0))


def note_purpose(layer: Layer, key: str) -> None:
    """Give a result another purpose, because its model has got another file."""
    _remember(layer, {"purpose": key})


def note_ndim(layer: Layer, ndim: int) -> None:
    """Remember along how many axes of space an object of a result may reach."""
    if layer.metadata[_KEY].get("ndim") != ndim:
        _remember(layer, {"ndim": ndim})


def ndim_noted(layer: Layer) -> int:
    """Return along how many axes of space an object of a result may reach; 3 if not noted."""
    return int(layer.metadata[_KEY].get("ndim", 3))


def note_warnings(
    layer: Layer, warnings: Sequence[str], unfamiliar: str | None, diameter: float | None = None
) -> None:
    """Keep with a result what was warned of when it was made, and how unlike its image is.

    The diameter is the one that the image was scaled for, in pixels, where that was found out.
    """
    facts = {"warnings": list(warnings), "unfamiliar": unfamiliar, "diameter": diameter}
    _remember(layer, facts)


def note_origin(layer: Layer, origin: ResultOrigin) -> None:
    """Remember where the labels of a whole image come from, as they are now."""
    _remember(layer, {"origin": origin, "made": _fingerprint(layer)})


def note_saved(layer: Layer, digest: str, pixels: int | None) -> None:
    """Remember that the labels of a layer are in a file, with a hash of those in the file."""
    facts: dict[str, Any] = {"saved": pixels}
    if (origin := origin_noted(layer)) is not None:
        facts["origin"] = origin._replace(in_file=digest)
    _remember(layer, facts)


def origin_noted(layer: Layer) -> ResultOrigin | None:
    """Return where the labels of a whole image come from; None where that was not noted."""
    origin: ResultOrigin | None = layer.metadata.get(_KEY, {}).get("origin")
    return origin


def is_as_made(layer: Layer) -> bool:
    """Tell whether the labels of a layer are those that the origin that was noted is of."""
    made = layer.metadata.get(_KEY, {}).get("made")
    return origin_noted(layer) is not None and is_unedited(layer) and made == pixels_noted(layer)


def is_saved(layer: Layer) -> bool:
    """Tell whether the labels of a layer are those that were saved."""
    record = layer.metadata.get(_KEY, {})
    return "saved" in record and record["saved"] == _fingerprint(layer)


def fingerprint_of(layer: Layer) -> int | None:
    """Return a number that changes with the pixels; None where they take long to read."""
    return _fingerprint(layer)


def seal(layer: Layer) -> None:
    """Remember that the pixels of a result, as they are now, were written by us."""
    _remember(layer, {"pixels": _fingerprint(layer)})


def pixels_noted(layer: Layer) -> int | None:
    """Return a number that differs where a result was written anew; None if nothing tells it."""
    number: int | None = layer.metadata.get(_KEY, {}).get("pixels")
    return number


@contextmanager
def writing(layer: Layer) -> Iterator[None]:
    """Write to a result of ours within the block."""
    _ours.add(layer)
    try:
        yield
    finally:
        _ours.discard(layer)
    seal(layer)


def _note_edit(event: Event) -> None:
    layer = event.source
    if layer not in _ours and not layer.metadata[_KEY].get("edited"):
        _remember(layer, {"edited": True})


def _remember(layer: Layer, facts: dict[str, Any]) -> None:
    # The metadata are never changed in place, because a duplicate of the layer shares them.
    layer.metadata = {**layer.metadata, _KEY: {**layer.metadata.get(_KEY, {}), **facts}}


def _fingerprint(layer: Layer) -> int | None:
    """Return a number that changes with the pixels, because a script may write without an event.

    Of an array of more than 16 MiB, only places spread over it are looked at. The number is None
    for arrays that take long to read, such as the labels in a file, which are never written to.
    """
    array = array_of(layer)
    if not isinstance(array, np.ndarray):
        return None
    array = array.transpose(np.argsort([-stride for stride in array.strides], kind="stable"))
    if not array.flags.c_contiguous:
        return None
    pixels = array.reshape(-1).view(np.uint8).data
    if len(pixels) <= _BLOCK * _BLOCKS:
        return zlib.crc32(pixels)
    number = 0
    for start in np.linspace(0, len(pixels) - _BLOCK, _BLOCKS).astype(int):
        number = zlib.crc32(pixels[start : start + _BLOCK], number)
    return number
