"""What a user is told of a field of a config, and what the annotations of all fields say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from weakref import WeakKeyDictionary

from unet_napari.checks import Range, is_integer, is_number, shorten
from unet_napari.errors import SettingsError

__all__ = ["ConfigField", "Door", "Option", "OptionError", "naming", "options_of"]

Kind: TypeAlias = Literal[
    "switch", "choice", "whole", "number", "sizes", "text", "file", "scene", "table"
]


_ANY_NUMBER = Range()


class Door(Enum):
    """A way in which a user reaches an option, besides Python, which has all of them."""

    COMMAND_LINE = "command line"
    DOCK = "dock"


Texts: TypeAlias = tuple[tuple[object, str], ...]
"""Pairs of a value and what a dock calls it."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """What a user is told of a field of a config, and which values it may have.

    Attributes
    ----------
    help
        Whole sentences. The command line shows the first one, the documentation all of them.
    group
        Headline of the group that the option belongs to on the command line and in a dock.
    doors
        Doors through which the option can be reached.
    label
        What a dock calls it; by default the name of the field.
    tooltip
        What a dock says of it, in lines of at most 90 characters; by default `help`.
    texts
        What a dock calls each of its choices: pairs of a value and its text, or what returns
        them.
    unit
        Unit of a number. A dock shows ``"bytes"`` as gigabytes, ``"seconds"`` as minutes and
        ``"share"`` in percent; the command line takes ``2GiB`` and ``3min``.
    range
        The numbers that it may be.
    choices
        The values of a field whose type does not list them, or what returns them, so that a table
        that grows later is asked when somebody chooses.
    flags
        What the command line calls it; by default ``--`` and the name of the field.
    metavar
        What stands for the value in the help of the command line.
    excludes
        Names of other fields of the config that cannot be set together with this one.
    """

    help: str
    group: str
    doors: tuple[Door, ...] = tuple(Door)
    label: str = ""
    tooltip: str = ""
    texts: Texts | Callable[[], Texts] = ()
    unit: str = ""
    range: Range = _ANY_NUMBER
    choices: Sequence[object] | Callable[[], Sequence[object]] = ()
    flags: tuple[str, ...] = ()
    metavar: str = ""
    excludes: tuple[str, ...] = ()


class OptionError(SettingsError):
    """A setting that is wrong, or several that do not go together.

    Parameters
    ----------
    names : tuple of str
        The fields of the config; the message begins with them.
    problem : str
        The rest of the message.
    """

    def __init__(self, names: tuple[str, ...], problem: str) -> None:
        super().__init__(f"{' and '.join(names)} {problem}")
        self.names, self.problem = names, problem


@contextmanager
def naming(call: Callable[[str], str]) -> Iterator[None]:
    """Let an `OptionError` of the block call the options as its door does.

    Parameters
    ----------
    call
        Returns what the door calls the field of a config.
    """
    try:
        yield
    except OptionError as error:
        raise OptionError(tuple(map(call, error.names)), error.problem) from None


@dataclass(frozen=True)
class ConfigField:
    """One field of a config, as its annotation describes it.

    Attributes
    ----------
    name
        Name of the field.
    option
        What its annotation says of it.
    kind
        What kind of value it has: a truth value, one of several choices, a whole or any number,
        whole numbers along the axes, text, a file (or a truth value), the scene of a file (number
        or name), or several named values.
    optional
        Whether it may be None, which leaves the choice to the program.
    words
        Words that it may be in place of a number.
    default
        Its value where nobody sets it.
    """

    name: str
    option: Option
    kind: Kind
    optional: bool
    words: tuple[str, ...]
    default: Any
    _listed: tuple[object, ...]

    @property
    def choices(self) -> tuple[object, ...]:
        """The values that it may have, where they are listed."""
        choices = self.option.choices
        return self._listed or tuple(choices() if callable(choices) else choices)

    @property
    def texts(self) -> Texts:
        """What a dock calls each of its choices: pairs of a value and its text."""
        texts = self.option.texts
        return texts() if callable(texts) else texts

    @property
    def flags(self) -> tuple[str, ...]:
        """What the command line calls it; a switch that is on by default gets one for off."""
        off = "no-" if self.kind == "switch" and self.default else ""
        return self.option.flags or (f"--{off}{self.name.replace('_', '-')}",)

    @property
    def label(self) -> str:
        """What a dock calls it."""
        return self.option.label or self.name.replace("_", " ")

    @property
    def tooltip(self) -> str:
        """What a dock says of it."""
        return self.option.tooltip or self.option.help

    @property
    def expected(self) -> str:
        """What it must be, as it follows "must be"."""
        # A unit behind a 1 would stand in the plural, and a share has none.
        bare = self.option.unit == "share" or self.option.range.low == 1
        unit = "" if bare else self.option.unit
        numbers = " ".join(filter(None, (str(self.option.range), unit)))
        text = {
            "switch": "true or false",
            "choice": f"one of {', '.join(map(str, self.choices))}",
            "whole": f"a whole number {numbers}",
            "number": f"a number {numbers}",
            "sizes": f"one whole number {numbers} for each axis",
            "text": "text",
            "file": "true, false or the path of a file",
            "scene": "a number or a name",
            "table": "named values",
        }[self.kind].strip()
        return " or ".join([*filter(None, [", ".join(self.words)]), text])

    def accepts(self, value: object) -> bool:
        """Tell whether the field may have a value."""
        if value is None:
            return self.optional
        if isinstance(value, str) and value in self.words:
            return True
        within = self.option.range
        match self.kind:
            case "switch":
                return isinstance(value, bool)
            case "choice":
                return any(type(value) is type(one) and value == one for one in self.choices)
            case "whole":
                return is_integer(value, within)
            case "number":
                return is_number(value, within)
            case "sizes":
                return (
                    isinstance(value, tuple)
                    and len(value) > 0
                    and all(is_integer(size, within) for size in value)
                )
            case "text":
                return isinstance(value, str)
            case "file":
                return isinstance(value, bool | str)
            case "scene":
                return isinstance(value, str) or is_integer(value, within)
            case "table":
                return isinstance(value, Mapping) or dataclasses.is_dataclass(value)

    def check(self, value: object, name: str) -> None:
        """Raise `OptionError`, which calls the field `name`, if it may not have a value."""
        if not self.accepts(value):
            raise OptionError((name,), f"must be {self.expected}, not {shorten(value)}.")


def options_of(config: type[Any]) -> dict[str, ConfigField]:
    """Return what the annotations of a config say of each of its fields, in their order.

    Raises
    ------
    TypeError
        If a field has no `Option`, or a type that no door can show. That is a mistake in the
        program, which every test that makes the config finds.
    """
    if config not in _known_fields:
        _known_fields[config] = _fields_of(config)
    return _known_fields[config]


_known_fields: WeakKeyDictionary[type[Any], dict[str, ConfigField]] = WeakKeyDictionary()


def _fields_of(config: type[Any]) -> dict[str, ConfigField]:
    hints = get_type_hints(config, include_extras=True)
    found = {}
    for field in dataclasses.fields(config):
        default = field.default
        if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        found[field.name] = _described(
            f"{config.__name__}.{field.name}", hints[field.name], default
        )
    return found


_KINDS: dict[frozenset[object], Kind] = {
    frozenset([bool]): "switch",
    frozenset([int]): "whole",
    frozenset([float]): "number",
    frozenset([tuple]): "sizes",
    frozenset([str]): "text",
    frozenset([bool, str]): "file",
    frozenset([int, str]): "scene",
}


def _described(where: str, hint: Any, default: Any) -> ConfigField:  # noqa: ANN401
    options = [part for part in get_args(hint)[1:] if isinstance(part, Option)]
    if get_origin(hint) is not Annotated or len(options) != 1:
        raise TypeError(f"{where} needs one Option: Annotated[type, Option(help=..., group=...)].")
    kind_hint, option = get_args(hint)[0], options[0]
    parts = get_args(kind_hint) if get_origin(kind_hint) in (Union, UnionType) else (kind_hint,)
    listed = [value for part in parts if get_origin(part) is Literal for value in get_args(part)]
    types = {
        get_origin(part) or part
        for part in parts
        if get_origin(part) is not Literal and part is not NoneType
    }
    kind = _KINDS.get(frozenset(types))
    if option.choices or not types:
        kind = "choice"
    elif types == {Mapping} or all(map(dataclasses.is_dataclass, types)):
        kind = "table"
    if kind is None:
        raise TypeError(f"{where} has a type that no door can show: {kind_hint}.")
    choices = tuple(listed) if kind == "choice" else ()
    words = () if choices else tuple(map(str, listed))
    name = where.rpartition(".")[2]
    return ConfigField(name, option, kind, NoneType in parts, words, default, choices)
