"""Measure labels from Python, as the command line and the docks do.

It may import `inputs`, `labels` and `images`; no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.inputs import measured_pair
from unet_napari.labels.measure import measure_objects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.inputs import ImageSource, PixelSizes

__all__ = ["measure"]


def measure(
    labels: ImageSource,
    image: ImageSource | None = None,
    *,
    axes: str | None = None,
    scale: PixelSizes | None = None,
    properties: Sequence[str] | None = None,
    slicewise: bool = False,
) -> dict[str, NDArray[Any]]:
    """Measure the objects of labels: size, place, shape and intensity.

    Parameters
    ----------
    labels : array of int, path or Image
        One number for each object, 0 is background; of any size.
    image : array, path or Image, optional
        What they lie on, whose intensities are measured in each channel.
    axes, scale
        As for `unet_napari.train`; of the labels if there is no image.
    properties : sequence of str, optional
        What to measure; by default all of ``docs/guide/measurements.md``.
    slicewise : bool
        Whether each slice of a stack is measured as an image of its own.

    Returns
    -------
    dict of str to array
        Columns, which ``pandas.DataFrame`` takes, named as those of scikit-image's
        ``regionprops_table``; in a time series also ``t``.

    Raises
    ------
    ImageError, LabelsError, SettingsError
        If labels and image do not fit, or there is no such measurement.
    """
    found, source = measured_pair(labels, image, axes=axes, scale=scale)
    table = measure_objects(found, source, properties, slicewise=slicewise)
    return {name: np.asarray(values) for name, values in table.items()}
