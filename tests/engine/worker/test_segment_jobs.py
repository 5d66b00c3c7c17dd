"""Segmentations by the engine process: of images, of their parts, at other sizes."""

from dataclasses import replace

import numpy as np
import pytest

from engine_jobs import WAIT, of, run
from unet_napari import estimate_diameter
from unet_napari.engine import (
    ArraysReady,
    DecodeJob,
    DiameterJob,
    ImageRef,
    JobCancelled,
    JobFinished,
    Progress,
    SegmentJob,
)
from unet_napari.images import Image, Normalisation, nuclei
from unet_napari.images.result_record import ResultRecord, pixel_digest
from unet_napari.inference import InferenceConfig, segment_steps
from unet_napari.inference.results.recording import model_digest
from unet_napari.model.model import Model
from unet_napari.networks import build_network
from unet_napari.tasks import make_task

TORCH = InferenceConfig(backend="torch")
EAGER = {"foreground_threshold": 0.4, "seed_threshold": 0.1, "min_size": 0}


def labels_of(listener):
    [output] = of(ArraysReady, listener)
    return output.labels


def test_segmenting_gives_what_the_same_model_gives_here(client, picture, listener, model_path):
    image = Image(picture[0], "YX", {"Y": 0.5, "X": 0.5})
    expected = np.zeros(image.shape, np.uint32)
    for _ in segment_steps(image, Model.load(model_path), expected, TORCH):
        pass
    reference = ImageRef(client.folder.share(image.data), "YX", image.pixel_size)
    finished = run(client, SegmentJob(reference, str(model_path), TORCH.to_dict()), listener)
    objects = len(np.unique(expected)) - 1
    kept = finished.result["kept"]
    assert finished.result == {"objects": objects, "unfamiliar": None, "kept": kept}
    assert isinstance(listener.events[0], ArraysReady)
    assert np.array_equal(labels_of(listener), expected)
    assert of(Progress, listener)[-1].done == of(Progress, listener)[-1].total
    assert ((0, 96), (0, 128)) in [event.region for event in of(Progress, listener)]


def test_the_transparency_of_a_colour_picture_is_left_out_for_a_model_of_colours(
    client, picture, listener, tmp_path
):
    options = {"in_channels": 3, "out_channels": 2, "features": [2, 4]}
    network = build_network("unet", options).eval()
    task = make_task({"name": "semantic", "classes": [1, 2]})
    Model(network, task, Normalisation(), {}, "colours").save(tmp_path / "colours.unet")
    colours = np.stack([picture[0], picture[0][::-1], picture[0][:, ::-1]], axis=-1)
    opaque = np.full_like(colours[..., :1], 255)
    found = []
    for pixels in (colours, np.concatenate([colours, opaque], axis=-1)):
        reference = ImageRef(client.folder.share(pixels), "YXC", {}, "picture")
        listener.events.clear()
        listener.ends.clear()
        job = SegmentJob(reference, str(tmp_path / "colours.unet"), maps=True)
        end = run(client, job, listener)
        assert isinstance(end, JobFinished), end
        [output] = of(ArraysReady, listener)
        found.append(np.array(output.maps))
    np.testing.assert_array_equal(*found)
    assert np.ptp(found[0]) > 0


def test_where_the_labels_come_from_is_told_where_a_file_is_named(
    client, picture, listener, model_path, tmp_path
):
    pixels = picture[0]
    image = ImageRef(client.folder.share(pixels), "YX", name="nuclei")
    file, thresholds = str(tmp_path / "nuclei.tif"), {"min_size": 30}
    job = SegmentJob(image, str(model_path), thresholds=thresholds, result_file=file)
    result = run(client, job, listener).result
    record = ResultRecord.from_dict(result["record"])
    assert (record.model.name, record.image.name) == (model_path.stem, "nuclei")
    assert record.model.digest == model_digest(Model.load(model_path))
    assert record.image.digest == pixel_digest(Image(pixels, "YX"))
    assert record.thresholds == thresholds
    assert record.found == {"objects": result["objects"], "doubted": False}
    assert record.computed["device"] == "cpu"


def test_segmenting_can_return_the_maps(client, picture, listener, model_path):
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    finished = run(
        client, SegmentJob(reference, str(model_path), TORCH.to_dict(), maps=True), listener
    )
    assert isinstance(finished, JobFinished)
    [output] = of(ArraysReady, listener)
    assert output.map_names == Model.load(model_path).task.map_names
    maps = output.maps
    assert (maps.shape, maps.dtype) == ((3, 96, 128), np.float32)
    assert maps.min() >= 0
    assert 0 < maps.max() <= 1


def test_how_large_objects_are_is_measured_and_used(
    client, picture, listener, trained_model, tmp_path
):
    image = nuclei((192, 256), count=56, seed=5)[0]
    path = trained_model.save(tmp_path / "nuclei.unet")
    reference = ImageRef(client.folder.share(image), "YX")
    config = TORCH.to_dict()
    found = run(client, DiameterJob(reference, str(path), config), listener).result["diameter"]
    assert found == pytest.approx(estimate_diameter(image, trained_model))
    last = of(Progress, listener)[-1]
    assert last.done == last.total
    empty = ImageRef(client.folder.share(np.zeros((96, 96), np.uint8)), "YX")
    again = type(listener)()
    job = DiameterJob(empty, str(path), config, {"low": [100.0], "high": [1000.0]})
    assert run(client, job, again).result == {"diameter": None}


def test_a_part_may_be_segmented_with_the_brightness_of_the_whole(
    client, picture, listener, model_path
):
    model = Model.load(model_path)
    whole, part = Image(picture[0], "YX"), picture[0][:40, :40]
    statistics = model.normalisation.measure(whole).to_dict()
    reference = ImageRef(client.folder.share(part), "YX")
    job = SegmentJob(reference, str(model_path), TORCH.to_dict(), maps=True, statistics=statistics)
    run(client, job, listener)
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    again = type(listener)()
    run(client, SegmentJob(reference, str(model_path), TORCH.to_dict(), maps=True), again)
    # Far enough from the cut, the network sees the same.
    [found], [entire] = of(ArraysReady, listener), of(ArraysReady, again)
    assert np.allclose(found.maps[:, :20, :20], entire.maps[:, :20, :20], atol=1e-5)


def test_of_a_part_with_context_the_wanted_part_comes_back(client, picture, listener, model_path):
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    options = {"config": TORCH.to_dict(), "maps": True, "thresholds": EAGER}
    part = SegmentJob(
        reference, str(model_path), inner=((10, 60), (20, 100)), measure=True, **options
    )
    finished = run(client, part, listener)
    assert isinstance(finished, JobFinished), finished
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    whole = type(listener)()
    run(client, SegmentJob(reference, str(model_path), **options), whole)
    [found], [entire] = of(ArraysReady, listener), of(ArraysReady, whole)
    assert np.array_equal(found.labels, entire.labels[10:60, 20:100])
    assert np.array_equal(found.maps, entire.maps[:, 10:60, 20:100])
    table = finished.result["table"]
    ids, pixels = np.unique(found.labels[found.labels > 0], return_counts=True)
    assert finished.result["objects"] == len(ids) > 0
    assert table["label"] == tuple(ids)
    assert table["area"] == tuple(pixels)
    first = np.argwhere(found.labels == ids[0])
    assert np.allclose((table["centroid-0"][0], table["centroid-1"][0]), first.mean(axis=0))
    inside = picture[0][10:60, 20:100][found.labels == ids[0]]
    assert np.isclose(table["intensity_mean"][0], inside.mean())


def test_with_what_lies_around_the_cells_at_the_border_are_whole(
    client, picture, listener, model_path
):
    found, entire = [], []
    for outputs, inner in ((found, ((10, 60), (20, 100))), (entire, None)):
        reference = ImageRef(client.folder.share(picture[0]), "YX")
        job = SegmentJob(
            reference,
            str(model_path),
            inner=inner,
            around=inner is not None,
            config=TORCH.to_dict(),
            maps=True,
            thresholds=EAGER,
        )
        heard = type(listener)()
        outputs += [run(client, job, heard).result, *of(ArraysReady, heard)]
    assert np.array_equal(found[1].labels, entire[1].labels)
    assert np.array_equal(found[1].maps, entire[1].maps[:, 10:60, 20:100])
    inside = np.unique(entire[1].labels[10:60, 20:100])
    assert found[0]["objects"] == np.count_nonzero(inside) < entire[0]["objects"]
    assert found[0]["highest"] == entire[0]["objects"]


def test_thresholds_replace_those_of_the_model(client, picture, listener, model_path):
    model = Model.load(model_path)
    expected = np.zeros(picture[0].shape, np.uint32)
    eager = replace(model, task=replace(model.task, **EAGER))
    for _ in segment_steps(Image(picture[0], "YX"), eager, expected, TORCH):
        pass
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    run(client, SegmentJob(reference, str(model_path), TORCH.to_dict(), thresholds=EAGER), listener)
    assert expected.any()
    assert np.array_equal(labels_of(listener), expected)
    # The maps of a run with other thresholds, decoded again, give the same.
    reference = ImageRef(client.folder.share(picture[0]), "YX")
    first, then = type(listener)(), type(listener)()
    number = run(client, SegmentJob(reference, str(model_path), TORCH.to_dict()), first)
    again = run(client, DecodeJob(number.result["kept"], EAGER), then)
    assert np.array_equal(again.result["labels"], expected)


def test_a_slice_of_a_lazily_read_stack(client, listener, model_path, tmp_path):
    stack, _ = nuclei((4, 64, 64), count=10, seed=2)
    stack.tofile(tmp_path / "stack.raw")
    mapped = np.memmap(tmp_path / "stack.raw", stack.dtype, "r", shape=stack.shape)
    reference = ImageRef(client.folder.share(mapped), "ZYX", fixed={"Z": 2})
    run(client, SegmentJob(reference, str(model_path), TORCH.to_dict()), listener)
    expected = np.zeros((64, 64), np.uint32)
    for _ in segment_steps(Image(stack[2], "YX"), Model.load(model_path), expected, TORCH):
        pass
    assert np.array_equal(labels_of(listener), expected)


def test_cancelling_a_segmentation_changes_nothing(client, listener, model_path):
    noise = np.random.default_rng(0).integers(0, 255, (200, 256, 256), np.uint8)
    reference = ImageRef(client.folder.share(noise), "ZYX")
    config = InferenceConfig(backend="torch", slicewise=True).to_dict()
    handle = client.submit(SegmentJob(reference, str(model_path), config), listener)
    while not isinstance(listener.next(), Progress):
        pass
    client.cancel(handle)
    assert handle.wait(WAIT)
    assert listener.ends == [JobCancelled()]
