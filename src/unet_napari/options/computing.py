"""Which computer computes, each setting with its option."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from unet_napari.options.config import Config
from unet_napari.options.option import Option

__all__ = ["HostConfig"]


@dataclass(frozen=True)
class HostConfig(Config):
    """The computer on which a training or a segmentation runs."""

    host: Annotated[
        str | None,
        Option(
            help="Computer that computes, reached by SSH: a host of ~/.ssh/config, or user@server. "
            "By default it is this one. See docs/guide/remote.md.",
            group="Computing",
            label="where",
            tooltip="The computer that computes: a host of ~/.ssh/config, or user@server.\n"
            "Your SSH key has to open it, and unet-napari has to be installed there.\n"
            "Hosts that were used are offered when you type. Empty: this computer.",
            metavar="HOST",
        ),
    ] = None
    host_python: Annotated[
        str,
        Option(
            help="Python of the host that has unet-napari, such as ~/unet/bin/python.",
            group="Computing",
            label="its Python",
            tooltip="The command of the Python that has unet-napari on the host, such as\n"
            "~/unet/bin/python. Empty: python.",
            metavar="COMMAND",
        ),
    ] = "python"
    host_folders: Annotated[
        str | None,
        Option(
            help="Folders that both computers see: the path here, =, the path there; several with "
            "commas between them. Images in them are not sent, and outputs of a zarr go there.",
            group="Computing",
            label="its folders",
            tooltip="Folders that both computers see, such as /home/me/data=/mnt/lab/data,\n"
            "several with commas between them. Images in them are read there, not sent.",
            metavar="HERE=THERE",
        ),
    ] = None
