"""A model made ready for prediction, once for all steps of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from unet_napari.errors import warn_user
from unet_napari.inference.backends.backend import make_backend
from unet_napari.inference.backends.torch_backend import layout_for
from unet_napari.inference.storage.calibrations import calibration_key
from unet_napari.inference.tiles import Grid
from unet_napari.networks.folding import fold_batch_norm
from unet_napari.networks.halo import exact_halo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unet_napari.inference.backends.backend import Backend
    from unet_napari.model.model import Model
    from unet_napari.networks import Network
    from unet_napari.orientation import Orientation

__all__ = ["PreparedModel"]

# Strides of context around a core where the norm looks at a whole tile, so that none is exact.
_STRIDES_WITHOUT_BOUND = 2


@dataclass(frozen=True, eq=False)
class PreparedModel:
    """A model made ready for prediction; make it with `PreparedModel.of`, once for many images.

    Attributes
    ----------
    model : Model
        The model as it was given. Training it goes on changing its weights; a `PreparedModel` has
        those of the moment in which it was made.
    network : Network
        A copy of its network in evaluation mode, on the CPU, batch norm folded into the
        convolutions, with its weights in the order in which the CPU computes fastest.
    """

    model: Model
    network: Network
    _backends: dict[tuple[str, str, str], Backend] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, model: Model) -> PreparedModel:
        """Prepare a model, which is left as it is."""
        network = fold_batch_norm(model.network).cpu()
        layout = layout_for(network, torch.device("cpu"))
        return cls(model, network.to(memory_format=layout))

    @cached_property
    def uncut_grid(self) -> Grid:
        """The grid of images that are not cut, which needs no halo: finding one takes a moment."""
        return self._grid((0,) * self.network.ndim)

    def backend(self, name: str, device: torch.device, precision: str) -> Backend:
        """Return what computes the network, see `make_backend`; made once for all images."""
        key = (name, str(device), precision)
        if key not in self._backends:
            self._backends[key] = make_backend(self.network, name, device, precision)
        return self._backends[key]

    @cached_property
    def calibration_key(self) -> str:
        """What its calibration for int8 is kept under, see `calibration_key`."""
        return calibration_key(self.network, self.model.normalisation)

    def input_shape(self, size: tuple[int, ...], images: int = 1) -> tuple[int, ...]:
        """Return the shape (N, C, *S) of a batch of images of a size."""
        return (images, self.model.channels, *size)

    def grid(self, halo: str | int, variants: Sequence[Orientation] = ()) -> Grid:
        """Return where images may be cut.

        Parameters
        ----------
        halo : {"exact", "measured"} or int
            See `InferenceConfig`. Where the model carries no measured halo, it is the exact one.
        variants : sequence of Orientation
            Where some of them are turned, Y and X get the same halo.

        Warns
        -----
        UnetNapariWarning
            If the network's norm looks at a whole tile, so that no halo is exact; it gets two
            strides then.
        """
        network = self.network
        exact = self._exact_halo
        if exact is None:
            warn_user(
                f"The norm of the model {self.model.name!r} looks at a whole tile, and the image "
                "does not fit in one, so there may be seams where tiles meet. Models with batch "
                "norm have none.",
                stacklevel=3,
            )
            exact = tuple(
                _STRIDES_WITHOUT_BOUND * stride + margin
                for stride, margin in zip(network.stride, network.margin, strict=True)
            )
        if isinstance(halo, int):
            beyond = (halo,) * network.ndim
        else:
            measured = self.model.halo
            wanted = exact if halo == "exact" or measured is None else measured
            beyond = tuple(max(0, w - m) for w, m in zip(wanted, network.margin, strict=True))
        if any(variant.turned for variant in variants):
            beyond = (*beyond[:-2], *2 * (max(beyond[-2:]),))
        return self._grid(beyond)

    @property
    def _exact_halo(self) -> tuple[int, ...] | None:
        """The exact halo, found once per network, as in 3D that takes seconds.

        The model's own network remembers it for the next prediction: it follows from the layers
        alone, so a live preview needs it once, although the weights change between two previews.
        """
        network = self.model.network
        if network.context is None:
            network.context = (exact_halo(self.network),)
        return network.context[0]

    def _grid(self, halo: tuple[int, ...]) -> Grid:
        network = self.network
        least = zip(network.smallest, network.margin, network.stride, strict=True)
        surplus = tuple((smallest - 2 * margin) % stride for smallest, margin, stride in least)
        return Grid(network.stride, halo, network.margin, surplus)
