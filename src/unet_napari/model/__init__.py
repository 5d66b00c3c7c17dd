"""Models: what they are, the file that holds one, and the list of those that there are.

It may import `networks`, `tasks`, `images` and `system`. `info` and `schema` work without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unet_napari._lazy import lazy

if TYPE_CHECKING:
    from unet_napari.model.model import Model

__all__ = ["Model"]

__getattr__, __dir__ = lazy(__name__, {"Model": "model"})
