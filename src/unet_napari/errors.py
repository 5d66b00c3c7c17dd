"""The errors that a user can cause.

Every message names the thing that is wrong and what to do about it, in words that a
biologist understands. The docks and the command line show the message alone, without a
traceback; any other exception is a defect of ours and is shown as one.
"""

from __future__ import annotations

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
