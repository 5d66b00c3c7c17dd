"""Dataclasses as plain values that JSON can hold, and back: strict on names and types.

This module may import only `unet_napari.checks` and `unet_napari.errors`.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, ClassVar, Literal, Self, Union

from unet_napari.checks import shorten
from unet_napari.errors import SettingsError

__all__ = ["Record"]


class Record:
    """Base of frozen dataclasses that travel in files, messages and settings.

    Attributes
    ----------
    record_name
        What messages call the dataclass, at the beginning of a sentence.
    """

    record_name: ClassVar[str] = "The record"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by their names as JSON holds them: lists in place of tuples."""
        return {item.name: _plain(getattr(self, item.name)) for item in _fields_of(type(self))}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make the dataclass from what `to_dict` returned; what is left out has its default.

        Parameters
        ----------
        values
            Values of the fields by their names. They may come out of a file nobody vouches for.

        Raises
        ------
        SettingsError
            For an unknown name, a missing value, or a value that has not the type of its field.
        """
        name = cls.record_name
        if not isinstance(values, Mapping):
            raise SettingsError(f"{name} must be names with values, not {shorten(values)}.")
        hints = _hints_of(cls)
        unknown = sorted(str(key)[:80] for key in values if key not in hints)
        if unknown:
            raise SettingsError(
                f"{name} has no setting {', '.join(unknown)[:200]}; it has {', '.join(hints)}."
            )
        missing = [
            item.name
            for item in _fields_of(cls)
            if item.name not in values and item.default is MISSING is item.default_factory
        ]
        if missing:
            raise SettingsError(f"{name} lacks {', '.join(missing)}.")
        return cls(**{key: _typed(key, hints[key], value) for key, value in values.items()})


_WORDS_FOR_ONE = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_WORDS_FOR_ONE[type(None)] = "none"
_WORDS_FOR_SEVERAL = {int: "whole numbers", float: "numbers", str: "texts"}
_HINTS: dict[type[Any], dict[str, Any]] = {}  # of the fields, by dataclass; evaluated once


class _NoFit(Exception):  # noqa: N818  never leaves this module
    """A value has not the type of its field."""


def _typed(name: str, hint: Any, value: object) -> Any:  # noqa: ANN401  any type
    """Return a value as its field holds it."""
    try:
        return _fitted(hint, value)
    except _NoFit:
        raise SettingsError(f"{name} must be {_words(hint)}, not {shorten(value)}.") from None


def _fitted(hint: Any, value: Any) -> Any:  # noqa: ANN401  any type
    if hint is Any:
        return value
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _fitted(arguments[0], value)
    if origin in (Union, types.UnionType):
        return _fitted_to_one(arguments, value)
    if origin is Literal:
        return _require(value, any(type(value) is type(a) and value == a for a in arguments))
    if origin is tuple:
        return _fitted_tuple(arguments, value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        _require(value, isinstance(value, Mapping))
        return {_fitted(arguments[0], k): _fitted(arguments[1], v) for k, v in value.items()}
    if isinstance(hint, type) and issubclass(hint, Record) and not isinstance(value, hint):
        return hint.from_dict(value)
    if hint is float:
        return _require(value, isinstance(value, int | float) and not isinstance(value, bool))
    if hint is int:
        return _require(value, isinstance(value, int) and not isinstance(value, bool))
    return _require(value, isinstance(value, hint))


def _fitted_to_one(hints: tuple[Any, ...], value: object) -> Any:  # noqa: ANN401
    for hint in hints:
        try:
            return _fitted(hint, value)
        except _NoFit:
            continue
    raise _NoFit


def _fitted_tuple(hints: tuple[Any, ...], value: object) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _NoFit
    if len(hints) == 2 and hints[1] is ...:
        return tuple(_fitted(hints[0], item) for item in value)
    _require(value, len(value) == len(hints))
    return tuple(_fitted(hint, item) for hint, item in zip(hints, value, strict=True))


def _require(value: Any, fits: bool) -> Any:  # noqa: ANN401
    if not fits:
        raise _NoFit
    return value


def _words(hint: Any) -> str:  # noqa: ANN401  any type
    """Say in plain words what a type is."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _words(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(map(_words, arguments))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple:
        return f"a list of {_WORDS_FOR_SEVERAL.get(arguments[0], 'values')}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "names with values"
    return _WORDS_FOR_ONE.get(hint, getattr(hint, "__name__", str(hint)))


def _plain(value: Any) -> Any:  # noqa: ANN401  any value of a field
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _fields_of(cls: type[Any]) -> tuple[Any, ...]:
    if not is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is not a dataclass")
    return fields(cls)


def _hints_of(cls: type[Any]) -> dict[str, Any]:
    """Return the types of the fields; other annotations may name what only a checker imports."""
    if cls in _HINTS:
        return _HINTS[cls]
    hints: dict[str, Any] = {}
    for item in _fields_of(cls):
        owner = next(
            base for base in cls.__mro__ if item.name in vars(base).get("__annotations__", {})
        )
        holder = types.SimpleNamespace(__annotations__={item.name: item.type})
        names = vars(sys.modules[owner.__module__])
        hints |= typing.get_type_hints(holder, names, include_extras=True)
    _HINTS[cls] = hints
    return hints
