"""The folded fields that both docks have."""

from magicgui.widgets import ComboBox, LineEdit

from unet_napari._napari.widgets.fields import choice, optional

__all__ = ["axes_field", "device_choice"]


def axes_field() -> LineEdit:
    """Return the field for the axes of the image."""
    return optional(
        "axes",
        "The axes of the image, such as ZYX or TYX, where they are guessed wrong:\n"
        "T time, C channel, Z depth, Y height, X width.",
    )


def device_choice() -> ComboBox:
    """Return the choice of what computes."""
    return choice(
        "device",
        [("automatic", "auto"), ("CPU", "cpu"), ("NVIDIA GPU", "cuda"), ("Apple GPU", "mps")],
        "What computes. Automatic: a GPU if there is one.",
    )
