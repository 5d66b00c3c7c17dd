"""The Segment dock: from a trained model to a labels layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, LineEdit, PushButton
from napari.layers import Image, Labels, Layer
from napari.utils.notifications import show_warning
from napari.viewer import Viewer
from numpy.typing import NDArray
from qtpy.QtWidgets import QFileDialog

from unet_napari._napari.engine_dock import EngineDock
from unet_napari._napari.fit import describe, micrometres, misfit
from unet_napari._napari.form import (
    Message,
    button,
    choice,
    layer_choice,
    optional,
    sizes_of,
    value_of,
)
from unet_napari._napari.job import Job
from unet_napari._napari.layers import (
    Place,
    apply_pixel_size,
    current_slice,
    current_view,
    image_of,
    pixel_size_in_file,
)
from unet_napari._napari.model_combo import ModelCombo
from unet_napari._napari.parts import DEPTH, cut_out, middle, time_in_place
from unet_napari._napari.preview import PURPOSE as PREVIEW
from unet_napari._napari.results import find_result, show_result, with_own_numbers, write_result
from unet_napari.engine import JobWarning, SegmentJob
from unet_napari.errors import UnetNapariError
from unet_napari.images import Normalisation
from unet_napari.inference.config import InferenceConfig
from unet_napari.inference.progress import Progress
from unet_napari.model_info import ModelInfo

__all__ = ["SegmentDock"]

_GIB = 1 << 30
_COUNTED = 1 << 22  # pixels whose cells are counted at once; more would hold up the viewer


@dataclass(frozen=True)
class _Order:
    """What a running segmentation was asked for."""

    layer: Image
    axes: str
    place: Place
    slab: bool  # a 3D model was shown slices above and below
    info: ModelInfo


class SegmentDock(EngineDock):
    """Segment an image layer with a trained model.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The name tells napari to pass the viewer.
    job : Job, optional
        What runs the segmentation; an engine process by default.
    """

    model: ModelCombo
    browse: PushButton
    scope: ComboBox
    found: Message
    apply_size: PushButton
    axes: LineEdit
    rescale: CheckBox
    maps: CheckBox
    tile: LineEdit
    memory: LineEdit
    device: ComboBox
    backend: ComboBox
    precision: ComboBox

    def __init__(self, napari_viewer: Viewer, job: Job | None = None) -> None:
        super().__init__(napari_viewer, job or Job())
        self._pixel_size: dict[str, float] = {}
        self._order: _Order | None = None
        self._add_shown_fields()
        self._add_folded_fields()
        self.finish()
        for field in (self.image, self.model, self.axes):
            field.changed.connect(self.refresh_run)
        self.image.changed.connect(self._look_for_pixel_size)
        self.browse.changed.connect(self._browse)
        self.apply_size.changed.connect(self._apply_pixel_size)
        self.model.choose_newest()
        self.refresh_run()

    def _add_shown_fields(self) -> None:
        rows = self.add_rows()
        rows.add(layer_choice("image", Image, "choose an image", "The image to segment."))
        rows.add(
            ModelCombo(
                "choose a model",
                name="model",
                tooltip="A model that you or a colleague have trained. The newest one comes first.",
            ),
            button("browse", "Open…", "Take a model file from anywhere on this computer."),
        )
        rows.add(
            choice(
                "scope",
                [
                    ("what is in view", "view"),
                    ("current slice", "slice"),
                    ("whole image", "whole"),
                ],
                "How much of the image to segment. Try the view or the slice first.\n"
                "With a 2D model, the whole of a stack is segmented slice by slice; a 3D model\n"
                "sees some slices above and below the current one.",
            )
        )
        self.scope.value = "whole"
        rows.add_wide(Message("found", "How image and model go together."))
        rows.add_wide(
            button("apply_size", "Apply", "Give the image the pixel size that its file knows.")
        )
        self.apply_size.visible = False
        self.add_run(rows, "Segment", "Segment the image with this model.")

    def _add_folded_fields(self) -> None:
        rows = self.add_folded("Data", "Axes, pixel size, probability maps.")
        rows.add(
            optional(
                "axes",
                "The axes of the image, such as ZYX or TYX, where they are guessed wrong:\n"
                "T time, C channel, Z depth, Y height, X width.",
            )
        )
        rows.add_wide(
            CheckBox(
                name="rescale",
                text="Rescale to the model's pixel size",
                tooltip="Bring the image to the pixel size that the model was trained at, and the\n"
                "labels back. Needed where cells are much larger or smaller than in training.",
            )
        )
        rows.add_wide(
            CheckBox(
                name="maps",
                text="Also show probability maps",
                tooltip="Add what the network says before it is cut into cells or classes,\n"
                "as image layers from 0 to 1.",
            )
        )
        rows = self.add_folded("Computing", "Tiles, memory, device.")
        rows.add(
            optional(
                "tile",
                "Size in pixels of the parts that are computed at once: 512, or one number for\n"
                "each axis such as 32, 256, 256. The result does not depend on it.",
            )
        )
        rows.add(
            optional("memory", "Gigabytes that may be used; half of what is free unless given.")
        )
        rows.add(
            choice(
                "device",
                [
                    ("automatic", "auto"),
                    ("CPU", "cpu"),
                    ("NVIDIA GPU", "cuda"),
                    ("Apple GPU", "mps"),
                ],
                "What computes. Automatic: a GPU if there is one.",
            )
        )
        rows.add(
            choice(
                "backend",
                [("automatic", "auto"), ("PyTorch", "torch"), ("OpenVINO", "openvino")],
                "The library that computes. OpenVINO is about twice as fast on Intel and AMD CPUs.",
            )
        )
        rows.add(
            choice(
                "precision",
                [
                    ("automatic", "auto"),
                    ("32 bit", "fp32"),
                    ("16 bit", "fp16"),
                    ("bfloat16", "bf16"),
                    ("8 bit", "int8"),
                ],
                "Of the arithmetic; automatic is right. 8 bit is several times faster on a CPU\n"
                "with OpenVINO and changes a few pixels; how many is measured and told.",
            )
        )

    # -- what is chosen -----------------------------------------------------------------------

    def missing(self) -> str:
        """Return what is missing for a segmentation, all of it."""
        wanted = []
        if self.image.value is None:
            wanted.append("an image")
        if self.model.value is None:
            wanted.append("a model (train one in the Train dock, or open a file)")
        if wanted:
            self.found.say("")
            return f"To segment, choose {' and '.join(wanted)}."
        try:
            info = self.model.need_info()
            image = image_of(self.image.value, self.axes.value)
        except UnetNapariError as error:
            return str(error)
        problem = misfit(image, info)
        self.found.say("" if problem else describe(image, info))
        return problem

    def _browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self.native, "Open a model", "", "U-Net models (*.unet);;All files (*)"
        )
        if path:
            self.model.value = path

    def _look_for_pixel_size(self, layer: Image | None) -> None:
        """Offer the pixel size of the layer's file, which napari has dropped."""
        self._pixel_size = {}
        self.apply_size.visible = False
        if layer is not None:
            self.background.run(
                lambda: pixel_size_in_file(layer),
                lambda size: self._offer_pixel_size(layer, size),
                lambda _: None,
            )

    def _offer_pixel_size(self, layer: Image, size: dict[str, float]) -> None:
        if size and layer is self.image.value:
            self._pixel_size = size
            self.apply_size.text = f"Pixel size {micrometres(size)} found, apply"
            self.apply_size.visible = True

    def _apply_pixel_size(self) -> None:
        if self.image.value is not None:
            apply_pixel_size(self.viewer, self.image.value, self._pixel_size)
        self.apply_size.visible = False
        self.refresh_run()

    # -- the segmentation ---------------------------------------------------------------------

    def begin(self) -> None:
        """Segment what is asked for."""
        layer, info = self.image.value, self.model.need_info()
        image = image_of(layer, self.axes.value)
        place = self._place(layer, image.axes)
        slab = info.ndim == 3 and "Z" in place.index
        self._order = _Order(layer, image.axes, place, slab, info)
        config = self._config(info, slicewise=info.ndim < image.ndim)
        model, maps, job = self.model.value, self.maps.value, self.job

        def prepare() -> SegmentJob:
            if place == Place():
                return SegmentJob(job.share(image), str(model), config, maps=maps)
            part = job.share(cut_out(image, place, DEPTH if slab else 0), snapshot=True)
            # The part must look to the network as it does within the whole image.
            statistics = Normalisation.from_dict(info.normalisation).measure(image).to_dict()
            return SegmentJob(part, str(model), config, maps=maps, statistics=statistics)

        self.in_background(prepare, self.job.start)

    def _place(self, layer: Image, axes: str) -> Place:
        if self.scope.value == "whole":
            return Place()
        find = current_view if self.scope.value == "view" else current_slice
        return find(self.viewer, layer, axes)

    def _config(self, info: ModelInfo, *, slicewise: bool) -> dict[str, Any]:
        gigabytes = value_of(self.memory, float)
        tile = sizes_of(self.tile)
        if tile is not None and len(tile) == 1:
            tile = tile * info.ndim
        return InferenceConfig(
            tile=tile,
            memory=None if gigabytes is None else int(gigabytes * _GIB),
            device=self.device.value,
            backend=self.backend.value,
            precision=self.precision.value,
            slicewise=slicewise,
            rescale=self.rescale.value,
        ).to_dict()

    def on_event(self, event: Any) -> None:  # noqa: ANN401
        """Show how far the segmentation is."""
        if isinstance(event, Progress):
            self.show_progress(event.done / max(1, event.total), event.stage)
        elif isinstance(event, JobWarning):
            show_warning(event.message)

    def on_result(self, result: Mapping[str, Any]) -> None:
        """Show the labels in a layer, and the probability maps if asked for."""
        if "labels" not in result:
            self.status.say("Stopped. Nothing was changed.")
            return
        order = self._order
        if order is None or order.layer not in self.viewer.layers:
            self.status.say("The image was removed meanwhile; the result is not shown.")
            return
        self._show(order, result["labels"], order.info.name, Labels)
        preview = find_result(self.viewer, order.layer, PREVIEW)
        if preview is not None:  # it would shine through the result
            preview.visible = False
        for name, values in zip(result.get("map_names", ()), result.get("maps", ()), strict=False):
            self._show(order, values, f"{order.info.name} · {name}", Image)
        self.status.say(summary(result["labels"], order))

    def _show(self, order: "_Order", values: NDArray[Any], purpose: str, kind: type[Layer]) -> None:
        if order.slab:
            values = middle(values)
        where = (self.viewer, order.layer, order.axes)
        if order.place == Place():
            values = time_in_place(values, order.axes)
            show_result(*where, values, purpose, kind)
            return
        if kind is Labels and order.info.task.get("name") == "cells":
            values = with_own_numbers(*where, values, order.place, purpose)
        write_result(*where, values, order.place, purpose, kind)


def summary(labels: NDArray[Any], order: _Order) -> str:
    """Say what was found."""
    if order.info.task.get("name") != "cells":
        return "Done."
    count = len(np.unique(labels[labels > 0])) if labels.size <= _COUNTED else None
    return "Done." if count is None else f"Done: {count:,} {'cell' if count == 1 else 'cells'}."
