"""A record in words: a few lines, and a paragraph for a paper with what it has to cite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unet_napari.inference.config import InferenceConfig
from unet_napari.networks.catalogue import CATALOGUE
from unet_napari.tasks.kinds.catalogue import described_kind

if TYPE_CHECKING:
    from unet_napari.images.result_record import ResultRecord

__all__ = ["describe_methods", "describe_record"]

_BACKENDS = {"torch": "PyTorch", "openvino": "OpenVINO"}
_UNET_3D = "3D: Çiçek et al. 2016, arXiv:1606.06650"
# What is cited if the network is the plain U-Net, by its number of axes.
_UNETS = {2: "Ronneberger et al. 2015, arXiv:1505.04597", 3: "Çiçek et al. 2016, arXiv:1606.06650"}
_CITED_WORKS = {
    "nuclei": "Caicedo et al. 2019, Nature Methods 16:1247 (the images that 'nuclei' learned from)",
    "watershed": "Caicedo et al. 2019, Cytometry A 95:952 (foreground and boundary of objects)",
    "OpenVINO": "OpenVINO toolkit, https://github.com/openvinotoolkit/openvino",
    "PyTorch": "Paszke et al. 2019, arXiv:1912.01703",
    "napari": "unet-napari, https://github.com/unet-napari/unet-napari",
}


def describe_record(record: ResultRecord) -> str:
    """Return the record in lines of ``name: value``."""
    image, model = record.image, record.model
    usual = InferenceConfig().to_dict()
    settings = {k: v for k, v in record.settings.items() if v != usual.get(k)}
    settings |= dict(record.thresholds)
    size = " x ".join(f"{axis} {n}" for axis, n in zip(image.axes, image.shape, strict=False))
    where = f"{image.name} (file {image.path})" if image.path else image.name
    computed = {k: v for k, v in record.computed.items() if v not in (None, "auto", 1)}
    lines = {
        "Made": f"{record.made} by unet-napari {record.versions.get('unet-napari', '?')}",
        "Model": f"{model.name}, SHA-256 {model.digest}",
        "Network": _network(model.about),
        "Image": f"{where}, {size}, {image.dtype}, SHA-256 {image.digest}",
        "Pixel size": _phrase(image.pixel_size, " µm") or "not known",
        "Read with": _phrase(image.reading) or "what the file says",
        "Region": _region(record.region),
        "Settings": _phrase(settings) or "all as usual",
        "Computed": _phrase(computed) or "nothing, as the image has no contrast",
        "Found": _found(record.found),
        "Versions": _phrase(record.versions),
    }
    for number, warning in enumerate(record.warnings):
        lines[f"Warning {number + 1}" if number else "Warning"] = warning
    return "\n".join(f"{name + ':':<14}{value}" for name, value in lines.items() if value)


def describe_methods(record: ResultRecord) -> str:
    """Return a paragraph for the methods of a paper, and below it what it cites.

    Only what was used is named and cited: network, backend, averaging, linking, scaling.
    """
    about, settings = record.model.about, record.settings
    ndim = int(about.get("ndim", 2))
    network = about.get("network", {})
    entry = CATALOGUE.get(str(network.get("name", "")))
    title = entry.title if entry is not None else str(network.get("name", "U-Net"))
    backend = str(record.computed.get("backend", "")).lower()
    engine = next((text for name, text in _BACKENDS.items() if name in backend), "")
    kind = described_kind(dict(about.get("task", {})))
    objects = kind is not None and kind.separates_objects
    cited = [_paper(entry.name if entry else "", entry.paper if entry else "", ndim)]
    sentences = [
        f"Images were segmented with unet-napari {record.versions.get('unet-napari', '?')} [1], "
        f"by the {ndim}D {title} [2] of the model '{record.model.name}' (SHA-256 "
        f"{record.model.digest[:12]}{_score(about)})."
    ]
    if objects:
        cited.append(_CITED_WORKS["watershed"])
        sentences.append(
            "Objects were separated by a watershed on the predicted foreground and boundary "
            f"[{len(cited) + 1}]{_thresholds(record)}."
        )
    if record.model.name == "nuclei":
        cited.append(_CITED_WORKS["nuclei"])
        sentences.append(
            f"The model was trained on fluorescence images of nuclei [{len(cited) + 1}]."
        )
    if record.region:
        sentences.append(
            "A region of the image was segmented; an object belongs to it if at least half of it "
            "lies in it."
            if objects
            else "A region of the image was segmented."
        )
    sentences += _settings_sentences(settings, record.computed, ndim, record.image.axes)
    if engine:
        cited.append(_CITED_WORKS[engine])
        device = record.computed.get("device", "")
        used = record.versions.get("openvino" if engine == "OpenVINO" else "torch", "")
        sentences.append(
            f"The network was computed with {engine} {used} [{len(cited) + 1}] on {device}."
        )
    listed = [_CITED_WORKS["napari"], *cited]
    return (
        " ".join(sentences)
        + "\n\n"
        + "\n".join(f"[{number}] {text}" for number, text in enumerate(listed, 1))
    )


def _settings_sentences(
    settings: Mapping[str, Any], computed: Mapping[str, Any], ndim: int, axes: str
) -> list[str]:
    said = []
    diameter = computed.get("diameter") or settings.get("diameter")
    if isinstance(diameter, int | float):
        said.append(
            f"Each image was scaled so that objects of {diameter:.3g} pixels have the size that "
            "the model knows."
        )
    elif settings.get("rescale"):
        said.append("Each image was brought to the pixel size of the model.")
    if ndim == 2 and "Z" in axes:
        said.append(
            "The slices of each stack were segmented one by one."
            if settings.get("slicewise")
            else "The maps of all slices of a stack were joined to objects in 3D."
        )
    if settings.get("tta"):
        said.append("Predictions were averaged over flips and turns of the image.")
    if settings.get("link") == "T":
        said.append("Objects of consecutive time points were linked by their overlap.")
    if computed.get("precision") == "int8":
        said.append("The network was quantised to 8 bits.")
    return said


def _paper(name: str, paper: str, ndim: int) -> str:
    if name == "unet":
        return _UNETS.get(ndim, paper)
    return paper or _UNETS.get(ndim, "")


def _score(about: Mapping[str, Any]) -> str:
    score, name = about.get("score"), about.get("score_name")
    return f", {name} {score:.2f} in validation" if isinstance(score, float) and name else ""


def _thresholds(record: ResultRecord) -> str:
    words = _phrase(record.thresholds)
    return f", with {words}" if words else ""


def _network(about: Mapping[str, Any]) -> str:
    entry = CATALOGUE.get(str(about.get("network", {}).get("name", "")))
    title = entry.title if entry is not None else str(about.get("network", {}).get("name", "?"))
    return f"{title}, {about.get('ndim', '?')}D, {about.get('task', {}).get('name', '?')}"


def _region(region: Mapping[str, str]) -> str:
    return region.get("said", "") or region.get("mask", "")


def _found(found: Mapping[str, Any]) -> str:
    """Say what was found, as far as it is known."""
    objects = found.get("objects")
    if objects is None:
        return ""
    words = [f"{objects:,} {'object' if objects == 1 else 'objects'}"]
    words += [f"{name} {found[name]:.2f}" for name in ("doubt", "familiarity") if name in found]
    return ", ".join(words)


def _phrase(values: Mapping[str, Any], unit: str = "") -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}{unit}" for name, value in values.items())
