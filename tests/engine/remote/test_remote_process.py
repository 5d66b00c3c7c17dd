"""Jobs of an engine on a host, which here is a program that stands in for OpenSSH."""

import csv
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import tifffile
import zarr

from command_line import run as run_command
from process_watch import is_running, wait_until
from unet_napari.engine import (
    ArraysReady,
    ConnectionChanged,
    EngineClient,
    ImageRef,
    JobCancelled,
    JobFinished,
    Progress,
    SegmentFileJob,
    SegmentJob,
)
from unet_napari.engine.client import PATIENCE
from unet_napari.engine.protocol import Start, decode, encode
from unet_napari.engine.remote import remote_process
from unet_napari.engine.remote.host import RemoteHost
from unet_napari.engine.remote.shipping import Shipping
from unet_napari.engine.shared import SharedFolder
from unet_napari.errors import ResourceError
from unet_napari.images import nuclei

WAIT = 300.0  # seconds; generous, as a slow machine is no failure
BUSY = 8.0  # seconds that a busy machine may take over what takes none


def test_a_job_runs_on_the_host_and_its_events_come_in_order(jobs, run):
    *steps, end = run(jobs.Count(total=3, pause=0.3))
    assert steps == [Progress(done, 3, "counting") for done in (1, 2, 3)]
    assert end == JobFinished({"counted": 3})


def test_arrays_go_there_and_come_back(jobs, client, run):
    data = np.random.default_rng(0).integers(0, 9000, (5, 300, 400), dtype=np.uint16)
    [end] = run(jobs.Double(client.folder.share(data)))
    np.testing.assert_array_equal(end.result["doubled"], data * 2)


def test_what_a_job_fills_in_is_seen_while_it_is_filled(jobs, client, listener):
    handle = client.submit(jobs.Fill(), listener)
    first = listener.next()
    assert isinstance(first, ArraysReady)
    step = listener.next()
    assert (step.region, first.labels[:2].min(), first.labels[2:].max()) == (((0, 2), (0, 3)), 1, 0)
    assert handle.wait(WAIT)
    assert first.labels.tolist() == [[2, 2, 2]] * 4


def test_of_an_image_only_the_blocks_are_sent_that_are_read(jobs, client, run):
    image = ImageRef(client.folder.share(np.full((2000, 3000), 7, np.uint16)), "YX")
    [end] = run(jobs.Peek(image))
    assert end.result == {"sum": 9 * 9 * 7, "there": 512 * (3000 % 512)}


def test_an_image_in_a_folder_that_both_see_is_not_sent(tmp_path):
    image = zarr.create_array(tmp_path / "a.zarr", shape=(64, 64), dtype="u2", chunks=(32, 32))
    image[...] = 3
    host = RemoteHost("server", folders=((str(tmp_path), "/mnt/lab"),))
    folder = SharedFolder()
    job = SegmentJob(ImageRef(folder.share(image), "YX"), "nuclei")
    shipment = Shipping(host, folder).start(Start(1, encode(job)))
    folder.close()
    assert list(shipment.parts()) == []
    assert decode(decode(shipment.message).job).image.data.path == "/mnt/lab/a.zarr"


def test_a_full_disk_here_is_one_message_and_not_the_end_of_the_engine(
    jobs, client, run, monkeypatch
):
    data = client.folder.share(np.ones((9, 9), np.uint8))

    def full(*_):
        raise ResourceError("There is no room for an array.")

    with monkeypatch.context() as patch:
        patch.setattr(SharedFolder, "allocate", full)
        [failed] = run(jobs.Double(data))
    assert failed.message == "There is no room for an array."
    assert run(jobs.Count(total=1))[-1] == JobFinished({"counted": 1})


def test_a_file_that_the_host_cannot_write_is_refused(client, run, tmp_path):
    image = ImageRef(client.folder.share(np.zeros((9, 9))), "YX")
    [failed] = run(SegmentFileJob(image, "nuclei", str(tmp_path / "labels.zarr")))
    assert "name a folder that both computers see" in failed.message


def test_the_patience_with_a_job_that_is_stopped_leaves_half_a_second_to_end_it():
    assert PATIENCE <= 1.5


def test_stop_ends_a_job_that_never_looks_within_two_seconds(jobs, client, listener):
    handle = client.submit(jobs.Sleep(600), listener)
    listener.next()
    began = time.monotonic()
    client.cancel(handle)
    assert handle.wait(WAIT)
    assert time.monotonic() - began < PATIENCE + BUSY
    assert listener.ends == [JobCancelled()]


def test_stop_ends_a_job_over_a_line_that_is_dead_within_two_seconds(jobs, client, listener):
    handle = client.submit(jobs.Sleep(600), listener)
    listener.next()
    os.kill(client.pid, signal.SIGSTOP)  # as if the cable was pulled
    began = time.monotonic()
    client.cancel(handle)
    assert handle.wait(WAIT)
    assert time.monotonic() - began < PATIENCE + BUSY
    assert listener.ends == [JobCancelled()]


def test_a_lost_connection_is_taken_up_again_and_nothing_is_lost(
    jobs, client, listener, monkeypatch
):
    monkeypatch.setattr(remote_process, "_PAUSE", 0.1)
    handle = client.submit(jobs.Count(total=12, pause=0.25), listener)
    listener.next()
    os.kill(client.pid, signal.SIGKILL)
    assert handle.wait(WAIT)
    lost, back = [event for event in listener.events if isinstance(event, ConnectionChanged)]
    assert (lost.lost, back.lost) == (True, False)
    assert "for ten minutes" in lost.message
    assert listener.ends == [JobFinished({"counted": 12})]


def test_a_line_that_says_nothing_is_replaced_by_a_new_one(jobs, client, listener, monkeypatch):
    monkeypatch.setattr(remote_process, "_SILENCE", 3.0)
    monkeypatch.setattr(remote_process, "_PAUSE", 0.1)
    handle = client.submit(jobs.Count(total=5, pause=0.2), listener)
    listener.next()
    os.kill(client.pid, signal.SIGSTOP)
    assert handle.wait(WAIT)
    assert listener.ends == [JobFinished({"counted": 5})]


def test_an_engine_that_is_killed_there_is_one_failure_and_the_next_job_works(
    jobs, client, listener, run
):
    handle = client.submit(jobs.Environment(), listener)
    assert handle.wait(WAIT)
    worker = listener.ends[0].result["pid"]
    second = type(listener)()
    handle = client.submit(jobs.Sleep(600), second)
    second.next()
    os.kill(worker, signal.SIGKILL)
    assert handle.wait(WAIT)
    assert second.ends[0].message.startswith("On server: The engine process was killed")
    assert run(jobs.Count(total=1))[-1] == JobFinished({"counted": 1})


def test_a_client_that_closes_leaves_no_process_and_no_file(jobs, host, listener):
    with EngineClient(jobs=jobs.__name__, host=host) as client:
        handle = client.submit(jobs.Environment(), listener)
        assert handle.wait(WAIT)
        about = listener.ends[0].result
    wait_until(lambda: not is_running(about["pid"]))
    wait_until(lambda: not any(Path(folder).exists() for folder in about["folders"]))


def test_a_folder_on_a_host_is_listed_as_here(ssh, tmp_path):
    (tmp_path / "images").mkdir()
    for seed in range(2):
        image = nuclei((64, 96), count=15, seed=seed)[0]
        tifffile.imwrite(tmp_path / "images" / f"{seed}.tif", image)
    found = {}
    for place, host in (("here", []), ("there", ["--host", "x", "--host-python", sys.executable])):
        files = {name: tmp_path / f"{place}{name}" for name in (".csv", ".png", "-cells.csv")}
        words = ["--list", files[".csv"], "--sheet", files[".png"], "--table", files["-cells.csv"]]
        output = tmp_path / place
        assert run_command(
            "segment", tmp_path / "images", "--output", output, "--device", "cpu",
            "--backend", "torch", *words, *host,
        ) == 0  # fmt: skip
        with files[".csv"].open() as file:
            rows = list(csv.DictReader(file))
        told = [
            {name: row[name] for name in row if name not in ("seconds", "result")} for row in rows
        ]
        found[place] = told, files[".png"].read_bytes(), files["-cells.csv"].read_text()
    assert [row["image"] for row in found["here"][0]] == ["0", "1"]
    assert all(
        0 < float(row["worst_doubt"]) <= 1 and row["familiarity"] for row in found["here"][0]
    )
    assert found["there"] == found["here"]
