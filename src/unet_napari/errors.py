"""The errors that a user can cause.

Every message names the thing that is wrong and what to do about it, in words that a
biologist understands. The docks and the command line show the message alone, without a
traceback; any other exception is a defect of ours and is shown as one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = [
    "EngineError",
    "ImageError",
    "LabelsError",
    "ModelFileError",
    "OutputError",
    "ResourceError",
    "SettingsError",
    "UnetNapariError",
    "UnetNapariWarning",
    "noting_warnings",
    "warn_user",
    "without_warnings",
]


class UnetNapariError(Exception):
    """Something the user can put right; the message says what and how."""


class ImageError(UnetNapariError):
    """An image that cannot be read, understood or used with this model."""


class LabelsError(UnetNapariError):
    """Labels that cannot be trained on."""


class ModelFileError(UnetNapariError):
    """A model file that is missing, damaged, hostile or too new."""


class OutputError(UnetNapariError):
    """A result that cannot be written where it was asked for."""


class SettingsError(UnetNapariError):
    """A setting outside its range, or two that contradict each other."""


class ResourceError(UnetNapariError):
    """Not enough memory or disk, or a device that is not there."""


class EngineError(UnetNapariError):
    """The engine process failed or died; the viewer is unharmed."""


class UnetNapariWarning(UserWarning):
    """The result is valid, but the user should know something about it."""


_noted: ContextVar[tuple[list[str], ...]] = ContextVar("_noted", default=())
_unsaid: ContextVar[tuple[str, ...]] = ContextVar("_unsaid", default=())


def warn_user(message: str, *, stacklevel: int = 1) -> None:
    """Issue a `UnetNapariWarning`, unless the caller runs in `without_warnings`.

    Parameters
    ----------
    message
        What the user should know.
    stacklevel
        Caller that the warning names, as in `warnings.warn`; 1 is the caller of this function.

    Warns
    -----
    UnetNapariWarning
        With the message.
    """
    if not any(phrase in message for phrase in _unsaid.get()):
        for notes in _noted.get():
            notes.append(message)
        warnings.warn(message, UnetNapariWarning, stacklevel=stacklevel + 1)


@contextmanager
def noting_warnings() -> Iterator[list[str]]:
    """Note our own warnings of the block, in this thread, besides issuing them.

    Yields
    ------
    list of str
        The messages so far.
    """
    notes: list[str] = []
    token = _noted.set((*_noted.get(), notes))
    try:
        yield notes
    finally:
        _noted.reset(token)


@contextmanager
def without_warnings(*phrases: str) -> Iterator[None]:
    """Leave out our own warnings that hold one of some phrases, in this thread only.

    `warnings.catch_warnings` would do so for all threads, and two threads that use it at once
    may leave the filters of one to the other, for good. napari uses it in Qt's thread.

    Parameters
    ----------
    phrases
        Parts of messages; without any, all messages are left out.
    """
    token = _unsaid.set(_unsaid.get() + (phrases or ("",)))
    try:
        yield
    finally:
        _unsaid.reset(token)
