"""The options of the configs as arguments of a command: made, read and named in messages."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from unet_napari.cli.values import duration, integers, memory, scene, setting
from unet_napari.options import Config, ConfigField, Door, naming, options_of

__all__ = ["add_options", "given_options", "naming_flags", "shown_options"]

_GROUP_NOTES = {
    "Result": "cells are cut out as the model says, unless these say something else",
    "Computing": "the defaults suit nearly everybody",
    "Loss": "equations and sources: docs/guide/models/losses.md",
    "Network": "see docs/guide/models/networks.md; what is not given is chosen from the data",
    "Optimisation": "see docs/guide/training.md",
}


def shown_options(config: type[Config]) -> dict[str, ConfigField]:
    """Return the options of a config that the command line shows, by the names of their fields."""
    fields = options_of(config)
    return {name: f for name, f in fields.items() if Door.COMMAND_LINE in f.option.doors}


def add_options(
    parser: argparse.ArgumentParser, config: type[Config], *, required: Collection[str] = ()
) -> None:
    """Add the options of a config to the parser of a command, group by group.

    What is not given is None, so that the config alone knows the defaults.

    Parameters
    ----------
    parser
        The parser of the command.
    config
        The config; its fields must have other names than the arguments that there are already.
    required
        Names of the fields that the user must give.
    """
    groups = {group.title: group for group in parser._action_groups}  # no public name for them
    exclusive: list[tuple[set[str], argparse._MutuallyExclusiveGroup]] = []
    for name, field in shown_options(config).items():
        title = field.option.group
        if title not in groups:
            groups[title] = parser.add_argument_group(title, _GROUP_NOTES.get(title))
        place: argparse._ActionsContainer = groups[title]
        for names, group in exclusive:
            if name in names:
                place = group
        if field.option.excludes and place is groups[title]:
            alone = place.add_mutually_exclusive_group()
            exclusive.append(({name, *field.option.excludes}, alone))
            place = alone
        text = _help_text(field, default=name not in required)
        action = place.add_argument(*field.flags, dest=name, help=text, **_keywords(field))
        action.required = name in required


def given_options(arguments: argparse.Namespace, config: type[Config]) -> dict[str, Any]:
    """Return the options of a config that were given, by the names of their fields."""
    values = {name: getattr(arguments, name) for name in shown_options(config)}
    fields = options_of(config)
    return {
        name: dict(value) if fields[name].kind == "table" else value
        for name, value in values.items()
        if value is not None
    }


@contextmanager
def naming_flags(*configs: type[Config]) -> Iterator[None]:
    """Let the messages of the block call the options of some configs by their flags."""
    flags: dict[str, str] = {}
    for config in configs:
        for name, field in shown_options(config).items():
            flags[name] = field.flags[0]
            if isinstance(field.default, Config):
                inner = type(field.default)
                for key in options_of(inner):
                    flags[inner.prefix + key] = f"{field.flags[0]} {key}"
    with naming(lambda name: flags.get(name, name)):
        yield


def _help_text(field: ConfigField, *, default: bool) -> str:
    """Return the first sentence of the help, and the default where it says something."""
    first, point, _ = field.option.help.partition(". ")
    text = first + "." if point else first
    if field.kind == "table":
        text = f"{text} Repeatable."
    elif default and field.kind != "switch" and field.default not in (None, False):
        text = f"{text.removesuffix('.')} (default: {field.default})."
    return text.replace("%", "%%")


def _keywords(field: ConfigField) -> dict[str, Any]:
    """Return how argparse shall read the option."""
    shown = {"metavar": field.option.metavar} if field.option.metavar else {}
    match field.kind:
        case "switch":
            return {"action": "store_const", "const": not field.default}
        case "choice":
            kind = type(field.choices[0])
            return {"type": kind, "choices": field.choices}
        case "file":
            return {"nargs": "?", "const": True, **shown}
        case "table":
            return {"type": setting, "action": "append", "metavar": "KEY=VALUE", **shown}
        case "sizes":
            return {"type": integers, "metavar": "auto|N,N,N", **shown}
        case "scene":
            return {"type": scene, "metavar": "N|NAME", **shown}
        case "text":
            return shown
        case "whole" | "number":
            return _number_keywords(field) | shown


def _number_keywords(field: ConfigField) -> dict[str, Any]:
    if field.option.unit == "bytes":
        return {"type": memory, "metavar": "2GiB"}
    if field.option.unit == "seconds":
        return {"type": duration, "metavar": "3min"}
    metavar = {"share": "SHARE"}.get(field.option.unit, "N")
    kind = int if field.kind == "whole" else float
    if not field.words:
        return {"type": kind, "metavar": metavar}
    return {"type": _word_or_number(field, kind), "metavar": "|".join([*field.words, metavar])}


def _word_or_number(
    field: ConfigField, kind: Callable[[str], float]
) -> Callable[[str], str | float]:
    def convert(text: str) -> str | float:
        value: str | float = text
        if text not in field.words:
            try:
                value = kind(text)
            except ValueError:
                value = text
        if not field.accepts(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not {field.expected}")
        return value

    return convert
