"""Whether an image suits a model, and what would be done with the two."""

from collections.abc import Mapping

from unet_napari.defaults import unfamiliar_pixels
from unet_napari.images import Image
from unet_napari.images.axes import describe_shape
from unet_napari.images.colours import has_all_colours
from unet_napari.model.info import ModelInfo
from unet_napari.tasks.kinds.catalogue import task_kind

__all__ = ["describe_fit", "misfit", "pixel_size_text", "size_factor"]


def misfit(image: Image, info: ModelInfo) -> str:
    """Return why a model cannot segment an image, naming both; "" if it can."""
    if not has_all_colours(image, info.channels):
        takes = f"'{info.name}' takes images of {_channels(info.channels)}, but"
        if "C" in image.fixed:
            return (
                f"{takes} channel {image.fixed['C']} of '{image.name}' alone is chosen. Leave "
                "Channel empty (under Data), or choose another model."
            )
        one = "a Channel (under Data), or " if info.channels == 1 else ""
        return (
            f"{takes} '{image.name}' has {_channels(image.channels)}. Choose {one}another model or "
            "image."
        )
    if info.ndim > image.ndim:
        return (
            f"'{info.name}' is a 3D model and needs a stack, but '{image.name}' is a single "
            "slice. Choose a 2D model."
        )
    return ""


def describe_fit(image: Image, info: ModelInfo, *, slicewise: bool = False) -> str:
    """Say what is going to happen: axes, slices, and pixel sizes that differ.

    Parameters
    ----------
    image : Image
    info : ModelInfo
    slicewise : bool
        Whether a 2D model shall keep the slices of a stack apart.
    """
    parts = [f"{image.axes}, {describe_shape(image.shape)}", f"{info.ndim}D model"]
    if "C" in image.fixed:
        parts.append(f"channel {image.fixed['C']}")
    if image.frames > 1:
        parts.append(f"{image.frames} time points")
    if info.ndim < image.ndim:
        joined = task_kind(info.task["name"]).separates_objects and not slicewise
        parts.append("slices become 3D cells" if joined else "slice by slice")
    line = ", ".join(parts)
    axes = image.spatial_axes[-info.ndim :]
    factor = unfamiliar_pixels(image.pixel_size, info.pixel_size, axes)
    if factor is None:
        return line
    return (
        f"{line}. Pixels of {pixel_size_text(image.pixel_size)}, {factor:.3g} times as large as "
        f"those of {pixel_size_text(info.pixel_size)} that the model was trained at: tick Rescale, "
        "under Data."
    )


def size_factor(image: Mapping[str, float], model: Mapping[str, float]) -> float | None:
    """Return how many pixels of the image one of the model's is across; None if unknown."""
    if "X" not in image or "X" not in model:
        return None
    return model["X"] / image["X"]


def pixel_size_text(pixel_size: Mapping[str, float]) -> str:
    """Write a pixel size: ``0.25 µm``, with the depth of a slice where that differs."""
    across = pixel_size.get("X", pixel_size.get("Y", 0.0))
    depth = pixel_size.get("Z", across)
    text = f"{across:.3g} µm"
    return text if depth == across else f"{text} (Z {depth:.3g} µm)"


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"
