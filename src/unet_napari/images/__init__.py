"""Images: their axes and pixel size, read when needed, written whole, brought to one scale.

The names are imported on first use, because what reads files and measures brightness loads SciPy
and tifffile, which takes a second that the window would be held up for when a dock is opened.
It may import `system`; no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unet_napari._lazy import lazy

if TYPE_CHECKING:
    from unet_napari.images.axes import AXES, guess_axes, parse_axes
    from unet_napari.images.drift import Scale, measure_scale
    from unet_napari.images.image import Image, LazyArray
    from unet_napari.images.normalise import Normalisation, Statistics
    from unet_napari.images.read import as_image, read_image
    from unet_napari.images.synthetic import nuclei
    from unet_napari.images.write import BoxWriter, check_image_output, open_output

__all__ = [
    "AXES",
    "BoxWriter",
    "Image",
    "LazyArray",
    "Normalisation",
    "Scale",
    "Statistics",
    "as_image",
    "check_image_output",
    "guess_axes",
    "measure_scale",
    "nuclei",
    "open_output",
    "parse_axes",
    "read_image",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "AXES": "axes",
        "Image": "image",
        "LazyArray": "image",
        "Normalisation": "normalise",
        "BoxWriter": "write",
        "Scale": "drift",
        "Statistics": "normalise",
        "as_image": "read",
        "check_image_output": "write",
        "guess_axes": "axes",
        "measure_scale": "drift",
        "nuclei": "synthetic",
        "open_output": "write",
        "parse_axes": "axes",
        "read_image": "read",
    },
)
