"""What a model file says about its model, checked by hand. Free of torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from unet_napari.checks import Range, is_integer, is_number, is_text, shorten
from unet_napari.errors import ModelFileError, OutputError, SettingsError
from unet_napari.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FORMAT", "LARGEST_DESCRIPTION", "ModelInfo", "check_name", "encode_info", "parse_info"]

FORMAT = 1  # raised when an older unet-napari could misread what is saved

_TEXT_LENGTH = 10_000  # largest number of characters in any text
LARGEST_DESCRIPTION = 1 << 20  # bytes of the description, as text in UTF-8
_MOST_VALUES = 20_000  # largest number of values in the whole description
_LARGEST_DEPTH = 12  # deepest nesting of lists and objects
_MOST_CHANNELS = 4096
_SPATIAL_AXES = "ZYX"


@dataclass(frozen=True)
class ModelInfo(Record):
    """Everything about a model but its weights.

    Attributes
    ----------
    name
        What the user calls it: plain text, never a path.
    task
        The task's ``to_dict()``: its name, classes and decoding parameters.
    network
        ``{"name": ..., "options": {...}}``, what builds the network again.
    normalisation
        The normalisation's ``to_dict()``.
    channels
        Number of image channels it takes.
    ndim
        Number of spatial axes it works on, 2 or 3.
    parameters
        Number of trained weights.
    pixel_size
        Micrometres per axis letter of the training images; an unknown axis is absent.
    halo
        Measured context in pixels per spatial axis, see `Model`; None if never measured.
    diameter
        Typical diameter of the training objects, see `Model`; None if unknown.
    provenance
        Its origin: versions, training data, settings, validation score.
    format
        Version of the file format.
    """

    name: str
    task: dict[str, Any]
    network: dict[str, Any]
    normalisation: dict[str, Any]
    channels: int
    ndim: int
    parameters: int
    pixel_size: dict[str, float] = field(default_factory=dict)
    halo: tuple[int, ...] | None = None
    diameter: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT


def parse_info(text: str) -> ModelInfo:
    """Check the description in a model file, which is JSON, and return what it says.

    Raises
    ------
    ModelFileError
        If anything is not exactly as `ModelInfo` describes it, or the format is newer.
    """
    try:
        content = json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_unique_object
        )
    except RecursionError:
        raise ModelFileError("its description is nested too deeply") from None
    except ValueError as error:
        raise ModelFileError(f"its description is not valid JSON ({error})") from None
    if not isinstance(content, dict):
        raise ModelFileError("its description is not an object")
    _check_format(content.get("format"))
    _check_size(content)
    known = {item.name for item in fields(ModelInfo)}
    if content.keys() != known:
        missing, extra = sorted(known - content.keys()), sorted(content.keys() - known)
        raise ModelFileError(f"its description lacks {missing} and has {extra} in excess")
    for key, check in _CHECKS.items():
        if not check(content[key]):
            raise ModelFileError(
                f"its description has an impossible '{key}': {shorten(content[key])}"
            )
    if content["halo"] is not None:
        if len(content["halo"]) != content["ndim"]:
            raise ModelFileError(f"its halo has not {content['ndim']} numbers")
        content["halo"] = tuple(content["halo"])
    return ModelInfo(**content)


def encode_info(info: ModelInfo) -> str:
    """Return the description as JSON, after a check that `parse_info` will take it.

    Raises
    ------
    OutputError
        If `parse_info` would refuse it.
    """
    text = json.dumps(info.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        parse_info(text)
    except ModelFileError as error:
        raise OutputError(f"The model cannot be saved: {error}.") from error
    size = len(text.encode())
    if size > LARGEST_DESCRIPTION:
        raise OutputError(
            f"The model cannot be saved: its description has {size:,} bytes, but at most "
            f"{LARGEST_DESCRIPTION:,} are allowed. Shorten the notes."
        )
    return text


def check_name(name: str) -> None:
    """Raise `SettingsError` unless a model can be called so."""
    if not _is_name(name):
        raise SettingsError(
            f"A model's name is one line of at most 200 characters, not {shorten(name)}."
        )


def _check_format(value: object) -> None:
    if not is_integer(value, Range(1, 1 << 31)):
        raise ModelFileError("its description does not say which format it has")
    if value != FORMAT:
        raise ModelFileError(
            f"it has format {value}, made by a newer unet-napari; this one reads format "
            f"{FORMAT}: update unet-napari"
        )


def _check_size(content: object) -> None:
    """Bound depth, number and length of everything, without recursion."""
    waiting: list[tuple[object, int]] = [(content, 1)]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > _LARGEST_DEPTH:
            raise ModelFileError("its description is nested too deeply")
        if count > _MOST_VALUES:
            raise ModelFileError(f"its description holds more than {_MOST_VALUES:,} values")
        if isinstance(value, str) and not is_text(value, _TEXT_LENGTH):
            raise ModelFileError("its description holds a text that is too long or cannot be shown")
        if isinstance(value, float) and not is_number(value):  # 1e999
            raise ModelFileError("its description holds a number that is not finite")
        if isinstance(value, dict):
            waiting.extend((part, depth + 1) for pair in value.items() for part in pair)
        elif isinstance(value, list):
            waiting.extend((part, depth + 1) for part in value)


def _is_name(value: object) -> bool:
    return is_text(value, 200) and value != "" and value.isprintable()


def _is_network(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"name", "options"}
        and _is_name(value["name"])
        and isinstance(value["options"], dict)  # build_network checks each of them
    )


def _is_pixel_size(value: object) -> bool:
    return isinstance(value, dict) and all(
        axis in tuple(_SPATIAL_AXES) and _is_length(size) for axis, size in value.items()
    )


def _is_length(value: object) -> bool:
    return is_number(value, Range(0, 1e9, low_included=False, high_included=False))


def _is_halo(value: object) -> bool:
    return value is None or (
        isinstance(value, list) and all(is_integer(part, Range(0, 100_000)) for part in value)
    )


_CHECKS: Mapping[str, Callable[[object], bool]] = {
    "name": _is_name,
    "task": lambda value: isinstance(value, dict) and _is_name(value.get("name")),
    "network": _is_network,
    "normalisation": lambda value: isinstance(value, dict),
    "channels": lambda value: is_integer(value, Range(1, _MOST_CHANNELS)),
    "ndim": lambda value: is_integer(value, Range(2, 3)),
    "parameters": lambda value: is_integer(value, Range(1, 1 << 31)),
    "pixel_size": _is_pixel_size,
    "halo": _is_halo,
    "diameter": lambda value: value is None or _is_length(value),
    "provenance": lambda value: isinstance(value, dict),
}


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key is there twice")
    return content
