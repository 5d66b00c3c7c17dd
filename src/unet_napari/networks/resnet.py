"""A ResNet as the encoder of a U-Net, with ImageNet weights if wanted; 2D only.

The backbones are torchvision's (He et al. 2016, arXiv:1512.03385).
"""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import torch
from torch import Tensor, nn

from unet_napari.checks import check_choice
from unet_napari.errors import ModelFileError, ResourceError, SettingsError
from unet_napari.networks.base import Logits, Network
from unet_napari.networks.checkpointing import run
from unet_napari.networks.layers import initialise, make_block
from unet_napari.networks.spec import UNetSpec, feature_counts
from unet_napari.networks.unet import Decoder, Head

__all__ = ["DEPTHS", "ResNetUNet"]

DEPTHS = (18, 34, 50, 101, 152)

_STEPS = 5  # a ResNet halves its input five times


class ResNetEncoder(nn.Module):
    """Features of the ResNet's five resolutions, and of a block at full resolution before it.

    The ResNet's own first features are at half resolution, too coarse for the boundary between
    two cells that touch; the extra block brings the image's detail to the decoder.
    """

    def __init__(self, spec: UNetSpec, depth: int) -> None:
        super().__init__()
        backbone = getattr(_torchvision_models(), f"resnet{depth}")(weights=None)
        if spec.in_channels != 3:
            backbone.conv1 = nn.Conv2d(spec.in_channels, 64, 7, stride=2, padding=3, bias=False)
            initialise(backbone.conv1)
        self.channels = (
            spec.features[0],
            64,
            *(backbone.fc.in_features >> n for n in (3, 2, 1, 0)),
        )
        backbone.fc = nn.Identity()
        self.checkpointing = spec.checkpointing
        self.backbone = backbone
        self.entry = make_block(spec, spec.in_channels, spec.features[0], spec.kernels[0])

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of every level, full resolution first."""
        net = self.backbone
        stem: Tensor = net.relu(net.bn1(net.conv1(x)))
        features = [run(self.entry, x, checkpointing=self.checkpointing), stem]
        x = net.maxpool(stem)
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = run(layer, x, checkpointing=self.checkpointing)
            features.append(x)
        return features


class ResNetUNet(Network):
    """A U-Net decoder on a ResNet encoder, full-resolution output, 2D.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the image and of the logits, 1 to 1024.
    depth : {18, 34, 50, 101, 152}
        Number of layers of the ResNet.
    pretrained : bool, str or Path
        Start from torchvision's ImageNet weights: ``True`` downloads them (once), a path
        reads a file with such a state dict. Not part of `options`.
    ndim : int
        Must be 2, as there are no ImageNet weights for volumes.
    features : sequence of int
        Features of the decoder's five levels, full resolution first.
    upsampling, deep_supervision, dropout, checkpointing
        As for `UNet`.

    Raises
    ------
    SettingsError
        If an option is out of range, or `ndim` is not 2.
    ResourceError
        If the weights cannot be downloaded.
    ModelFileError
        If the file with weights cannot be read or is for another network.

    Notes
    -----
    With other than three channels, each gets the mean of the RGB filters, scaled so that an
    image with the same values in every channel gives the same features as it does in gray RGB.
    """

    name: ClassVar[str] = "resnet_unet"

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        depth: int = 50,
        pretrained: bool | str | Path = False,
        *,
        ndim: int = 2,
        features: Sequence[int] = (16, 32, 64, 128, 256),
        upsampling: str = "interpolate",
        deep_supervision: bool = False,
        dropout: float = 0.0,
        checkpointing: bool = False,
    ) -> None:
        check_choice("depth", depth, DEPTHS)
        if ndim != 2:
            raise SettingsError(
                "The ResNet U-Net works on 2D images only; choose another network for volumes."
            )
        counts = feature_counts(features)
        if len(counts) != _STEPS:
            raise SettingsError(f"features must have {_STEPS} entries, not {len(counts)}.")
        spec = UNetSpec(
            in_channels=in_channels,
            out_channels=out_channels,
            features=counts,
            ndim=2,
            strides=((2, 2),) * _STEPS,
            kernels=((3, 3),) * _STEPS,
            padding="same",
            norm="batch",
            activation="relu",
            upsampling=upsampling,
            residual=False,
            deep_supervision=deep_supervision,
            dropout=dropout,
            checkpointing=checkpointing,
        )
        options = spec.to_dict() | {"depth": depth}
        own = (
            *("in_channels", "out_channels", "depth", "ndim", "features"),
            *("upsampling", "deep_supervision", "dropout", "checkpointing"),
        )
        super().__init__(
            {option: options[option] for option in own},
            ndim=2,
            in_channels=in_channels,
            out_channels=out_channels,
            stride=(2**_STEPS,) * 2,
        )
        self.encoder = ResNetEncoder(spec, depth)
        self.decoder = Decoder(spec, self.encoder.channels, counts)
        self.head = Head(spec, counts, [spec.stride_to(level) for level in range(_STEPS)])
        for fresh in (self.encoder.entry, self.decoder, self.head):
            fresh.apply(initialise)
        if pretrained is not False:
            weights = _download(depth) if pretrained is True else _read(Path(pretrained))
            load_backbone(self.encoder.backbone, weights, depth)

    def logits(self, x: Tensor) -> Logits:
        """Compute the logits of images whose size fits the layers."""
        encoded = self.encoder(x)
        logits: Logits = self.head(self.decoder(encoded), encoded)
        return logits


def load_backbone(backbone: nn.Module, weights: Mapping[str, Tensor], depth: int) -> None:
    """Load ImageNet weights into a ResNet with any number of input channels."""
    weights = {name: value for name, value in weights.items() if not name.startswith("fc.")}
    first = weights.get("conv1.weight")
    channels = backbone.get_parameter("conv1.weight").shape[1]
    if first is not None and first.ndim == 4 and first.shape[1] == 3 != channels:
        mean = first.mean(dim=1, keepdim=True)
        weights["conv1.weight"] = mean.repeat(1, channels, 1, 1) * (3 / channels)
    try:
        backbone.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelFileError(
            f"The pretrained weights are not those of a ResNet-{depth}; "
            "choose the depth that they were made for."
        ) from error


def _torchvision_models() -> ModuleType:
    """Import torchvision only for this network: it takes as long as torch itself.

    It computes while it is imported, so a mode that the caller is in, such as the device meta,
    must not reach it: below torch 2.9 the import failed there.
    """
    with torch.device("cpu"):
        return importlib.import_module("torchvision.models")


def _download(depth: int) -> Mapping[str, Tensor]:
    name = f"ResNet{depth}_Weights"
    try:
        weights: Mapping[str, Tensor] = getattr(_torchvision_models(), name).DEFAULT.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:  # no network, a full disk, a wrong checksum
        raise ResourceError(
            f"The ImageNet weights of ResNet-{depth} could not be downloaded ({error}). Connect "
            "to the internet, give the path of a file that has them, or train without."
        ) from error
    return weights


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelFileError(
            f"{path} cannot be read as pretrained weights; it must be a state dict saved by "
            "torch, without other Python objects."
        ) from error
    if not isinstance(weights, dict) or not all(isinstance(v, Tensor) for v in weights.values()):
        raise ModelFileError(f"{path} holds no state dict (names and tensors).")
    return weights
