"""What all configs have in common: checks of their fields, and the way to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from unet_napari.errors import SettingsError
from unet_napari.options.option import OptionError, options_of
from unet_napari.records import Record

__all__ = ["Config"]


class Config(Record):
    """Base of the configs: checks every field, and makes JSON-able values of them.

    A config is a frozen dataclass, each of whose fields has an `Option` in its annotation::

        @dataclass(frozen=True)
        class MyConfig(Config):
            strength: Annotated[float, Option(help="...", group="...", range=Range(0, 1))] = 0.5

    Raises
    ------
    OptionError
        If a field has a value outside its range, or two fields exclude each other.
    """

    prefix: ClassVar[str] = ""  # stands before the names of the fields in messages

    def __post_init__(self) -> None:
        """Check each field by itself, and with those that it excludes."""
        fields = options_of(type(self))
        for name, field in fields.items():
            value = getattr(self, name)
            if field.kind == "sizes" and isinstance(value, list):
                value = tuple(value)
            elif isinstance(field.default, Config) and isinstance(value, Mapping):
                value = type(field.default).from_dict(value)
            object.__setattr__(self, name, value)
            field.check(value, self.prefix + name)
        given = [name for name, field in fields.items() if getattr(self, name) != field.default]
        for name in given:
            for other in fields[name].option.excludes:
                if other in given:
                    raise OptionError((name, other), "exclude each other: give only one of them.")

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Self:
        """Make the settings again from `to_dict`.

        Raises
        ------
        SettingsError
            If there is a name that no field has, or a value outside its range.
        """
        unknown = [cls.prefix + name for name in sorted(set(settings) - set(options_of(cls)))]
        if unknown:
            raise SettingsError(f"There is no setting called {', '.join(unknown)}.")
        return cls(**settings)
