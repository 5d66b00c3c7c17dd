"""How strongly training patches are varied, each setting with its option. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from unet_napari.checks import Range
from unet_napari.options import Config, Door, Option

__all__ = ["AugmentConfig"]


_AT_LEAST_ZERO = Range(0)


def _option(help_text: str, unit: str = "", within: Range = _AT_LEAST_ZERO) -> Option:
    """Return an option that the command line takes as ``--augment NAME=VALUE``.

    The Train dock offers a few sets of values instead of single ones.
    """
    return Option(
        help=help_text,
        group="Augmentation",
        doors=(Door.COMMAND_LINE,),
        unit=unit,
        range=within,
        flags=("--augment",),
    )


@dataclass(frozen=True)
class AugmentConfig(Config):
    """How strongly patches are varied; intensities are those of a normalised image (about 0 to 1).

    Zero (or ``False``) turns a kind off.

    Raises
    ------
    SettingsError
        If a value is outside its range.
    """

    prefix: ClassVar[str] = "augment."

    # Exact and nearly free, and most microscopy has no preferred direction.
    flip: Annotated[bool, _option("Mirror along each axis.")] = True
    turn: Annotated[bool, _option("Turn by 90 degrees in planes of equal pixel size.")] = True

    # Patches that are not resampled keep the camera's own noise, which interpolation smooths away.
    resampled: Annotated[
        float,
        _option(
            "Share of the patches that are rotated, scaled and bent, in one pass.",
            within=Range(0, 1),
        ),
    ] = 0.5
    rotation: Annotated[
        float, _option("Largest angle of the rotation, either way.", "degrees", Range(0, 180))
    ] = 180.0
    scale: Annotated[
        float, _option("Sizes lie between 1 / (1 + scale) and 1 + scale times the true one.")
    ] = 0.25
    elastic: Annotated[
        float, _option("Standard deviation of the elastic displacement.", "pixels")
    ] = 2.0
    elastic_spacing: Annotated[
        float,
        _option("Distance between the nodes of the displacement field.", "pixels", Range(2)),
    ] = 32.0

    recoloured: Annotated[
        float,
        _option(
            "Share of the patches that each of the changes of intensity is applied to.",
            within=Range(0, 1),
        ),
    ] = 0.5
    brightness: Annotated[
        float, _option("Standard deviation of the offset that is added to the intensities.")
    ] = 0.1
    contrast: Annotated[
        float, _option("Factors of the contrast lie between 1 / (1 + contrast) and 1 + contrast.")
    ] = 0.25
    gamma: Annotated[
        float, _option("Exponents of the intensities lie between 1 / (1 + gamma) and 1 + gamma.")
    ] = 0.3
    noise: Annotated[float, _option("Largest standard deviation of the Gaussian noise.")] = 0.05
    blur: Annotated[
        float, _option("Largest standard deviation of the Gaussian blur.", "pixels")
    ] = 1.0

    @classmethod
    def none(cls) -> Self:
        """Return settings that leave patches exactly as they are in the image."""
        return cls(flip=False, turn=False, resampled=0.0, recoloured=0.0)
