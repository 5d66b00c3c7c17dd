"""Sound files of every kind that the readers know, to be spoilt."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
import torch
import zarr

from unet_napari import Model
from unet_napari.images import Normalisation, open_output
from unet_napari.networks import build_network
from unet_napari.tasks import CellsTask, SemanticTask

__all__ = ["KINDS", "sources_of"]

KINDS = ("tiff", "picture", "zarr", "model")
_PIXELS = np.random.default_rng(0).integers(0, 255, (2, 6, 40, 50), np.uint8)


def sources_of(
    kinds: tuple[str, ...], data: list[Path], folder: Path, largest: int
) -> dict[str, list[Path]]:
    """Return the files and folders of each kind, in a fixed order; a sound one first."""
    folder.mkdir()
    makers = {"tiff": _tiffs, "picture": _pictures, "zarr": _zarrs, "model": _models}
    sources = {}
    for kind in kinds:
        (folder / kind).mkdir()
        sources[kind] = makers[kind](folder / kind)
    if "tiff" in sources:
        found = [p for given in data for p in ([given] if given.is_file() else given.rglob("*.*"))]
        suffixes = (".tif", ".tiff", ".lsm")
        sources["tiff"] += sorted(
            path
            for path in found
            if path.suffix.lower() in suffixes and 0 < path.stat().st_size <= largest
        )
    return sources


def _tiffs(folder: Path) -> list[Path]:
    plain = {"imagej": True, "metadata": {"axes": "ZYX", "unit": "um", "spacing": 2.0}}
    ome = {"metadata": {"axes": "CZYX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2}}
    tifffile.imwrite(folder / "imagej.tif", _PIXELS[0], **plain)
    tifffile.imwrite(folder / "ome.ome.tif", _PIXELS, **ome)
    tifffile.imwrite(folder / "tiled.tif", _PIXELS[0], tile=(16, 16), compression="zlib")
    tifffile.imwrite(folder / "big.tif", _PIXELS[0], bigtiff=True, compression="lzw")
    tifffile.imwrite(folder / "jpeg.tif", _PIXELS[0, 0], compression="jpeg", tile=(32, 32))
    with tifffile.TiffWriter(folder / "pyramid.tif") as tif:
        tif.write(_PIXELS[0, 0], subifds=1)
        tif.write(_PIXELS[0, 0, ::2, ::2], subfiletype=1)
    return sorted(folder.iterdir())


def _pictures(folder: Path) -> list[Path]:
    colours = np.moveaxis(_PIXELS[0, :3], 0, -1).copy()
    for name, pixels in (("gray", _PIXELS[0, 0]), ("colours", colours)):
        (folder / f"{name}.png").write_bytes(imagecodecs.png_encode(pixels))
        (folder / f"{name}.jpg").write_bytes(imagecodecs.jpeg_encode(pixels))
        (folder / f"{name}.bmp").write_bytes(imagecodecs.bmp_encode(pixels))
    return sorted(folder.iterdir())


def _zarrs(folder: Path) -> list[Path]:
    sizes = {"Z": 2.0, "Y": 0.5, "X": 0.5}
    with open_output(
        folder / "ours.zarr", shape=_PIXELS.shape, dtype="u1", axes="CZYX", pixel_size=sizes
    ) as out:
        out[...] = _PIXELS
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [1, 2, 0.5, 0.5]}]
    levels = [{"path": "0", "coordinateTransformations": scale}]
    image = {"version": "0.4", "axes": axes, "datasets": levels}
    outer = zarr.create_group(
        str(folder / "raw.zarr"), zarr_format=2, attributes={"bioformats2raw.layout": 3}
    )
    inner = outer.create_group("0", attributes={"multiscales": [image]})
    inner.create_array("0", data=_PIXELS, chunks=(1, 2, 20, 20))
    zarr.create_array(
        str(folder / "sharded.zarr"),
        data=_PIXELS[0],
        chunks=(1, 10, 10),
        shards=(2, 20, 20),
        dimension_names=["z", "y", "x"],
    )
    zarr.save_array(str(folder / "bare.zarr"), _PIXELS[0].astype(">f4"), zarr_format=2)
    return sorted(folder.iterdir())


def _models(folder: Path) -> list[Path]:
    for name, ndim, task in (
        ("unet", 2, CellsTask()),
        ("attention_unet", 2, SemanticTask(classes=(1, 2, 3))),
        ("nested_unet", 3, CellsTask()),
    ):
        torch.manual_seed(0)
        options = {"ndim": ndim, "in_channels": 1, "out_channels": 3, "features": [2, 4, 4]}
        network = build_network(name, options).eval()
        Model(network, task, Normalisation(), {"Y": 0.5, "X": 0.5}).save(folder / f"{name}.unet")
    return sorted(folder.iterdir())
