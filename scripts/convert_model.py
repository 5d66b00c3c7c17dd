"""Convert a model file from before the first release, a zip, to the safetensors form.

``python scripts/convert_model.py OLD NEW`` writes NEW and compares it with OLD: all weights and the
picture bit for bit, and the description.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from pathlib import Path

import imagecodecs
import numpy as np
import safetensors.numpy

from unet_napari.model.file import open_model_file, write_model_file
from unet_napari.model.schema import encode_info, parse_info


def main() -> None:
    """Convert one file and compare the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.old) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    description = json.loads(members["model.json"])
    weights = safetensors.numpy.load(members["weights.safetensors"])
    png = members.get("thumbnail.png")
    picture = None if png is None else np.ascontiguousarray(imagecodecs.png_decode(png))
    write_model_file(
        arguments.new, encode_info(parse_info(json.dumps(description))), weights, picture
    )
    with open_model_file(arguments.new) as file:
        found, thumbnail = file.weights(), file.thumbnail()
        same = json.loads(file.description()) == description
    same &= found.keys() == weights.keys()
    for name, array in weights.items():
        same &= found[name].dtype == array.dtype and found[name].shape == array.shape
        same &= found[name].tobytes() == array.tobytes()
    same &= (thumbnail is None) == (picture is None)
    same &= picture is None or np.array_equal(thumbnail, picture)
    if not same:
        raise SystemExit(f"{arguments.new} is not what {arguments.old} is.")
    print(f"{len(weights)} tensors, picture and description are the same.")


if __name__ == "__main__":
    main()
