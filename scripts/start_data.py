"""What the model `start` learns from: images by domain, each at the scale the product works at.

The licence of each domain stands beside it. The images that the model `nuclei` holds out, all
folders of test and validation images, and the data sets that it is judged by (ISBI 2012,
`gonuclear3d`, StarDist's samples) are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile
from skimage.measure import label
from start_images import KINDS, draw

from unet_napari.images import Normalisation, as_image
from unet_napari.training import TrainConfig
from unet_napari.training.data.load import load_samples
from unet_napari.training.data.pairs import Pair
from unet_napari.training.setup.working_scale import WorkingScale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.training.data.sample import Sample

__all__ = ["DOMAINS", "Domain", "load_domain"]

HELD_OUT = Path(__file__).parent / "nuclei-held-out.txt"
CONFIG = TrainConfig(task="cells", ndim=2, unpainted="background", steps=1)
_SPECK = 20  # pixels; a piece of an object that a slice just touches is nobody's guide
_SLICES = 4  # of so many slices of a stack one is taken: neighbours show the same
_DRAWN = 64  # pictures of each kind made by program
_DRAWN_SIZE = 256  # pixels
_MEMORY = 2**32

_Read = Callable[[Path], Iterator[tuple["NDArray[np.generic]", "NDArray[np.integer]"]]]


@dataclass(frozen=True)
class Domain:
    """A kind of images.

    Attributes
    ----------
    share
        How often it is drawn, relative to the others.
    licence
        Of its images.
    credit
        Whom to name.
    read
        Takes the folder of the data, and yields images (Y, X) or (Z, Y, X) with labels.
    """

    share: float
    licence: str
    credit: str
    read: _Read


def load_domain(name: str, data: Path) -> list[Sample]:
    """Read the images of a domain; cells of 48 pixels and more are made smaller, as in training.

    Parameters
    ----------
    name
        One of `DOMAINS`.
    data
        The folder with the data sets.
    """
    samples: list[Sample] = []
    for image, labels in DOMAINS[name].read(data):
        axes = "ZYX"[-image.ndim :]
        pair = Pair(as_image(image, axes=axes), labels)
        samples += load_samples([pair], CONFIG, Normalisation(), _MEMORY)
    scaled = []
    for sample in samples:
        known = _without_specks(sample)
        if known.labels.any():
            scale = WorkingScale.choose(CONFIG, [known], (1.0, 1.0), None)
            scaled += scale.samples([known])
    return scaled


def _without_specks(sample: Sample) -> Sample:
    """Make each piece an object of its own, as it is to a slice, and say nothing of specks."""
    pieces = label(sample.labels, connectivity=1).astype(np.int32)
    sizes = np.bincount(pieces.ravel())
    specks = (sizes < _SPECK)[pieces] & (pieces > 0)
    return replace(sample, labels=pieces, annotated=sample.annotated & ~specks)


def _folder(name: str) -> _Read:
    """Read all images of a folder; of colours the mean."""

    def read(data: Path) -> Iterator[tuple[NDArray[np.generic], NDArray[np.integer]]]:
        held_out = tuple(HELD_OUT.read_text().split())
        for path in sorted((data / name / "images").glob("*.tif")):
            if not path.name.startswith(held_out):
                image = tifffile.imread(path)
                grey = image.mean(axis=-1) if image.shape[-1] in (3, 4) else image
                yield grey, tifffile.imread(data / name / "labels" / path.name)

    return read


def _stacks(name: str) -> _Read:
    """Read some slices of each stack of a folder."""

    def read(data: Path) -> Iterator[tuple[NDArray[np.generic], NDArray[np.integer]]]:
        for image, labels in _folder(name)(data):
            yield image[::_SLICES], labels[::_SLICES]

    return read


def _pictures(kind: str) -> _Read:
    """Draw pictures of a kind; always the same ones."""

    def read(data: Path) -> Iterator[tuple[NDArray[np.generic], NDArray[np.integer]]]:
        del data
        rng = np.random.default_rng(list(KINDS).index(kind))
        for _ in range(_DRAWN):
            yield draw(kind, _DRAWN_SIZE, rng)

    return read


_BOWL = "Data Science Bowl 2018, BBBC038v1 (Caicedo et al., Nature Methods 2019)"
DOMAINS: dict[str, Domain] = {
    "fluorescence": Domain(3, "CC0 1.0", _BOWL, _folder("dsb2018_fluo/train")),
    "stained": Domain(1, "CC0 1.0", _BOWL, _folder("dsb2018_he")),
    "brightfield": Domain(0.5, "CC0 1.0", _BOWL, _folder("dsb2018_brightfield")),
    "phase": Domain(
        2, "MIT", "Usiigaci (Tsai et al., SoftwareX 2019)", _folder("usiigaci_phase/train")
    ),
    "embryo": Domain(
        1,
        "CC BY 3.0",
        "BBBC050 (Tokuoka et al., npj Syst Biol Appl 2020)",
        _stacks("bbbc050/train"),
    ),
    "ovule": Domain(1, "MIT", "PlantSeg (Wolny et al., eLife 2020)", _stacks("plantseg_ovule3d")),
    "electrons": Domain(
        1.5,
        "CC BY 3.0",
        "neuroproof_examples (FlyEM)",
        _stacks("neuroproof_em3d"),
    ),
    **{
        kind: Domain(0.75, "none needed", "made by scripts/start_images.py", _pictures(kind))
        for kind in KINDS
    },
}
