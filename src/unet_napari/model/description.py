"""A model in words: few lines, the score first, and nothing that was never set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unet_napari.networks.catalogue import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unet_napari.model.schema import ModelInfo

__all__ = ["describe_model"]

_SPATIAL_AXES = "ZYX"
# Parts of the provenance with a line of their own, or too long for one.
_NOT_DESCRIBED = ("score", "score_name", "settings", "chosen", "notes", "halo_tolerance")
_LISTED_ENTRIES = 4  # how many entries of a list are shown


def describe_model(info: ModelInfo, usual: Mapping[str, Any] | None = None) -> str:
    """Return a description of several lines, for ``unet-napari info`` and the docks.

    Parameters
    ----------
    info
        The model.
    usual
        Settings of a training that need no mention, such as ``TrainConfig().to_dict()``. Without
        it no settings are listed.
    """
    source = info.provenance
    lines = {
        "Score": _score_text(source),
        "Task": _phrase(_without_parts(info.task)),
        "Network": _network_text(info),
        "Channels": str(info.channels),
        "Pixel size": _pixel_size_text(info.pixel_size),
        "Halo": _halo_text(info),
    }
    if info.diameter is not None:
        lines["Objects"] = f"typically {info.diameter:.3g} px across"
    for key, value in source.items():
        if key not in _NOT_DESCRIBED and value is not False and _is_set(value):
            lines[_words(key).capitalize()] = _block(value)
    notes = source.get("notes")
    for key, value in notes.items() if isinstance(notes, dict) else ():
        lines.setdefault(_words(key).capitalize(), _block(value))
    settings = source.get("settings")
    if usual is not None and isinstance(settings, dict):
        lines["Settings"] = _phrase(_unusual(settings, usual)) or "all as usual"
    return "\n".join([info.name, *(_line(title, text) for title, text in lines.items())])


def _line(title: str, text: str) -> str:
    first = f"  {title + ':':<14}"
    return first + text.replace("\n", "\n" + " " * len(first))


def _block(value: object) -> str:
    """Put a JSON value into words, each record of a list on a line of its own."""
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        return _phrase(value)
    more = len(value) - _LISTED_ENTRIES
    return "\n".join(
        [*map(_phrase, value[:_LISTED_ENTRIES]), *([f"and {more:,} more"] if more > 0 else [])]
    )


def _phrase(value: object) -> str:
    """Put a JSON value into words, without what is not set: ``cells, seed threshold 0.5``."""
    if isinstance(value, dict):
        said = {key: part for key, part in value.items() if _is_set(part)}
        named = [str(said.pop("name"))] if "name" in said else []
        return ", ".join(
            [*named, *(f"{_words(key)} {_phrase(part)}" for key, part in said.items())]
        )
    if isinstance(value, list | tuple):
        if all(isinstance(part, int | float) for part in value):
            return f"({', '.join(map(_phrase, value))})"
        return "; ".join(map(_phrase, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str) and len(value) == 64 and value.isalnum():
        return f"{value[:12]}…"  # a hash: enough to compare by eye
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _is_set(value: object) -> bool:
    return value is not None and value not in ("", [], {})


def _without_parts(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the task's own settings; how it was trained is left to the file."""
    return {key: value for key, value in task.items() if not isinstance(value, dict)}


def _unusual(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that differ from the usual ones."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        other = usual.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            value = _unusual(value, other)
        if value != other and value not in (None, {}):
            found[key] = value
    return found


def _network_text(info: ModelInfo) -> str:
    features = info.network["options"].get("features")
    preset = [f" ({name})" for name, counts in PRESETS.items() if features == list(counts)]
    name = info.network["name"] + "".join(preset)
    return f"{name}, {info.ndim}D, {info.parameters:,} parameters"


def _pixel_size_text(sizes: Mapping[str, float]) -> str:
    known = [f"{axis} {sizes[axis]:g}" for axis in _SPATIAL_AXES if axis in sizes]
    return ", ".join(known) + " µm" if known else "unknown"


def _halo_text(info: ModelInfo) -> str:
    if info.halo is None:
        return "not measured"
    size = " x ".join(map(str, info.halo)) + " px"
    tolerance = info.provenance.get("halo_tolerance")
    return (
        size if tolerance is None else f"{size} (measured: beyond, less than {tolerance:g} moves)"
    )


def _score_text(provenance: Mapping[str, Any]) -> str:
    score = provenance.get("score")
    if not isinstance(score, int | float):
        return "none: too few labels to judge"
    return f"{score:.3f} ({provenance.get('score_name', 'on validation data')})"


def _words(key: str) -> str:
    return key.replace("_", " ")
