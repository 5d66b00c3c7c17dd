"""Which networks there are, for menus, checks and documentation. No torch.

To add a network, write its class (see `unet_napari.networks.base.Network`) and add an entry to
`CATALOGUE`; ``docs/extending.md`` shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from unet_napari.registry import Registry

__all__ = ["CATALOGUE", "PRESETS", "NetworkEntry", "network_texts"]


@dataclass(frozen=True)
class NetworkEntry:
    """One network as a person chooses it.

    Attributes
    ----------
    name : str
        The name in model files, on the command line and in ``TrainConfig.network``.
    title : str
        The name in the literature.
    description : str
        One line on what it is and when to take it.
    paper : str
        Its source: authors, year, venue or arXiv number.
    implementation : str
        Its class, as ``"package.module:name"``.
    ndims : tuple of int
        The numbers of spatial axes it exists for.
    pretrained : bool
        Whether it can start from ImageNet weights (an argument of its class).
    """

    name: str
    title: str
    description: str
    paper: str
    implementation: str
    ndims: tuple[int, ...] = (2, 3)
    pretrained: bool = False


CATALOGUE: Registry[NetworkEntry] = Registry(
    "network",
    (
        NetworkEntry(
            "unet",
            "U-Net",
            "The plain U-Net: fast, and the right choice unless it has failed you.",
            "Ronneberger et al. 2015, arXiv:1505.04597; 3D: Çiçek et al. 2016, arXiv:1606.06650",
            "unet_napari.networks.unet:UNet",
        ),
        NetworkEntry(
            "attention_unet",
            "Attention U-Net",
            "Learns where to look: small or rare structures in a busy image; its gates can be "
            "shown.",
            "Oktay et al. 2018, arXiv:1804.03999",
            "unet_napari.networks.attention:AttentionUNet",
        ),
        NetworkEntry(
            "nested_unet",
            "U-Net++",
            "Dense nested skips with deep supervision: objects of very different sizes; slower.",
            "Zhou et al. 2018, arXiv:1807.10165",
            "unet_napari.networks.nested:NestedUNet",
        ),
        NetworkEntry(
            "resnet_unet",
            "ResNet U-Net",
            "A ResNet encoder, with ImageNet weights if wanted: colour images and few labels; "
            "2D only.",
            "He et al. 2016, arXiv:1512.03385, as the encoder of a U-Net",
            "unet_napari.networks.resnet:ResNetUNet",
            ndims=(2,),
            pretrained=True,
        ),
        NetworkEntry(
            "fusion_unet",
            "Multi-scale fusion U-Net",
            "Every scale votes on the classes at full resolution: large scenes with fine detail.",
            "Long et al. 2015, arXiv:1411.4038 (fusion of scales), on a U-Net",
            "unet_napari.networks.fusion:FusionUNet",
        ),
    ),
)

PRESETS: dict[str, tuple[int, ...]] = {
    "small": (32, 64, 128, 256, 512),
    "original": (64, 128, 256, 512, 1024),
    "large": (64, 128, 256, 512, 1024, 2048),
}
"""Named sizes: features per level, finest first, the last one being the bottom of the U."""


def network_texts() -> tuple[tuple[object, str], ...]:
    """Return pairs of each network's name and what the docks call it."""
    return tuple((one.name, one.title) for one in CATALOGUE.values())
