"""A segmentation that was stopped goes on, and ends as if it had not been."""

import contextlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tifffile
import zarr

from unet_napari.errors import OutputError
from unet_napari.images import read_image
from unet_napari.inference import InferenceConfig, result_shape, segment_steps
from unet_napari.inference.storage.request_key import request_key
from unet_napari.inference.storage.unfinished import Unfinished

ON_CPU = {"device": "cpu", "backend": "torch", "precision": "fp32"}


@pytest.fixture(autouse=True)
def _always(monkeypatch):
    """Make every run worth resuming, and save after every step."""
    monkeypatch.setattr("unet_napari.inference.sizes.scaled_run._takes_long", lambda _: True)
    monkeypatch.setattr("unet_napari.inference.storage.unfinished._SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr("unet_napari.inference.storage.unfinished._TIMES_A_SAVE", 0.0)


def image_file(folder, shape, axes):
    path = folder / "image.tif"
    if not path.exists():
        pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
        tifffile.imwrite(path, pixels, photometric="minisblack")
    return read_image(path, axes=axes)


def run(image, model, config, output, stop_after=None):
    """Segment, perhaps with a stop; return the labels and the stages that were told."""
    out = np.zeros(result_shape(image), np.uint32)
    stages = []
    with contextlib.suppress(KeyboardInterrupt), Unfinished(output) as left:
        for step in segment_steps(image, model, out, config, unfinished=left):
            stages.append(step.stage)
            if len(stages) == stop_after:
                raise KeyboardInterrupt
    return out, stages


@pytest.mark.parametrize(
    ("shape", "axes", "options"),
    [
        ((90, 40), "YX", {"memory": 60 * 2**20}),
        ((90, 70), "YX", {"tile": (64, 64)}),
        ((5, 40, 40), "ZYX", {"tile": (32, 40), "slicewise": True}),
        ((5, 40, 40), "ZYX", {"tile": (32, 40)}),
        ((2, 3, 40, 40), "TZYX", {"tile": (32, 40), "link": "T"}),
    ],
)
def test_stopped_anywhere_it_goes_on_and_ends_the_same(
    make_model, tmp_path, monkeypatch, shape, axes, options
):
    image = image_file(tmp_path, shape, axes)
    model = make_model()
    if "tile" not in options:  # a stream, in many strips
        monkeypatch.setattr("unet_napari.inference.planning.plan_tiles._OPERATIONS_AT_ONCE", 1)
        monkeypatch.setattr("unet_napari.inference.planning.plan_stream.choose_strip", lambda *_: 8)
    config = InferenceConfig(**ON_CPU, **options)
    expected, stages = run(image, model, config, tmp_path / "whole.tif")
    assert not (tmp_path / ".whole.tif.unfinished").exists()
    predicting = sum(stage.startswith("predicting") for stage in stages)
    assert predicting > 4
    for stop in range(2, predicting + 2):
        output = tmp_path / f"labels-{stop}.tif"
        run(image, model, config, output, stop)
        labels, after = run(image, model, config, output)
        np.testing.assert_array_equal(labels, expected)
        assert len(after) <= len(stages)
        assert stop < 4 or any(stage.startswith("continuing at") for stage in after)
        assert not output.with_name(f".{output.name}.unfinished").exists()


def test_what_another_request_left_is_not_used(make_model, tmp_path):
    image = image_file(tmp_path, (90, 70), "YX")
    config = InferenceConfig(**ON_CPU, tile=(64, 64))
    output = tmp_path / "labels.tif"
    run(image, make_model(seed=0), config, output, 4)
    labels, stages = run(image, make_model(seed=1), config, output)
    assert not any(stage.startswith("continuing") for stage in stages)
    expected, _ = run(image, make_model(seed=1), config, tmp_path / "other.tif")
    np.testing.assert_array_equal(labels, expected)


def test_requests_differ_by_image_model_and_settings(make_model, tmp_path):
    image = image_file(tmp_path, (40, 40), "YX")
    model = make_model(seed=0)
    statistics = model.normalisation.measure(image)
    key = request_key(image, model, InferenceConfig(), statistics)
    assert key == request_key(image, make_model(seed=0), InferenceConfig(), statistics)
    assert key != request_key(image, make_model(seed=1), InferenceConfig(), statistics)
    assert key != request_key(image, model, InferenceConfig(tile=(64, 64)), statistics)
    os.utime(tmp_path / "image.tif", (1, 1))
    assert key != request_key(image, model, InferenceConfig(), statistics)


def test_the_key_of_a_zarr_changes_with_any_of_its_chunks(make_model, tmp_path, monkeypatch):
    path = tmp_path / "x.zarr"
    group = zarr.create_group(str(path))
    levels = [{"path": "0"}, {"path": "1"}]
    axes = [{"name": name, "type": "space"} for name in "yx"]
    group.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": levels}]}
    pixels = np.arange(60 * 60, dtype=np.uint16).reshape(60, 60)
    array = group.create_array("0", data=pixels, chunks=(30, 30))
    small = group.create_array("1", data=pixels[::2, ::2])
    model = make_model(seed=0)
    statistics = model.normalisation.measure(read_image(path))

    def key():
        return request_key(read_image(path), model, InferenceConfig(), statistics)

    first = key()
    small[:] = 0  # another level, and labels beside it, are not the image
    group.create_group("labels")
    assert key() == first
    array[50, 50] = 7
    assert key() != first
    array[50, 50] = pixels[50, 50]
    changed = key()
    monkeypatch.setattr("unet_napari.inference.storage.request_key.version", lambda _: "0.0.0")
    assert key() not in (first, changed)
    monkeypatch.setattr("unet_napari.inference.storage.request_key._MOST_FILES", 3)
    assert key() is None


def test_two_runs_never_share_an_output(tmp_path):
    output = tmp_path / "labels.zarr"
    with Unfinished(output) as first:
        first.begin("a request", 1)
        with pytest.raises(OutputError, match="another unet-napari"), Unfinished(output):
            pass
        assert first.folder.exists()
    assert not first.folder.exists()


def test_a_killed_process_leaves_what_the_next_one_goes_on_with(make_model, tmp_path):
    image = image_file(tmp_path, (400, 40), "YX")
    model = make_model()
    model.save(tmp_path / "model.unet")
    script = tmp_path / "script.py"
    script.write_text(
        "import time, torch\n"
        "torch.set_num_threads(1)\n"
        "from unet_napari.inference import segment\n"
        "from unet_napari.inference.sizes import scaled_run\n"
        "from unet_napari.inference.storage import unfinished\n"
        "scaled_run._takes_long = lambda _: True\n"
        "unfinished._SECONDS_BETWEEN_SAVES = unfinished._TIMES_A_SAVE = 0.0\n"
        "steps = segment.segment_steps\n"
        "from unet_napari import inference\n"
        "def slow(*arguments, **options):\n"
        "    for step in steps(*arguments, **options):\n"
        "        print(step.stage, flush=True)\n"
        "        time.sleep(0.2)\n"
        "        yield step\n"
        "inference.segment_steps = slow\n"
        "from unet_napari.cli import main\n"
        "main()\n"
    )
    output = tmp_path / "labels.tif"
    command = [
        sys.executable, script, "segment", tmp_path / "image.tif", "--axes", "YX", "--model",
        tmp_path / "model.unet", "--output", output, "--device", "cpu", "--backend", "torch",
        "--tile", "64,64",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGKILL)
    assert lines[-1].startswith("predicting")
    assert not output.exists()
    assert (tmp_path / ".labels.tif.unfinished" / "state.safetensors").exists()
    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert "continuing at" in again.stdout
    config = InferenceConfig(**ON_CPU, tile=(64, 64))
    expected, _ = run(image, model, config, tmp_path / "whole.tif")
    np.testing.assert_array_equal(tifffile.imread(output), expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["image.tif", "labels.tif", "model.unet", "script.py"]
    )
