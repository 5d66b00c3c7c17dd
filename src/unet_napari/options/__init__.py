"""Options: each one is declared once, on the field of its config, and every door is made of that.

A *config* is a frozen dataclass of settings, such as ``InferenceConfig``. A *door* is a way in
which a user reaches them: Python, the command line, or a dock. Every field of a config is open to
Python; its `Option` says what the other doors need to know.
It may import `checks`, `errors` and `records`. It needs neither torch nor a window.
"""

from unet_napari.options.computing import HostConfig
from unet_napari.options.config import Config
from unet_napari.options.option import (
    ConfigField,
    Door,
    Option,
    OptionError,
    naming,
    options_of,
)
from unet_napari.options.reading import ReadingConfig

__all__ = [
    "Config",
    "ConfigField",
    "Door",
    "HostConfig",
    "Option",
    "OptionError",
    "ReadingConfig",
    "naming",
    "options_of",
]
