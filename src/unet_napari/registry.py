"""Tables of the kinds of a thing, such as all losses, that name their code but do not load it.

Menus and checks need only the names, and must not load torch. So an entry of a table says as text
where its code is, ``"package.module:name"``, and the code is imported when it is first used.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

from unet_napari.errors import SettingsError

__all__ = ["Registry", "load_object"]


class Named(Protocol):
    """What a table needs of an entry."""

    @property
    def name(self) -> str:
        """Name by which the user chooses the entry."""


EntryType = TypeVar("EntryType", bound=Named)


class Registry(Mapping[str, EntryType], Generic[EntryType]):
    """Entries by their names, in the order in which they were added.

    Parameters
    ----------
    noun : str
        What an entry is called in messages, such as "network".
    entries : iterable
        The first entries.

    Raises
    ------
    ValueError
        If two entries have one name.
    """

    def __init__(self, noun: str, entries: Iterable[EntryType] = ()) -> None:
        self.noun = noun
        self._entries: dict[str, EntryType] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: EntryType) -> EntryType:
        """Add an entry and return it; code outside this package may do so, too.

        Raises
        ------
        ValueError
            If the name is taken, or is not a text without spaces.
        """
        name: object = entry.name
        if not isinstance(name, str) or not name or any(sign.isspace() for sign in name):
            raise ValueError(f"The name of a {self.noun} is a text without spaces, not {name!r}.")
        if name in self._entries:
            raise ValueError(
                f"There already is a {self.noun} named {name!r}: choose another name for this one."
            )
        self._entries[name] = entry
        return entry

    def remove(self, name: str) -> None:
        """Take an entry out again, as a test does with what it has added."""
        del self._entries[name]

    def find(self, name: object) -> EntryType:
        """Return the entry of a name that may come from a user or from a file.

        Raises
        ------
        SettingsError
            If there is no such entry; the message lists those that there are.
        """
        if not isinstance(name, str) or name not in self._entries:
            shown = str(name)[:60]
            raise SettingsError(
                f"There is no {self.noun} {shown!r}; there are {', '.join(self._entries)}."
            )
        return self._entries[name]

    def names(self) -> tuple[str, ...]:
        """Return the names as they are now."""
        return tuple(self._entries)

    def __getitem__(self, name: str) -> EntryType:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def load_object(implementation: str, what: str) -> Any:  # noqa: ANN401  any object of a module
    """Import the object that an entry names.

    Parameters
    ----------
    implementation : str
        ``"package.module:name"``.
    what : str
        What names it, for the message: "the network 'unet'".

    Raises
    ------
    ImportError
        If there is no such module, or no such object in it.
    """
    module, colon, name = implementation.partition(":")
    if not colon:
        raise ImportError(
            f"{what} names its code as {implementation!r}: write it as 'package.module:name'."
        )
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, but something that it imports is not installed
        raise ImportError(
            f"{what} is said to be in the module {module!r}, which does not exist: write that "
            "module, or correct the entry of the table."
        ) from error
    if not hasattr(loaded, name):
        raise ImportError(
            f"{what} is said to be {name!r} in the module {module!r}, which defines no such name: "
            "define it there, or correct the entry of the table."
        )
    return getattr(loaded, name)
