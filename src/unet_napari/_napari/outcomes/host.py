"""What the groups that work on results need of their dock."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from napari.viewer import Viewer

from napari.layers import Image
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.results import Purpose
from unet_napari._napari.outcomes.copy_buttons import CopyButtons
from unet_napari._napari.runs.check_order import CheckOrder
from unet_napari._napari.widgets.fields import Message
from unet_napari.images import Image as ImageData

__all__ = ["CheckOrders", "DockChoice", "Host"]


class DockChoice(NamedTuple):
    """What is chosen in the dock.

    Attributes
    ----------
    layer : napari.layers.Image or None
    image : Image or None
        The image of the layer, or the channel of it that is wanted.
    purpose : Purpose or None
        The purpose of the results of the chosen model.
    slicewise : bool
        Whether the slices of a stack are taken apart.
    """

    layer: Image | None
    image: ImageData | None
    purpose: Purpose | None
    slicewise: bool = False


class CheckOrders(Protocol):
    """What tells which segmentation the count is checked of."""

    def check_order(self) -> CheckOrder | None:
        """Return it; None if there is none of what is chosen."""


class Host(Protocol):
    """What the group needs of its dock."""

    viewer: Viewer
    job: Job
    status: Message
    docked: bool
    copying: CopyButtons

    @property
    def thresholds(self) -> CheckOrders:
        """What follows the sliders."""

    def in_background(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Do a part of a job beside the viewer; its errors end the job."""

    def beside(
        self,
        what: str,
        begin: Callable[[], None],
        take: Callable[[Mapping[str, Any]], str],
    ) -> None:
        """Begin a job that needs no model, and let its result be taken."""

    def chosen(self) -> DockChoice:
        """Return what is chosen."""
