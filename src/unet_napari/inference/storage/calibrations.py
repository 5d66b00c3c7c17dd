"""Calibrations for int8, kept beside the models, so that a model is calibrated once.

They are no part of the model files: what is in a model file is read from strangers, and the parser
of OpenVINO's graphs is not made for that. Here lies only what this computer has written.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import safetensors

from unet_napari.errors import OutputError, warn_user
from unet_napari.inference.backends.calibration import Calibration
from unet_napari.model.info import files_beside_models, models_folder
from unet_napari.system.atomic import open_atomic
from unet_napari.system.tensors import write_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from unet_napari.images import Normalisation
    from unet_napari.networks import Network

__all__ = ["calibration_key", "keep_calibration", "read_calibration"]

_ENDING = ".int8"
_FORM = "1"  # of these files
_FACTS = "calibration"
_MOST = 20  # files that are kept, those last used


def calibration_key(network: Network, normalisation: Normalisation) -> str:
    """Return what tells networks apart that need calibrations of their own: 32 hexadecimal digits.

    It depends on all weights, on the layers, on how images are normalised, and on the versions of
    the packages that make and read the network in int8.
    """
    versions = [_version(name) for name in ("openvino", "nncf")]
    facts = [_FORM, network.name, network.options, normalisation.to_dict(), versions]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def read_calibration(key: str) -> Calibration | None:
    """Return the calibration that is kept under a key; None if there is none, or it is damaged."""
    for path in files_beside_models(_ENDING):
        if path.stem != key:
            continue
        with suppress(OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError):
            found = _read(path)
            os.utime(path)  # it is used, so others go before it
            return found
    return None


def _read(path: Path) -> Calibration:
    with safetensors.safe_open(path, "np") as file:
        facts = json.loads((file.metadata() or {})[_FACTS])
        graph = {name: file.get_tensor(name) for name in list(file.keys())}
    found = Calibration(graph, float(facts["same"]), str(facts["image"]), {**facts["speeds"]})
    if found.digest != facts["digest"]:
        raise ValueError("its content is not what was written")
    return found


def keep_calibration(key: str, calibration: Calibration) -> None:
    """Keep a calibration in place of the one that there was; those not used for long go.

    Warns
    -----
    UnetNapariWarning
        If it cannot be written. It is made anew then when it is needed again.
    """
    facts = {
        "same": calibration.same,
        "image": calibration.image,
        "speeds": dict(calibration.speeds),
        "digest": calibration.digest,
    }
    try:
        with open_atomic(models_folder() / f"{key}{_ENDING}") as file:
            write_tensors(file, calibration.graph, {_FACTS: json.dumps(facts, sort_keys=True)})
    except OutputError as error:
        warn_user(
            f"The model in int8 cannot be kept, and is calibrated again next time: {error}",
            stacklevel=2,
        )
    for path in files_beside_models(_ENDING)[_MOST:]:
        with suppress(OSError):  # another process has removed it, or reads it on Windows
            path.unlink()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
