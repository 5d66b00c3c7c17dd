"""The Segment dock: from a trained model to a labels layer."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, PushButton
from napari.layers import Image, Labels
from napari.viewer import Viewer
from qtpy.QtWidgets import QFileDialog

from unet_napari._napari.engine_dock import EngineDock
from unet_napari._napari.form import (
    button,
    caption,
    choice,
    layer_choice,
    optional,
    sizes_of,
    value_of,
)
from unet_napari._napari.job import Job
from unet_napari._napari.layers import (
    Place,
    array_of,
    axes_of,
    current_slice,
    current_view,
    image_of,
    output_axes,
)
from unet_napari._napari.model_combo import ModelCombo
from unet_napari._napari.results import result_layer, write_result
from unet_napari.errors import ImageError, ModelFileError, UnetNapariError
from unet_napari.inference.config import InferenceConfig

__all__ = ["SegmentDock"]
