"""Images: their axes and pixel size, read when needed, written whole, brought to one scale."""

from unet_napari.images.axes import AXES, guess_axes, parse_axes
from unet_napari.images.image import Image, LazyArray, as_image
from unet_napari.images.normalise import Normalisation, Statistics
from unet_napari.images.read import read_image
from unet_napari.images.synthetic import nuclei
from unet_napari.images.write import Output, check_output, open_output

__all__ = [
    "AXES",
    "Image",
    "LazyArray",
    "Normalisation",
    "Output",
    "Statistics",
    "as_image",
    "check_output",
    "guess_axes",
    "nuclei",
    "open_output",
    "parse_axes",
    "read_image",
]
