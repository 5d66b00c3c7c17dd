"""Segmentations by the engine process into files, and what they leave behind."""

from dataclasses import replace

import numpy as np
import torch
import zarr

from engine_jobs import of, run
from unet_napari.engine import (
    ArraysReady,
    ImageRef,
    JobFailed,
    JobFinished,
    SegmentFileJob,
    SegmentJob,
)
from unet_napari.engine.arrays import open_ref
from unet_napari.engine.shared import SharedFolder
from unet_napari.engine.worker.job_context import Cancelled
from unet_napari.engine.worker.segment_file import segment_into_file
from unet_napari.images import Image, Normalisation, nuclei, read_image
from unet_napari.images.result_record import pixel_digest, read_record
from unet_napari.inference import InferenceConfig, segment_steps
from unet_napari.inference.attention_maps import gate_maps
from unet_napari.model.model import Model
from unet_napari.networks import build_network
from unet_napari.tasks import make_task

TORCH = InferenceConfig(backend="torch")


class Context:
    """That of a job which is stopped as soon as it has saved how far it is."""

    def __init__(self, folder, kept):
        self.folder, self._kept = folder, kept
        self.stages = []

    def open(self, reference):
        return open_ref(reference, folders=self.folder.folders)

    def send(self, progress):
        self.stages.append(progress.stage)

    def check(self):
        if self._kept.exists():
            raise Cancelled


def test_labels_of_an_image_are_saved_to_a_file(client, picture, listener, model_path, tmp_path):
    image = Image(picture[0], "YX", {"Y": 0.5, "X": 0.5})
    expected = np.zeros(image.shape, np.uint32)
    for _ in segment_steps(image, Model.load(model_path), expected, TORCH):
        pass
    reference = ImageRef(client.folder.share(image.data), "YX", image.pixel_size)
    path = tmp_path / "labels.zarr"
    job = SegmentFileJob(reference, str(model_path), str(path), TORCH.to_dict(), measure=True)
    finished = run(client, job, listener)
    saved = read_image(path)
    assert np.array_equal(saved.read()[0], expected)
    assert saved.pixel_size == image.pixel_size
    assert finished.result["objects"] == len(np.unique(expected)) - 1
    assert len(finished.result["table"]["label"]) == finished.result["objects"]
    record = read_record(path)
    assert record.settings == TORCH.to_dict()
    assert record.image.digest == pixel_digest(image)
    assert record.model.name == model_path.stem
    assert (tmp_path / record.model.path).resolve() == model_path.resolve()
    assert record.computed["backend"] == "torch"
    twin = ImageRef(client.folder.share(image.data), "YX")
    again = run(client, replace(job, image=twin), type(listener)())
    assert isinstance(again, JobFailed)
    assert "exists already" in again.message
    assert {item.name for item in tmp_path.iterdir()} == {"labels.zarr"}


def test_a_stopped_segmentation_into_a_file_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr("unet_napari.inference.sizes.scaled_run._takes_long", lambda _: True)
    monkeypatch.setattr("unet_napari.inference.storage.unfinished._SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr("unet_napari.inference.storage.unfinished._TIMES_A_SAVE", 0.0)
    torch.manual_seed(0)  # with some weights one class is everywhere
    network = build_network("unet", {"in_channels": 1, "out_channels": 3, "features": (4, 8)})
    task = make_task({"name": "semantic", "classes": (1, 2, 3)})
    model = Model(network, task, Normalisation()).save(tmp_path / "model.unet")
    pixels = np.stack([nuclei((96, 64), count=20, seed=z)[0] for z in range(5)])
    stack = zarr.create_array(tmp_path / "stack.zarr", shape=pixels.shape, dtype=pixels.dtype)
    stack[...] = pixels
    folder = SharedFolder()
    image = ImageRef(folder.share(stack), "ZYX", source=str(tmp_path / "stack.zarr"))
    config = replace(TORCH, slicewise=True, tile=(64, 64))
    path = tmp_path / "labels.zarr"
    job = SegmentFileJob(image, str(model), str(path), config.to_dict())
    kept = tmp_path / ".labels.zarr.unfinished"
    first = Context(folder, kept / "state.safetensors")
    assert segment_into_file(job, first) == {"stopped": True, "kept": True}
    assert not path.exists()
    second = Context(folder, tmp_path / "nothing stops it")
    assert segment_into_file(job, second) == {"objects": None, "unfamiliar": None}
    assert any(stage.startswith("continuing at") for stage in second.stages)
    expected = np.zeros(pixels.shape, np.uint32)
    for _ in segment_steps(Image(pixels, "ZYX"), Model.load(model), expected, config):
        pass
    assert np.array_equal(read_image(path).read()[0], expected)
    assert len(np.unique(expected)) > 1
    assert not kept.exists()
    folder.close()


def test_the_gates_of_an_attention_network_come_behind_the_maps(
    client, picture, listener, tmp_path
):
    network = build_network("attention_unet", {"ndim": 2, "features": [4, 8, 8], "out_channels": 3})
    model = Model(network.eval(), make_task({"name": "cells"}), Normalisation(), name="gates")
    path = model.save(tmp_path / "gates.unet")
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    inner = ((10, 60), (20, 100))
    job = SegmentJob(reference, str(path), TORCH.to_dict(), maps=True, attention=True, inner=inner)
    assert isinstance(run(client, job, listener), JobFinished)
    [output] = of(ArraysReady, listener)
    assert output.map_names == (
        *model.task.map_names, "attention, level 1", "attention, level 2",
    )  # fmt: skip
    gates = gate_maps(Image(picture[0], "YX"), Model.load(path), TORCH)
    np.testing.assert_allclose(output.maps[3:], gates[:, 10:60, 20:100], atol=1e-6)
    assert output.maps[0].max() > 0
