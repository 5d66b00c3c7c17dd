"""Record and pyramid of a single image are made by the workers, and are those of one process."""

from collections import Counter

import numpy as np
import zarr

from cluster_runs import with_task
from unet_napari.cluster.machines import DaskMachines
from unet_napari.folder_run import finishing
from unet_napari.folder_run.order import FolderOrder, ListedImage
from unet_napari.folder_run.run import folder_steps
from unet_napari.folder_run.tables import FolderTables
from unet_napari.images import read_image, result_record
from unet_napari.images.formats import write_zarr
from unet_napari.images.result_record import read_record
from unet_napari.inference import InferenceConfig


def test_the_client_hashes_counts_and_halves_nothing(
    client, small_chunks, saved, many_nuclei, trained_model, tmp_path, monkeypatch
):
    monkeypatch.setattr(write_zarr, "_SMALLEST_LEVEL", 64)
    monkeypatch.setattr(result_record, "_HASHED_SIDES", {"Y": 64, "X": 64})
    done = Counter()

    def watched(module, name):
        work = getattr(module, name)

        def watch(*arguments, **settings):
            done[name] += 1  # a worker gets a copy of the counts
            return work(*arguments, **settings)

        monkeypatch.setattr(module, name, watch)

    watched(result_record, "_block_digest")
    watched(finishing, "_ids_in")
    watched(write_zarr, "_halve_chunk")
    config = InferenceConfig(device="cpu", backend="torch", precision="fp32", diameter="model")
    model, path = with_task(trained_model), saved(many_nuclei)
    results = {}
    for name in ("one", "many"):
        done.clear()
        order = FolderOrder(model, config, machines=None if name == "one" else (
            lambda image: DaskMachines(client, image, model, config)
        ))  # fmt: skip
        output = tmp_path / f"{name}.zarr"
        items = [ListedImage("image", output, lambda: read_image(path))]
        for _ in folder_steps(items, order, FolderTables()):
            pass
        record = read_record(output)
        group = zarr.open_group(output, mode="r")
        results[name] = record.found, record.image.digest, [group[str(n)][...] for n in range(3)]
        here = {"_block_digest": 2 * 4 * 5, "_ids_in": 1, "_halve_chunk": 3}
        assert done == (here if name == "one" else {})
    (found, digest, levels), (found_too, digest_too, levels_too) = results.values()
    assert found["objects"] > 40
    assert (found, digest) == (found_too, digest_too)
    for level, other in zip(levels, levels_too, strict=True):
        np.testing.assert_array_equal(level, other)
    assert levels[2].any()
