"""The U-Net, in two and three dimensions, with its usual options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from unet_napari.checks import check_choice
from unet_napari.networks.base import Logits, Network, crop_centre
from unet_napari.networks.checkpointing import run
from unet_napari.networks.dimensions import LAYERS
from unet_napari.networks.layers import (
    DecoderStage,
    initialise,
    make_block,
    make_interpolation,
    project,
)
from unet_napari.networks.spec import (
    PerAxis,
    UNetSpec,
    feature_counts,
    kernel_table,
    stride_table,
)

__all__ = ["Decoder", "Encoder", "Head", "UNet"]


class Encoder(nn.Module):
    """The way down: two convolutions per level, maximum pooling between the levels."""

    def __init__(self, spec: UNetSpec) -> None:
        super().__init__()
        widths = [spec.in_channels, *spec.features]
        self.checkpointing = spec.checkpointing
        self.blocks = nn.ModuleList(
            make_block(spec, widths[level], widths[level + 1], spec.kernels[level])
            for level in range(spec.levels)
        )
        self.pools = nn.ModuleList(LAYERS[spec.ndim].pool(s, s) for s in spec.strides)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of every level, full resolution first."""
        features = [run(self.blocks[0], x, checkpointing=self.checkpointing)]
        for pool, block in zip(self.pools, self.blocks[1:], strict=True):
            features.append(run(block, pool(features[-1]), checkpointing=self.checkpointing))
        return features


class Decoder(nn.Module):
    """The way up: at every level the features from below join the skip from the encoder.

    Parameters
    ----------
    spec : UNetSpec
        Choices that fix the layers of the network.
    encoded : sequence of int
        Channels of the encoder's features, full resolution first.
    widths : sequence of int
        Channels of this decoder's features, full resolution first; one less than `encoded`.
    stage : type
        Class of one level.
    """

    def __init__(
        self,
        spec: UNetSpec,
        encoded: Sequence[int],
        widths: Sequence[int],
        stage: type[DecoderStage] = DecoderStage,
    ) -> None:
        super().__init__()
        self.checkpointing = spec.checkpointing
        coarse = [*widths[1:], encoded[-1]]
        self.stages = nn.ModuleList(
            stage(spec, level, coarse[level], encoded[level], width)
            for level, width in enumerate(widths)
        )

    def forward(self, encoded: Sequence[Tensor]) -> list[Tensor]:
        """Return the decoded features of every level but the bottom, full resolution first."""
        x = encoded[-1]
        decoded: list[Tensor] = []
        for stage, skip in zip(reversed(self.stages), reversed(encoded[:-1]), strict=True):
            x = run(stage, x, skip, checkpointing=self.checkpointing)
            decoded.insert(0, x)
        return decoded


class Head(nn.Module):
    """Logits from decoded features; with deep supervision, from those of every level.

    Parameters
    ----------
    spec : UNetSpec
        Choices that fix the layers of the network.
    decoded : sequence of int
        Channels of the decoded features, the main one first.
    strides : sequence of tuple of int
        Factor per axis by which each of them is coarser than the image.
    """

    def __init__(self, spec: UNetSpec, decoded: Sequence[int], strides: Sequence[PerAxis]) -> None:
        super().__init__()
        used = len(decoded) if spec.deep_supervision else 1
        self.projections = nn.ModuleList(
            nn.Sequential(project(spec, width, spec.out_channels), make_interpolation(spec, stride))
            for width, stride in zip(decoded[:used], strides[:used], strict=True)
        )

    def forward(self, decoded: Sequence[Tensor], encoded: Sequence[Tensor]) -> Logits:
        """Return the logits, in training with deep supervision a list of them."""
        main = self.main(decoded[0], encoded)
        if not self.training or len(self.projections) == 1:
            return main
        others = zip(self.projections[1:], decoded[1:], strict=True)
        return [main, *(crop_centre(projection(x), main) for projection, x in others)]

    def main(self, decoded: Tensor, encoded: Sequence[Tensor]) -> Tensor:
        """Return the main logits; `encoded` is for heads that look at the encoder too."""
        del encoded
        logits: Tensor = self.projections[0](decoded)
        return logits


class UNet(Network):
    """The U-Net of Ronneberger et al. 2015 (arXiv:1505.04597), in 2D and 3D.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the image and of the logits, 1 to 1024.
    features : int, str or sequence of int
        Features of every level, full resolution first; or a base count, doubled at each of
        four further levels as in the paper; or a preset: ``"small"``, ``"original"``,
        ``"large"``.
    ndim : int
        Number of spatial axes, 2 or 3.
    strides : int or sequence
        Down-sampling between the levels, for each step a number or one number per axis:
        ``[(1, 2, 2), (2, 2, 2)]`` suits a stack whose Z step is twice its pixel size.
    kernels : int or sequence
        Size of the convolutions (1, 3, 5 or 7), for each level a number or one per axis:
        ``[(1, 3, 3), 3, 3]`` lets no information pass along Z while Z is still coarse.
    padding : {"same", "valid"}
        ``"same"`` keeps the image's size; ``"valid"`` convolves without padding and crops the
        skips, as in the paper, and loses `margin` pixels at every side.
    norm : {"batch", "instance", "group", "none"}, optional
        By default batch norm, and none with ``padding="valid"``, as in the papers. Only
        batch norm and none make a tiled prediction equal to the untiled one.
    activation : {"relu", "leaky_relu", "elu", "gelu", "silu"}
        The non-linearity.
    upsampling : {"transposed", "interpolate"}
        Transposed convolution as in the paper, or linear interpolation and convolution, which
        cannot make a checkerboard.
    residual : bool
        Add each block's input to its output (Zhang et al. 2018, arXiv:1711.10684).
    deep_supervision : bool, optional
        In training, return logits from every level of the decoder (Lee et al. 2015,
        arXiv:1409.5185), all at full resolution, the main one first. By default only
        `NestedUNet` does, as in its paper.
    dropout : float
        Probability of dropping a feature map after each block, 0 up to 1.
    checkpointing : bool
        Spend time to save memory in training: compute activations again in the backward pass.

    Raises
    ------
    SettingsError
        If an option is out of range or contradicts another.

    Examples
    --------
    >>> import torch
    >>> paper = UNet(in_channels=3, out_channels=1, features=64, padding="valid")
    >>> paper(torch.zeros(1, 3, 572, 572)).shape
    torch.Size([1, 1, 388, 388])
    """

    name: ClassVar[str] = "unet"
    stage: ClassVar[type[DecoderStage]] = DecoderStage
    supervised: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        features: int | str | Sequence[int] = 64,
        *,
        ndim: int = 2,
        strides: int | Sequence[int | Sequence[int]] = 2,
        kernels: int | Sequence[int | Sequence[int]] = 3,
        padding: str = "same",
        norm: str | None = None,
        activation: str = "relu",
        upsampling: str = "transposed",
        residual: bool = False,
        deep_supervision: bool | None = None,
        dropout: float = 0.0,
        checkpointing: bool = False,
    ) -> None:
        check_choice("ndim", ndim, tuple(LAYERS))
        counts = feature_counts(features)
        spec = UNetSpec(
            in_channels=in_channels,
            out_channels=out_channels,
            features=counts,
            ndim=ndim,
            strides=stride_table(strides, ndim=ndim, levels=len(counts)),
            kernels=kernel_table(kernels, ndim=ndim, levels=len(counts)),
            padding=padding,
            norm=("none" if padding == "valid" else "batch") if norm is None else norm,
            activation=activation,
            upsampling=upsampling,
            residual=residual,
            deep_supervision=self.supervised if deep_supervision is None else deep_supervision,
            dropout=dropout,
            checkpointing=checkpointing,
        )
        margin, smallest = _valid_sizes(spec)
        super().__init__(
            spec.to_dict(),
            ndim=ndim,
            in_channels=in_channels,
            out_channels=out_channels,
            stride=spec.total_stride,
            margin=margin,
            smallest=smallest,
        )
        self.spec = spec
        self.encoder = Encoder(spec)
        self.decoder = self.make_decoder(spec)
        self.head = self.make_head(spec)
        self.apply(initialise)

    def make_decoder(self, spec: UNetSpec) -> nn.Module:
        """Return what decodes the features of the encoder; subclasses may have their own."""
        return Decoder(spec, spec.features, spec.features[:-1], self.stage)

    def make_head(self, spec: UNetSpec) -> nn.Module:
        """Return what makes logits of the decoded features; subclasses may have their own."""
        strides = [spec.stride_to(level) for level in range(spec.levels - 1)]
        return Head(spec, spec.features[:-1], strides)

    def logits(self, x: Tensor) -> Logits:
        """Compute the logits of images whose size fits the layers."""
        encoded = self.encoder(x)
        logits: Logits = self.head(self.decoder(encoded), encoded)
        return logits


def _valid_sizes(spec: UNetSpec) -> tuple[PerAxis, PerAxis]:
    """Return the pixels lost per side and the smallest input, per axis."""
    if spec.padding == "same":
        return (0,) * spec.ndim, spec.total_stride
    sizes = [_valid_size(spec, axis) for axis in range(spec.ndim)]
    return tuple(margin for margin, _ in sizes), tuple(smallest for _, smallest in sizes)


def _valid_size(spec: UNetSpec, axis: int) -> tuple[int, int]:
    """Return the margin and the smallest input along one axis, both in pixels."""
    losses = [2 * (kernel[axis] - 1) for kernel in spec.kernels]  # pixels that a block loses
    strides = [stride[axis] for stride in spec.strides]
    steps = list(zip(reversed(strides), reversed(losses[:-1]), strict=True))
    bottom = 1
    while not (output := _way_up(bottom, steps)):
        bottom += 1
    smallest = bottom + losses[-1]
    for stride, loss in steps:
        smallest = smallest * stride + loss
    return (smallest - output) // 2, smallest


def _way_up(size: int, steps: list[tuple[int, int]]) -> int:
    """Return the output size above a bottom of `size` pixels; 0 if a level has none left."""
    for stride, loss in steps:
        size = max(0, size * stride - loss)
    return size
