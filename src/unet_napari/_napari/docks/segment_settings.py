"""The folded fields of the Segment dock, and the settings they amount to."""

from pathlib import Path
from typing import Any

from magicgui.widgets import CheckBox, FloatSpinBox, Label, SpinBox
from napari.components import ViewerModel

from unet_napari._napari.docks.shared_fields import axes_field, device_choice
from unet_napari._napari.sections.diameter_field import DiameterField
from unet_napari._napari.sections.fit import size_factor
from unet_napari._napari.sections.one_channel import ChannelField
from unet_napari._napari.widgets.fields import button, choice, optional, sizes_of, value_of
from unet_napari._napari.widgets.form import FormRows
from unet_napari.errors import OutputError, SettingsError
from unet_napari.images import Image
from unet_napari.inference.config import InferenceConfig
from unet_napari.model.info import ModelInfo

__all__ = ["SegmentSettings"]

_GIB = 1 << 30


class SegmentSettings:
    """Everything about a segmentation that has a sensible default.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    data, result, computing : Rows
        The folded groups that the fields are added to.
    """

    def __init__(
        self, viewer: ViewerModel, data: FormRows, result: FormRows, computing: FormRows
    ) -> None:
        self._task: dict[str, Any] = {}  # that of the model
        self._add_data_fields(data)
        self.diameter = DiameterField(data, viewer)
        self._add_thresholds(result)
        self._add_extras(result)
        self._add_file(result)
        self._add_limits(computing)
        self._add_devices(computing)

    def _add_data_fields(self, rows: FormRows) -> None:
        self.axes = axes_field()
        self.rescale = CheckBox(
            name="rescale",
            text="Rescale to the model's pixel size",
            tooltip="Bring the image to the pixel size that the model was trained at, and the\n"
            "labels back. Needed where cells are much larger or smaller than in training.",
        )
        rows.add(self.axes)
        self.channel = ChannelField(rows)
        rows.add_wide(self.rescale)

    def _add_thresholds(self, rows: FormRows) -> None:
        self.thresholds: dict[str, FloatSpinBox | SpinBox] = {
            "foreground_threshold": _probability(
                "foreground",
                "How sure the network must be that a pixel belongs to a cell. Higher\n"
                "makes cells smaller and drops faint ones. The model brings its own value.",
            ),
            "seed_threshold": _probability(
                "core",
                "How sure the network must be that a pixel is deep inside a cell, for a\n"
                "cell to grow from there. Higher splits touching cells more often.",
                name="seed_threshold",
            ),
            "boundary_threshold": _probability(
                "boundary",
                "How sure the network must be of the boundary between two cells that\n"
                "touch; otherwise they are one. Higher joins more, 0 joins none.",
            ),
            "min_size": SpinBox(
                name="min_size",
                label="smallest",
                min=0,
                max=2**31 - 1,
                tooltip="Cells of fewer pixels, in 3D voxels, are dropped.",
            ),
        }
        self.unit = Label(name="unit", value="pixels", tooltip="Of a cell.", gui_only=True)
        for name, field in self.thresholds.items():
            rows.add(field, *([self.unit] if name == "min_size" else []))

    def _add_extras(self, rows: FormRows) -> None:
        self.measure = CheckBox(
            name="measure",
            text="Measure the cells",
            tooltip="Whenever cells are segmented: size, centre and mean intensity of each, as\n"
            "the features of the labels layer. They are shown in the status bar under the\n"
            "mouse, and in napari's Layers > Visualize > Features table.",
        )
        self.measure_now = button(
            "measure_now",
            "Now",
            "Measure the cells as they are now, hand-made corrections included: those of the\n"
            "labels layer that is selected, or else of the latest result. Nothing is segmented.",
        )
        self.maps = CheckBox(
            name="maps",
            text="Also show probability maps",
            tooltip="Add what the network says before it is cut into cells or classes,\n"
            "as image layers from 0 to 1.",
        )
        self.attention = CheckBox(
            name="attention",
            text="Also show attention maps",
            tooltip="Where the gates of an Attention U-Net let details through, as image layers\n"
            "from 0 to 1, one for each level. Of what is in view or one slice.",
            enabled=False,
        )
        rows.add_beside(self.measure, self.measure_now)
        for field in (self.maps, self.attention):
            rows.add_wide(field)

    def _add_file(self, rows: FormRows) -> None:
        self.save_to = optional(
            "save_to",
            "A .zarr on a disk with room for four bytes for each pixel: the labels of the whole\n"
            "image go there, and the layer shows them from there. A run that was stopped, or\n"
            "whose computer was, goes on where it was when it is started again.\n"
            "Empty: the labels are kept in a temporary file as long as their layer is open.",
            label="save to",
        )
        self.save_to.native.setPlaceholderText("not saved")
        self.choose = button("choose", "…", "Choose where the labels go.")
        rows.add(self.save_to, self.choose)

    @property
    def output(self) -> Path | None:
        """Where the labels of a whole image go; None if they are not saved.

        Raises
        ------
        OutputError
            If there is something already.
        """
        text = str(self.save_to.value).strip()
        if not text:
            return None
        path = Path.home() / Path(text).expanduser()
        if path.suffix != ".zarr":
            path = path.with_name(f"{path.name}.zarr")
        if path.exists():
            raise OutputError(
                f"'{path}' exists already: choose another name (Save to, under Result)."
            )
        return path

    def _add_limits(self, rows: FormRows) -> None:
        self.tta = CheckBox(
            name="tta",
            text="Average over flips and turns",
            tooltip="Test-time augmentation: the image is also predicted flipped and turned, and\n"
            "the mean counts. A little better, 8 (in 3D 16) times slower.",
        )
        rows.add_wide(self.tta)
        self.tile = optional(
            "tile",
            "Size in pixels of the parts that are computed at once: 512, or one number for\n"
            "each axis such as 32, 256, 256. The result does not depend on it.",
        )
        self.memory = optional(
            "memory", "Gigabytes that may be used; half of what is free unless given."
        )
        for field in (self.tile, self.memory):
            rows.add(field)

    def _add_devices(self, rows: FormRows) -> None:
        self.device = device_choice()
        self.backend = choice(
            "backend",
            [("automatic", "auto"), ("PyTorch", "torch"), ("OpenVINO", "openvino")],
            "The library that computes. OpenVINO is about twice as fast on Intel and AMD CPUs.",
        )
        self.precision = choice(
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
        for field in (self.device, self.backend, self.precision):
            rows.add(field)

    def follow(self, info: ModelInfo | None) -> None:
        """Take over what a model brings along, in place of that of the model before."""
        self.diameter.follow_model(info)
        self.attention.enabled = info is not None and info.network.get("name") == "attention_unet"
        unit = "voxels" if info is not None and info.ndim == 3 else "pixels"
        self.unit.value = unit
        task = {} if info is None else dict(info.task)
        if task == self._task:
            return
        self._task = task
        for name, field in self.thresholds.items():
            field.enabled = name in task
            if name in task:
                field.value = task[name]

    def changed_thresholds(self) -> dict[str, float]:
        """Return the decoding parameters that the user has changed."""
        return {
            name: field.value
            for name, field in self.thresholds.items()
            if name in self._task and field.value != round(self._task[name], 2)
        }

    @property
    def wants_attention(self) -> bool:
        """Whether attention maps are wanted, and the model has them."""
        return bool(self.attention.enabled and self.attention.value)

    def zoom(self, image: Image, info: ModelInfo) -> float:
        """Return how many pixels of the image are one of what the network sees."""
        factor = size_factor(image.pixel_size, info.pixel_size) if self.rescale.value else None
        if self.diameter.value is not None and info.diameter:
            factor = self.diameter.value / info.diameter
        return factor or 1.0

    def config(self, info: ModelInfo, *, slicewise: bool) -> dict[str, Any]:
        """Return ``InferenceConfig.to_dict()``.

        Raises
        ------
        SettingsError
            If a field does not hold what it should.
        """
        self._check(scaled=self.rescale.value or self.diameter.value is not None)
        gigabytes = value_of(self.memory, float, positive=True)
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
            tta=self.tta.value,
            diameter=self.diameter.value,
        ).to_dict()

    def _check(self, *, scaled: bool) -> None:
        """Refuse what does not go together, naming the fields."""
        if self.rescale.value and self.diameter.value is not None:
            raise SettingsError(
                "Rescale and Diameter (both under Data) say how the image is scaled: use one of "
                "them only."
            )
        if scaled and self.maps.value:
            raise SettingsError(
                "Probability maps are not scaled, only labels: untick them (under Result), or "
                "leave Rescale and Diameter out (under Data)."
            )
        automatic = self.backend.value != "torch" and self.device.value in ("auto", "cpu")
        if self.precision.value == "int8" and not automatic:
            raise SettingsError(
                "Precision 8 bit is computed by OpenVINO on the CPU: set Backend and Device to "
                "automatic, or choose another precision (all under Computing)."
            )


def _probability(label: str, tooltip: str, name: str = "") -> FloatSpinBox:
    name = name or f"{label}_threshold"
    return FloatSpinBox(name=name, label=label, min=0, max=1, step=0.05, tooltip=tooltip)
