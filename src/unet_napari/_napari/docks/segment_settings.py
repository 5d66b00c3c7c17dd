"""The folded fields of the Segment dock, and the settings they amount to."""

from pathlib import Path
from typing import Any

from magicgui.widgets import CheckBox
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from unet_napari._napari.sections.diameter_field import DiameterField
from unet_napari._napari.sections.fit import size_factor
from unet_napari._napari.sections.one_channel import ChannelField
from unet_napari._napari.sections.threshold_fields import ThresholdFields
from unet_napari._napari.widgets.fields import button, optional
from unet_napari._napari.widgets.form import FormRows
from unet_napari._napari.widgets.option_fields import OptionFields, line_field
from unet_napari.errors import OutputError, SettingsError
from unet_napari.images import Image
from unet_napari.images.formats.write_zarr import image_of_labels
from unet_napari.inference.config import InferenceConfig
from unet_napari.model.info import ModelInfo
from unet_napari.options import ReadingConfig, naming, options_of

__all__ = ["SegmentSettings"]


class SegmentSettings:
    """Everything about a segmentation that has a sensible default.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    data, result, computing : FormRows
        The folded groups that the fields are added to.
    config : type of InferenceConfig
        What the settings amount to; the options of its fields say which of them are shown.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        data: FormRows,
        result: FormRows,
        computing: FormRows,
        config: type[InferenceConfig] = InferenceConfig,
    ) -> None:
        self._config = config
        self._reading = OptionFields(ReadingConfig)
        self.axes = self._reading["axes"]
        self.channel = ChannelField(self._reading["channel"])
        self.diameter = DiameterField(line_field(options_of(config)["diameter"]), viewer)
        self._options = OptionFields(config, made={"diameter": self.diameter.field})
        self.slicewise = self._options["slicewise"]
        self._reading.place_groups(data, "Data")
        self._options.place_groups(data, "Data", beside={"diameter": [self.diameter.estimate]})
        self.thresholds = ThresholdFields(result)
        self._options.place_groups(result, "Result")
        self._add_extras(result)
        self._add_file(result)
        self._options.place_groups(computing, "Computing")

    def _add_extras(self, rows: FormRows) -> None:
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
        self.choose.changed.connect(self._choose_output)
        rows.add(self.save_to, self.choose)

    def _choose_output(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self.choose.native, "Save the labels", "", "Zarr (*.zarr);;All files (*)"
        )
        if path:
            self.save_to.value = path

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
        if path.suffix != ".zarr" and image_of_labels(path) is None:
            path = path.with_name(f"{path.name}.zarr")
        if path.exists():
            raise OutputError(
                f"'{path}' exists already: choose another name (Save to, under Result)."
            )
        return path

    def follow(self, info: ModelInfo | None) -> None:
        """Take over what a model brings along, in place of that of the model before."""
        self.diameter.follow_model(info)
        self.attention.enabled = info is not None and info.network.get("name") == "attention_unet"
        task = {} if info is None else dict(info.task)
        self.thresholds.follow(task, 2 if info is None else info.ndim)

    @property
    def wants_attention(self) -> bool:
        """Whether attention maps are wanted, and the model has them."""
        return bool(self.attention.enabled and self.attention.value)

    def zoom(self, image: Image, info: ModelInfo) -> float:
        """Return how many pixels of the image are one of what the network sees."""
        factor = (
            size_factor(image.pixel_size, info.pixel_size)
            if self._options["rescale"].value
            else None
        )
        diameter = self.diameter.number
        if diameter is not None and info.diameter:
            factor = diameter / info.diameter
        return factor or 1.0

    def config(self, info: ModelInfo) -> dict[str, Any]:
        """Return ``InferenceConfig.to_dict()``.

        Raises
        ------
        SettingsError
            If a field does not hold what it should.
        """
        self._check(scaled=self._options["rescale"].value or self.diameter.number is not None)
        values = self._options.values()
        if values["tile"] is not None and len(values["tile"]) == 1:
            values["tile"] = values["tile"] * info.ndim
        values["diameter"] = self.diameter.value
        with naming(self._options.called):
            return self._config(**values).to_dict()

    def _check(self, *, scaled: bool) -> None:
        """Refuse what does not go together, naming the fields."""
        options = self._options
        if options["rescale"].value and self.diameter.value is not None:
            raise SettingsError(
                "Rescale and Diameter (both under Data) say how the image is scaled: use one of "
                "them only."
            )
        if scaled and self.maps.value:
            raise SettingsError(
                "Probability maps are not scaled, only labels: untick them (under Result), or "
                "leave Rescale and Diameter out (under Data)."
            )
        automatic = options["backend"].value != "torch"
        automatic &= options["device"].value in ("auto", "cpu")
        if options["precision"].value == "int8" and not automatic:
            raise SettingsError(
                "Precision 8 bit is computed by OpenVINO on the CPU: set Backend and Device to "
                "automatic, or choose another precision (all under Computing)."
            )
