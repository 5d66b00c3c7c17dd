"""The plan of a prediction in words, for the dock and the command line. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass

from unet_napari.system.text import human_size, human_time

__all__ = ["PlanSummary"]


@dataclass(frozen=True)
class PlanSummary:
    """What a prediction is going to do, known before it starts.

    Attributes
    ----------
    way : {"one tile", "streamed", "columns", "tiles", "regions"}
        Way in which the image goes through the network, see ``docs/guide/inference.md``; in
        regions on several machines.
    reason : str
        Why this way.
    backend, device, precision : str
        What computes, where, and in which number format.
    shape : tuple of int
        Shape of the image, as the network sees it: one frame or slice, at the model's pixel size.
    tile : tuple of int
        Pixels per axis of each tile, column or region, or of the whole image where it is not cut.
    tiles : int
        Number of tiles or columns; of regions, those of all frames and slices.
    strip : int or None
        Rows that a stream takes at a time; None where there is no stream.
    halo : tuple of int
        Neighbouring pixels that each tile or column is shown besides; zeros where there is one.
    batch : int
        Tiles that the network takes at a time, or regions that the workers predict at a time.
    variants : int
        Flips and turns that are averaged; 1 without test-time augmentation.
    memory : int
        Bytes that the prediction needs beyond the model; of regions, for each at a time.
    seconds : float or None
        Time that it will take, all frames or slices included. None where that is a moment, or
        where it is not known.
    by_frame : bool
        Whether each time point has a brightness scale of its own.
    diameter : float or None
        Diameter, in pixels, for which the image is scaled, where the program has found it; None
        where the image is taken as it is, or scaled as the user said.
    sizes : str
        What to say of the diameter; empty if there is none.
    calibration : str
        Of a network in int8, which one; else empty.
    """

    way: str
    reason: str
    backend: str
    device: str
    precision: str
    shape: tuple[int, ...]
    tile: tuple[int, ...]
    tiles: int
    strip: int | None
    halo: tuple[int, ...]
    batch: int
    variants: int
    memory: int
    seconds: float | None = None
    by_frame: bool = False
    diameter: float | None = None
    sizes: str = ""
    calibration: str = ""

    def describe(self) -> str:
        """Return the plan in a few lines, each a sentence."""
        precision = "" if self.precision == "auto" else f" in {self.precision}"
        if self.calibration:
            precision += f", {self.calibration}"
        lines = [
            f"Way: {self._cut()}, because {self.reason}.",
            f"Computed by {self.backend} on {self.device}{precision}.",
            f"Memory: about {human_size(self.memory)} beyond the model.",
        ]
        if self.variants > 1:
            lines.append(
                f"Averaged over {self.variants} flips and turns: {self.variants} times the work."
            )
        if self.by_frame:
            lines.append(
                "Brightness: each time point is scaled by itself, as it changes over time."
            )
        if self.sizes:
            lines.append(f"Scale: {self.sizes}.")
        if self.seconds is not None:
            lines.append(f"Time: about {human_time(self.seconds)}.")
        return "\n".join(lines)

    def _cut(self) -> str:
        size = _by(self.tile)
        context = f", each with {_by(self.halo)} pixels of its neighbours"
        if self.way == "one tile":
            return f"the whole image at once ({_by(self.shape)} pixels)"
        if self.way == "streamed":
            return f"in one go from end to end, {self.strip} rows at a time"
        if self.way == "columns":
            return f"{self.tiles} columns of {size} pixels, {self.strip} rows at a time{context}"
        together = f", {self.batch} at a time" if self.batch > 1 else ""
        if self.way == "regions":
            return f"{self.tiles} regions of {size} pixels{together}{context}"
        return f"{self.tiles} tiles of {size} pixels{together}{context}"


def _by(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))
