"""The record of a segmentation, made when it is done."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import ModelFileError
from unet_napari.images.divided import Divided
from unet_napari.images.result_record import ImageMark, ModelMark, ResultRecord, pixel_digest
from unet_napari.labels.label_axes import open_labels
from unet_napari.model.info import find_model

if TYPE_CHECKING:
    from unet_napari.images import Image
    from unet_napari.inference.config import InferenceConfig
    from unet_napari.inference.regions.region import ImageRegion
    from unet_napari.inference.summary import PlanSummary
    from unet_napari.model.model import Model

__all__ = ["mark_image", "mark_model", "mark_region", "model_digest", "record_of", "used_versions"]

# What decides which labels come out.
_PACKAGES = ("unet-napari", "torch", "numpy", "scipy", "scikit-image")


def record_of(
    image: Image,
    model: Model,
    config: InferenceConfig,
    *,
    output: Path,
    thresholds: Mapping[str, float],
    model_file: Path | None = None,
    plan: PlanSummary | None = None,
    warnings: Sequence[str] = (),
    reading: Mapping[str, Any] | None = None,
    digest: str | None = None,
    found: Mapping[str, Any] | None = None,
    divided: Divided | None = None,
    region: ImageRegion | None = None,
) -> ResultRecord:
    """Return the record of a segmentation.

    Parameters
    ----------
    image, model, config
        What was segmented, by what, and how; the model with its own thresholds.
    output
        The file of the result, from whose folder paths are told.
    thresholds
        Thresholds that replaced those of the model.
    model_file
        The file of the model.
    plan, warnings
        Plan by which it was computed, None where nothing was; what the user was warned of.
    reading
        Axes, channel and scene, as far as they were said.
    digest
        Digest of the model, as `mark_model` has it, where it is known already.
    found
        What is told of the result in a list of images.
    divided
        The same image with whoever hashes its pixels; by default this process.
    region
        What of the image was segmented; None for all of it.
    """
    computed: dict[str, Any] = {}
    if plan is not None:
        names = ("way", "backend", "device", "precision", "diameter", "variants")
        computed = {name: getattr(plan, name) for name in names}
        computed |= {"calibration": plan.calibration} if plan.calibration else {}
    backend = str(computed.get("backend", ""))
    return ResultRecord(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        model=mark_model(model, _told(_unless_named(model_file), output), digest),
        image=mark_image(image, output, reading or {}, divided),
        settings=config.to_dict(),
        thresholds=dict(thresholds),
        computed=computed,
        versions=used_versions(backend),
        warnings=tuple(warnings),
        found=dict(found or {}),
        region=mark_region(region, output),
    )


def mark_model(model: Model, path: str = "", digest: str | None = None) -> ModelMark:
    """Return what tells a model from another, what it is, and where."""
    source = model.info.provenance
    about: dict[str, Any] = {
        "network": dict(model.info.network),
        "task": dict(model.info.task),
        "ndim": model.info.ndim,
        "channels": model.info.channels,
        **{name: source[name] for name in ("score", "score_name") if name in source},
        "images": len(source.get("data", ())) + source.get("more_data", {}).get("images", 0),
    }
    return ModelMark(
        model.name,
        digest or model_digest(model),
        path,
        json.loads(json.dumps(about, default=str)),
    )


def model_digest(model: Model) -> str:
    """Return a hash (SHA-256, hexadecimal) of all of a model that decides what it finds."""
    info = model.info
    deciding = {
        "task": info.task, "network": info.network, "normalisation": info.normalisation,
        "pixel_size": info.pixel_size, "halo": info.halo, "diameter": info.diameter,
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(deciding, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def mark_image(
    image: Image, output: Path, reading: Mapping[str, Any], divided: Divided | None = None
) -> ImageMark:
    """Return what tells an image from another, and where it is."""
    hashed, each = divided or Divided(image)
    return ImageMark(
        name=image.name,
        path=_told(image.source, output),
        digest=pixel_digest(hashed, each=each),
        axes=image.axes,
        shape=tuple(int(size) for size in image.data.shape),
        dtype=np.dtype(image.data.dtype).name,
        pixel_size=dict(image.pixel_size),
        reading={name: value for name, value in reading.items() if value is not None},
    )


def mark_region(region: ImageRegion | None, output: Path) -> dict[str, str]:
    """Return what of an image was segmented, as a record has it."""
    if region is None:
        return {}
    if region.file is None:
        return {"said": str(region)}
    digest = pixel_digest(open_labels(region.file), "bool")
    return {"mask": _told(region.file, output), "digest": digest}


def _unless_named(path: Path | None) -> Path | None:
    """Return the file of a model, or None if its name alone leads there."""
    if path is None:
        return None
    try:
        return None if find_model(path.stem).resolve() == path.resolve() else path
    except ModelFileError:
        return path


def _told(path: Path | None, output: Path) -> str:
    """Return a path as it is from the folder of the output, so that both may move together."""
    if path is None:
        return ""
    whole = path.resolve()
    try:
        return Path(os.path.relpath(whole, output.resolve().parent)).as_posix()
    except ValueError:  # on another drive
        return whole.as_posix()


def used_versions(backend: str = "") -> dict[str, str]:
    """Return the versions of Python and the packages that decide what is computed."""
    names = (*_PACKAGES, *(("openvino",) if "openvino" in backend.lower() else ()))
    known = {name: _installed(name) for name in names}
    return {
        "python": platform.python_version(),
        **{name: found for name, found in known.items() if found is not None},
    }


@cache
def _installed(name: str) -> str | None:
    """Return the version of a package, looked up once, as that takes milliseconds."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
