"""What other machines do of a segmentation, as this process sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from unet_napari.images import Image
    from unet_napari.images.divided import Divided
    from unet_napari.inference.running.planned import Segmentation
    from unet_napari.inference.segmentation import SegmentationRun
    from unet_napari.inference.storage.scratch import Room
    from unet_napari.inference.summary import PlanSummary

__all__ = ["Machines"]


class Machines(Protocol):
    """Other machines, or processes of this one, that predict and decode the regions of an image."""

    def plan(self, planned: Segmentation, factors: tuple[float, ...]) -> PlanSummary:
        """Cut the image into regions, and return what the user is told of that.

        Parameters
        ----------
        planned : Segmentation
            What is done.
        factors : tuple of float
            By what the image is enlarged, per axis of the network.
        """

    def run(self, planned: Segmentation, room: Room, folder: Path) -> SegmentationRun:
        """Return the run of what was planned last.

        Parameters
        ----------
        planned : Segmentation
            What is done.
        room : Room
            Room for what this process keeps.
        folder : Path
            Folder that all machines see, and that keeps what is done if the run is stopped.
        """

    def divided(self, image: Image) -> Divided:
        """Return an image, or labels of it, with what works on its parts after the run.

        Parameters
        ----------
        image : Image
            The image that was segmented, or the labels that were written.
        """
