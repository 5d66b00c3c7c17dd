"""What a worker has to know of a segmentation; it lies in the folder beside the output."""

from __future__ import annotations

import json
import secrets
import socket
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from unet_napari.cluster.regions import Cut
from unet_napari.errors import ImageError, OutputError, without_warnings
from unet_napari.images import Scale, Statistics, read_image
from unet_napari.inference.config import InferenceConfig
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.rescale import rescale_image
from unet_napari.inference.stacks import smoothed_stack, stack_scale
from unet_napari.inference.views import split_views
from unet_napari.inputs import image_for
from unet_napari.model.model import Model
from unet_napari.system.atomic import open_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from unet_napari.images import Image
    from unet_napari.inference.views import View

__all__ = ["RegionJob", "SharedImage", "SharedPixels", "new_token"]

_JOB, _MODEL = "job.json", "job.unet"


@dataclass(frozen=True)
class SharedImage:
    """An image that workers open by its path.

    Attributes
    ----------
    path : str
        Path that all machines know it by.
    axes : str
        Axes of its data.
    pixel_size : mapping of str to float
        Micrometres per pixel, by axis.
    channel : int or None
        The only channel that is used.
    scene : int or str or None
        Image of a file that holds several.
    shape : tuple of int
        Shape of its data, by which a worker knows that it has found the same image.
    """

    path: str
    axes: str
    pixel_size: Mapping[str, float]
    channel: int | None
    scene: int | str | None
    shape: tuple[int, ...]

    @classmethod
    def of(cls, image: Image, scene: int | str | None = None) -> Self:
        """Return how an image that was read from a file is opened elsewhere.

        Raises
        ------
        ImageError
            If it was not read from a file.
        """
        if image.source is None:
            raise ImageError(
                f"{image.name} is in the memory of this computer, where no worker sees it: save it "
                "as a zarr in a folder that all of them see, and give its path."
            )
        return cls(
            str(image.source.resolve()), image.axes, dict(image.pixel_size), image.fixed.get("C"),
            scene, tuple(image.data.shape),
        )  # fmt: skip

    def open(self, model: Model) -> Image:
        """Open the image for a model.

        Raises
        ------
        ImageError
            If it is not there, or another image is.
        """
        where = f"The worker on {socket.gethostname()}"
        if not Path(self.path).exists():
            raise ImageError(
                f"{where} does not see the image {self.path}. Put it into a folder that all "
                "workers see under one path, and give that path."
            )
        found = read_image(
            self.path,
            axes=self.axes,
            pixel_size=self.pixel_size,
            channel=self.channel,
            scene=self.scene,
        )
        image = image_for(model, found)
        if tuple(image.data.shape) != self.shape:
            raise ImageError(
                f"{where} sees another image at {self.path}: its shape is "
                f"{tuple(image.data.shape)}, not {self.shape}."
            )
        return image


@dataclass(frozen=True, eq=False)
class RegionJob:
    """The prediction of an image in regions.

    Attributes
    ----------
    folder : Path
        Folder that all machines see.
    token : str
        Different for every run; what is found in the folder belongs to it.
    image : SharedImage
        The image.
    config : InferenceConfig
        What the user wants.
    whole : Statistics
        Brightness of the image.
    drift : float or None
        See `Scale`.
    factors : tuple of float
        By what the image is enlarged, per axis of the network.
    cut : Cut
        The regions of each view.
    memory : int
        Bytes that a worker may use for a region.
    """

    folder: Path
    token: str
    image: SharedImage
    config: InferenceConfig
    whole: Statistics
    drift: float | None
    factors: tuple[float, ...]
    cut: Cut
    memory: int

    def write(self, model: Model) -> None:
        """Write all of it, and the model, into the folder."""
        model.save(self.folder / _MODEL)
        facts = asdict(self)
        del facts["folder"]
        facts |= {"config": self.config.to_dict(), "whole": self.whole.to_dict()}
        with open_atomic(self.folder / _JOB) as file:
            file.write(json.dumps(facts).encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` has written.

        Raises
        ------
        OutputError
            If this machine does not see the folder.
        """
        try:
            facts: dict[str, Any] = json.loads((folder / _JOB).read_bytes())
        except OSError as error:
            raise OutputError(
                f"The worker on {socket.gethostname()} does not see {folder}. Let the output be in "
                "a folder that all workers see under one path."
            ) from error
        image = facts["image"] | {"shape": tuple(facts["image"]["shape"])}
        return cls(
            folder=folder,
            token=facts["token"],
            image=SharedImage(**image),
            config=InferenceConfig.from_dict(facts["config"]),
            whole=Statistics.from_dict(facts["whole"]),
            drift=facts["drift"],
            factors=tuple(facts["factors"]),
            cut=Cut(**{name: tuple(value) for name, value in facts["cut"].items()}),
            memory=facts["memory"],
        )

    @staticmethod
    def opened(folder: Path, token: str) -> RegionJob:
        """Return the job of a folder, which a worker reads once.

        Raises
        ------
        ImageError, OutputError
            If this machine does not see the image or the folder.
        """
        with _opening, without_warnings():
            return _opened(folder, token)

    @cached_property
    def prepared(self) -> PreparedModel:
        """The model."""
        return PreparedModel.of(Model.load(self.folder / _MODEL))

    @cached_property
    def source(self) -> Image:
        """The image."""
        return self.image.open(self.prepared.model)

    def pixels(self, dtype: np.dtype[Any]) -> SharedPixels:
        """Return the pixels of the image, of a type that is known, for workers to read."""
        return SharedPixels(self.folder, self.token, self.image.shape, dtype)

    @cached_property
    def scale(self) -> Scale:
        """Brightness of the image."""
        return Scale(self.prepared.model.normalisation, self.source, self.whole, self.drift)

    @cached_property
    def views(self) -> list[View]:
        """The views of the image, see `Segmentation.views`."""
        model = self.prepared.model
        stack = stack_scale(self.source, model, self.config, self.factors)
        return split_views(smoothed_stack(self.source, stack), model.ndim)

    def seen(self, view: int) -> Image:
        """Return a view as the network sees it; nothing is read yet."""
        return rescale_image(self.views[view].image, self.cut.shape)


@dataclass(frozen=True)
class SharedPixels:
    """The pixels of the image of a job; what is sent to a worker is where the job is.

    Attributes
    ----------
    folder, token
        See `RegionJob.opened`.
    shape, dtype
        Shape and type of its data.
    """

    folder: Path
    token: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, key: Any, /) -> NDArray[Any]:  # noqa: ANN401  as NumPy has it
        """Return a copy of a part."""
        return np.asarray(RegionJob.opened(self.folder, self.token).source.data[key])


# Several threads of a worker begin at the same moment, and one of them does it for all.
_opening = Lock()


@lru_cache(maxsize=2)
def _opened(folder: Path, token: str) -> RegionJob:
    job = RegionJob.read(folder)
    if job.token != token:
        raise OutputError(
            f"The worker on {socket.gethostname()} sees an old state of {folder}: its file system "
            "lags behind. Run the same command again."
        )
    job.views  # noqa: B018  here, where only one thread opens files
    return job


def new_token() -> str:
    """Return a word that was never used before."""
    return secrets.token_hex(8)
