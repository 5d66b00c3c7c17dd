"""Who carries out a function on the parts of something large: this process, or many others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Each", "each_here"]

Found = TypeVar("Found")


class Each(Protocol):
    """What carries out a function on items as `map` does: its results come in order."""

    def __call__(self, function: Callable[..., Found], /, *items: Iterable[Any]) -> Iterator[Found]:
        """Yield the results; the function and the items can be pickled."""


def each_here(function: Callable[..., Found], /, *items: Iterable[Any]) -> Iterator[Found]:
    """Carry out a function on items in this process, one after the other."""
    return map(function, *items)
