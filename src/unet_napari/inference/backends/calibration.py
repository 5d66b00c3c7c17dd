"""What a calibration has found out about a network: its form in int8, how good and how fast it is.

Free of torch, OpenVINO and NNCF, so that it can be read and written without them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Calibration"]

_DIGITS = 12  # of the hash that tells calibrations apart


@dataclass(frozen=True)
class Calibration:
    """A network in int8, made once from tiles of an image.

    Attributes
    ----------
    graph : mapping of str to ndarray
        The network as its backend stores it: bytes (uint8, one axis) by the names of the parts.
    same : float
        Share of the pixels that were decided as in fp32, on tiles that did not calibrate; 0 to 1.
    image : str
        Name of the image that the tiles are of.
    speeds : mapping of str to float
        Floating-point operations per second that were measured, by what computed, and where.
    """

    graph: Mapping[str, NDArray[np.uint8]]
    same: float
    image: str
    speeds: Mapping[str, float] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Some hexadecimal digits that tell this network in int8 from others."""
        digest = hashlib.sha256()
        for name in sorted(self.graph):
            digest.update(name.encode())
            digest.update(self.graph[name].tobytes())
        return digest.hexdigest()[:_DIGITS]

    def describe(self) -> str:
        """Say which one it is, as ``"calibrated on cells.tif (0123456789ab)"``."""
        return f"calibrated on {self.image or 'an image without a name'} ({self.digest})"

    def with_speed(self, way: str, speed: float) -> Calibration:
        """Return the same with a speed that has been measured."""
        return replace(self, speeds={**self.speeds, way: speed})
