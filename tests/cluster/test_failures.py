"""What is killed costs its own part only, and what is wrong is said in one message."""

import contextlib
import errno
import os
import signal
import sys
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from distributed import CancelledError, Client, KilledWorker, LocalCluster
from distributed.comm.core import CommClosedError

from cluster_runs import segmented_file
from unet_napari import segment
from unet_napari.cli import main
from unet_napari.cluster.connection import ask_all, check_workers, connect_cluster
from unet_napari.cluster.dask_pool import result_of
from unet_napari.cluster.image_tasks import cluster_folder_steps
from unet_napari.cluster.job import RegionJob
from unet_napari.errors import ImageError, OutputError, ResourceError, SettingsError
from unet_napari.folder_run.order import FolderOrder
from unet_napari.folder_run.tables import FolderTables
from unet_napari.inference import InferenceConfig

AS_IT_IS = {"diameter": "model"}


def test_a_killed_worker_costs_its_region_only(
    small_chunks, saved, many_nuclei, trained_model, tmp_path
):
    path = saved(many_nuclei)
    expected, _ = segmented_file(path, trained_model, tmp_path / "one.zarr", **AS_IT_IS)
    killed = []

    def kill_one(step):
        if step.stage.startswith("predicting") and step.done and not killed:
            killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    with connect_cluster(workers=2) as client:
        labels, _ = segmented_file(
            path, trained_model, tmp_path / "many.zarr", client, on_step=kill_one, **AS_IT_IS
        )
        assert killed[0] not in client.run(os.getpid).values()
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("stop", ["predicting", "finding objects"])
def test_a_stopped_run_goes_on(
    client, small_chunks, saved, many_nuclei, trained_model, tmp_path, monkeypatch, stop
):
    path, output = saved(many_nuclei), tmp_path / "labels.zarr"
    expected, _ = segmented_file(path, trained_model, tmp_path / "one.zarr", **AS_IT_IS)

    def interrupt(step):
        if step.stage.startswith(stop) and step.done:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        segmented_file(path, trained_model, output, client, on_step=interrupt, **AS_IT_IS)
    assert not output.exists()
    left = len(list((tmp_path / ".labels.zarr.unfinished" / "regions").iterdir()))
    labels, steps = segmented_file(path, trained_model, output, client, **AS_IT_IS)
    (said,) = {step.stage for step in steps if step.stage.startswith("continuing")}
    assert int(said.split()[2]) >= left >= 1
    np.testing.assert_array_equal(labels, expected)


def test_python_writes_into_a_zarr_and_goes_on(
    client, small_chunks, saved, many_nuclei, trained_model, tmp_path
):
    path = saved(many_nuclei)
    expected = segment(path, trained_model, device="cpu", **AS_IT_IS)
    out = zarr.create_array(
        tmp_path / "out.zarr", shape=many_nuclei.shape, dtype="uint32", chunks=(64, 64)
    )
    settings = {"out": out, "client": client, "device": "cpu", **AS_IT_IS}

    def stop(step):
        if step.stage.startswith("finding"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment(path, trained_model, on_progress=stop, **settings)
    stages = []
    segment(path, trained_model, on_progress=lambda s: stages.append(s.stage), **settings)
    assert any(stage.startswith("continuing") for stage in stages)
    np.testing.assert_array_equal(out[...], expected)
    with pytest.raises(ImageError, match="memory of this computer"):
        segment(many_nuclei, trained_model, **settings)
    with pytest.raises(OutputError, match="give it as out"):
        segment(path, trained_model, client=client)
    with pytest.raises(OutputError, match="out is ndarray"):
        segment(path, trained_model, client=client, out=np.zeros(many_nuclei.shape, np.uint32))
    with pytest.raises(SettingsError, match="int8"):
        segment(path, trained_model, **{**settings, "precision": "int8"})
    int8 = FolderOrder(trained_model, InferenceConfig(precision="int8"))
    with pytest.raises(SettingsError, match="int8"):
        next(cluster_folder_steps(client, [], [], int8, FolderTables()))


def test_without_dask_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(SettingsError, match=r"pip install 'unet-napari\[distributed\]'"),
        connect_cluster(workers=2),
    ):
        pass


def test_a_scheduler_that_does_not_answer(monkeypatch):
    monkeypatch.setattr("unet_napari.cluster.connection._PATIENCE", 0.2)
    with (
        pytest.raises(ResourceError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        connect_cluster("tcp://127.0.0.1:9"),
    ):
        pass
    with (
        pytest.raises(ResourceError, match="No Dask scheduler answers at nowhere"),
        connect_cluster("nowhere://x"),
    ):
        pass


def test_a_scheduler_without_workers(monkeypatch):
    monkeypatch.setattr("unet_napari.cluster.connection._PATIENCE_WITH_WORKERS", 0.2)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
        pytest.raises(ResourceError, match="has no workers"),
    ):
        check_workers(client)


def test_workers_of_another_version(client, monkeypatch):
    monkeypatch.setattr("unet_napari.cluster.connection._OWN_VERSION", "9.9")
    with pytest.raises(ResourceError, match=r"than 9\.9, which is here: 2 with 0\.\d.*of 2\. Inst"):
        check_workers(client)
    monkeypatch.undo()
    check_workers(client)


def test_workers_that_do_not_see_the_image(
    client, saved, many_nuclei, trained_model, tmp_path, monkeypatch
):
    path, output = saved(many_nuclei), tmp_path / "labels.zarr"
    write = RegionJob.write

    def write_and_hide(job, model):
        write(job, model)
        path.rename(tmp_path / "elsewhere")

    monkeypatch.setattr(RegionJob, "write", write_and_hide)
    with pytest.raises(ImageError, match=r"does not see the image .*image\.zarr"):
        segmented_file(path, trained_model, output, client, **AS_IT_IS)
    assert [p.name for p in tmp_path.iterdir()] == ["elsewhere"]


def test_workers_that_do_not_see_the_output(
    client, saved, many_nuclei, trained_model, tmp_path, monkeypatch
):
    path, output = saved(many_nuclei), tmp_path / "labels.zarr"
    monkeypatch.setattr(RegionJob, "write", lambda *_: None)
    with pytest.raises(OutputError, match=r"does not see .*unfinished\. Let the output be in"):
        segmented_file(path, trained_model, output, client, **AS_IT_IS)
    assert [p.name for p in tmp_path.iterdir()] == ["image.zarr"]


def test_a_full_disk_on_a_worker(client, saved, many_nuclei, trained_model, tmp_path, monkeypatch):
    path, output = saved(many_nuclei), tmp_path / "labels.zarr"

    def full(array, key, value):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    with pytest.raises(OutputError, match=r"cannot be written on \S+: No space left on device"):
        segmented_file(path, trained_model, output, client, **AS_IT_IS)
    assert [p.name for p in tmp_path.iterdir()] == ["image.zarr"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KilledWorker("task", None, 3), "too little memory"),
        (CancelledError(), "is lost"),
    ],
)
def test_what_dask_says_is_put_into_words(error, said):
    class Failed:
        def result(self, timeout):
            raise error

    with pytest.raises(ResourceError, match=said):
        result_of(Failed())


def test_the_last_worker_is_waited_for_and_not_for_ever():
    threads = deque([{}, {"worker": 1}])  # gone, and back

    class Waiting:
        asked = 0
        client = SimpleNamespace(nthreads=lambda: threads.popleft() if threads else {})

        def result(self, timeout):
            self.asked += 1
            raise TimeoutError

        def done(self):
            return False

    waiting = Waiting()
    with pytest.raises(ResourceError, match="For 10 minutes there has been no worker"):
        result_of(waiting)
    assert waiting.asked == 2 + 600 / 5


def test_a_worker_that_dies_while_it_is_asked_is_left_out():
    answers = {"a": CommClosedError("gone"), "b": 3}
    client = SimpleNamespace(run=lambda *_, **__: answers)
    assert ask_all(client, abs) == [3]
    answers["b"] = OutputError("not seen")
    with pytest.raises(OutputError, match="not seen"):
        ask_all(client, abs)
    del answers["b"]
    with pytest.raises(ResourceError, match="All workers have died"):
        ask_all(client, abs)


def test_one_other_computer_or_many(saved, many_nuclei, tmp_path, capsys):
    command = ["segment", str(saved(many_nuclei)), "--output", str(tmp_path / "labels.zarr")]
    assert main([*command, "--host", "somewhere", "--workers", "2"]) == 2
    assert "name one" in capsys.readouterr().err
