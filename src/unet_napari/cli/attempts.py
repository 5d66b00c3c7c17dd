"""Many images in one command: all that can be done are, the others are listed at the end."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from unet_napari.errors import ResourceError, UnetNapariError
from unet_napari.system.memory import NO_MEMORY

__all__ = ["Attempts", "one_line"]

Item = TypeVar("Item")


class Attempts:
    """Tries each of several images and remembers which could not be done, and why.

    A single image that fails ends the command with its own message.

    Parameters
    ----------
    total : int
        Number of images.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self.failed: dict[str, str] = {}

    @contextmanager
    def trying(self, name: str) -> Iterator[None]:
        """Swallow what a user can put right, or too little memory, of one image of several."""
        try:
            yield
        except UnetNapariError as error:
            if self._total == 1:
                raise
            self.failed[name] = one_line(error)
        except (MemoryError, RuntimeError) as error:
            from unet_napari.system.device import is_out_of_memory

            if not is_out_of_memory(error):
                raise
            if self._total == 1:
                raise ResourceError(NO_MEMORY) from error
            self.failed[name] = NO_MEMORY

    def suitable(
        self, items: Sequence[Item], name: Callable[[Item], str], check: Callable[[Item], object]
    ) -> list[Item]:
        """Keep the items that pass a check, before any work; say which do not."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they come again with the work itself
            for item in items:
                with self.trying(name(item)):
                    check(item)
        self.announce()
        return [item for item in items if name(item) not in self.failed]

    def announce(self) -> None:
        """List, before the work, what failed already."""
        if self.failed:
            self._list(f"{len(self.failed)} of {self._total} images cannot be done")

    def report(self) -> int:
        """List what failed, and return the exit status: 1 if anything did."""
        if self.failed:
            self._list(f"{len(self.failed)} of {self._total} images were not done")
        return 1 if self.failed else 0

    def _list(self, title: str) -> None:
        print(f"\nunet-napari: {title}:", file=sys.stderr)
        alike: dict[str, list[str]] = {}  # names by reason: a full disk is told once
        for name, reason in self.failed.items():
            alike.setdefault(reason, []).append(name)
        for reason, names in alike.items():
            named = len(names) == 1 and not reason.startswith(names[0])
            lines = [f"{names[0]}: {reason}" if named else reason]
            lines += [f"  {name}" for name in names if len(names) > 1]
            print("\n".join(f"  {line}" for line in lines), file=sys.stderr)


def one_line(message: object) -> str:
    """Write a message without its line breaks."""
    return " ".join(str(message).split())
