"""Segment a zarr volume into another one, in memory that does not grow with the volume.

python examples/from_zarr_to_zarr.py [SECONDS]
"""

import sys

import zarr

from unet_napari import segment, train
from unet_napari.images import nuclei

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60

volume, truth = nuclei((48, 160, 160), count=70, seed=0)
source = zarr.create_array("volume.zarr", shape=volume.shape, dtype=volume.dtype, overwrite=True)
source[...] = volume

# A corner of the volume is painted completely: 3D cells, from a crop.
corner = (slice(0, 24), slice(0, 96), slice(0, 96))
model = train(
    volume[corner], truth[corner], task="cells", ndim=3, seconds=seconds, unpainted="background"
)

target = zarr.create_array("labels.zarr", shape=volume.shape, dtype="uint32", overwrite=True)
segment(source, model, out=target, memory=2**30)
print(f"{target[...].max()} objects")
