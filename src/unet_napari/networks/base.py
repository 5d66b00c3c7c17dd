"""What every network has in common: any image size in, logits of the same size out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional

from unet_napari.errors import ImageError, SettingsError
from unet_napari.networks.dimensions import LAYERS

__all__ = ["Logits", "Network", "crop_centre"]

Logits = Tensor | list[Tensor]
_MOST_REDUCTION = 16  # pixels per axis that may become one


class Network(nn.Module):
    """Base of every network.

    Attributes
    ----------
    name : str
        The network's name in `unet_napari.networks.catalogue.CATALOGUE`.
    options : dict
        Constructor arguments as JSON holds them; ``build_network(name, options)`` makes the
        same architecture again.
    ndim : int
        Number of spatial axes, 2 or 3.
    in_channels, out_channels : int
        Channels of the image and of the logits.
    stride : tuple of int
        Total down-sampling per axis. Moving the input by a multiple of it moves the output
        along, so tile origins live on this grid.
    margin : tuple of int
        Pixels lost at each side of each axis: zeros with ``padding="same"``.
    smallest : tuple of int
        The smallest input size per axis that passes the layers unpadded. The others are
        ``smallest + n * stride``.
    reduction : tuple of int
        Pixels per axis that become one before the first layer, see `coarsen`; 1 for none.
    """

    name: ClassVar[str]

    def __init__(
        self,
        options: dict[str, Any],
        *,
        ndim: int,
        in_channels: int,
        out_channels: int,
        stride: tuple[int, ...],
        margin: tuple[int, ...] | None = None,
        smallest: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.options = options
        self.ndim = ndim
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.stride = stride
        self.margin = margin or (0,) * ndim
        self.smallest = smallest or stride
        self.reduction = (1,) * ndim
        self.context: tuple[tuple[int, ...] | None] | None = None
        """Result of `exact_halo`, once it was asked for: it follows from the layers alone."""

    def coarsen(self, reduction: Sequence[int]) -> None:
        """Let the layers see the image at a coarser scale; the result stays as fine as before.

        Blocks of pixels are averaged before the first layer, and the logits are interpolated
        linearly to the pixels of the image. In this way a network whose layers suit cells of 30
        pixels also suits cells of 90, at a ninth of the work. The option ``reduction`` holds the
        numbers.

        Parameters
        ----------
        reduction : sequence of int
            Pixels per axis that become one, 1 to 16.

        Raises
        ------
        SettingsError
            If a number is out of range, or the network has margins (``padding="valid"``).
        """
        whole = all(isinstance(n, int) and not isinstance(n, bool) for n in reduction)
        if not whole or len(reduction) != self.ndim or not 1 <= min(reduction) <= max(reduction):
            raise SettingsError(
                f"reduction must be {self.ndim} whole numbers from 1 on, not {reduction}."
            )
        total = _times(self.reduction, reduction)
        if max(total) > _MOST_REDUCTION or (any(self.margin) and max(total) > 1):
            raise SettingsError(
                f"A network sees images up to {_MOST_REDUCTION} times coarser, with "
                f'padding="valid" not at all; {reduction} was asked for.'
            )
        self.reduction = total
        self.stride = _times(self.stride, reduction)
        self.smallest = _times(self.smallest, reduction)
        self.options = {**self.options, "reduction": list(total)}
        self.context = None

    @property
    def parameter_count(self) -> int:
        """Number of trained weights."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, x: Tensor) -> Logits:
        """Compute the logits of a batch of images.

        Parameters
        ----------
        x : Tensor
            Images, shape (N, in_channels, *S), float, of any size S.

        Returns
        -------
        Tensor or list of Tensor
            Logits, shape (N, out_channels, *S), in which each spatial axis lacks ``2 * margin``
            pixels of the image. With deep supervision and in training mode a list of such
            tensors, the main one first.

        Raises
        ------
        ImageError
            If the number of axes or channels is not the network's, or if the image is smaller
            than the margin of a network without padding.
        """
        return self.on_any_size(x, self.logits)

    def on_any_size(self, x: Tensor, compute: Callable[[Tensor], Logits]) -> Logits:
        """Bring images to a size that fits, call `compute`, and cut the result to their size."""
        self._check(x)
        out = [size - 2 * margin for size, margin in zip(x.shape[2:], self.margin, strict=True)]
        result = compute(self._coarse(self._fit(x)))
        if isinstance(result, list):
            return [_crop_start(self._fine(each), out) for each in result]
        return _crop_start(self._fine(result), out)

    @abstractmethod
    def logits(self, x: Tensor) -> Logits:
        """Compute the logits of images whose size fits the layers; see `forward`."""

    def _check(self, x: Tensor) -> None:
        if x.ndim != self.ndim + 2 or x.shape[1] != self.in_channels:
            axes = ", ".join("ZYX"[-self.ndim :])
            raise ImageError(
                f"This network takes {self.ndim}D images with {self.in_channels} channel(s), "
                f"shaped (N, {self.in_channels}, {axes}); it was given {tuple(x.shape)}."
            )
        for axis, (size, margin) in enumerate(zip(x.shape[2:], self.margin, strict=True)):
            if size <= 2 * margin:
                raise ImageError(
                    f"An image of {size} pixels along spatial axis {axis} is too small for a "
                    f"network without padding: at least {2 * margin + 1} are needed."
                )

    def _fit(self, x: Tensor) -> Tensor:
        """Repeat the last pixels at the far end up to the next size that fits the layers."""
        # Statistics of a single position are undefined, so these norms get two positions.
        least = 2 if self.normalises_by_tile() else 1
        pads: list[int] = []
        for size, smallest, stride in zip(x.shape[2:], self.smallest, self.stride, strict=True):
            smallest = smallest + (least - 1) * stride
            steps = max(0, -((smallest - size) // stride))
            pads = [0, smallest + steps * stride - size, *pads]
        return functional.pad(x, pads, mode="replicate") if any(pads) else x

    def _coarse(self, x: Tensor) -> Tensor:
        if max(self.reduction) == 1:
            return x
        pool = {2: functional.avg_pool2d, 3: functional.avg_pool3d}[self.ndim]
        return pool(x, self.reduction)

    def _fine(self, x: Tensor) -> Tensor:
        if max(self.reduction) == 1:
            return x
        scale = [float(n) for n in self.reduction]
        return functional.interpolate(x, scale_factor=scale, mode=LAYERS[self.ndim].interpolation)

    def normalises_by_tile(self) -> bool:
        """Tell whether a norm layer takes its statistics from the images at hand.

        Instance and group norm always do, batch norm does in training mode.
        """
        return any(
            isinstance(module, nn.GroupNorm)
            or (
                isinstance(module, nn.modules.batchnorm._NormBase)
                and (module.training or not module.track_running_stats)
            )
            for module in self.modules()
        )


def crop_centre(x: Tensor, like: Tensor) -> Tensor:
    """Cut the middle of `x` to the spatial size of `like`; a no-op where they agree."""
    for axis in range(2, x.ndim):
        excess = x.shape[axis] - like.shape[axis]
        if excess:
            x = x.narrow(axis, excess // 2, like.shape[axis])
    return x


def _times(sizes: Sequence[int], factors: Sequence[int]) -> tuple[int, ...]:
    return tuple(size * factor for size, factor in zip(sizes, factors, strict=True))


def _crop_start(x: Tensor, size: list[int]) -> Tensor:
    for axis, length in enumerate(size, start=2):
        if x.shape[axis] != length:
            x = x.narrow(axis, 0, length)
    return x
