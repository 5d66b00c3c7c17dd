"""Jobs in a real engine process: heard, cancelled, and survived when it dies."""

import gc
import os
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path

import numpy as np
import pytest

from process_watch import is_running, wait_until
from unet_napari.engine import (
    EngineClient,
    ImageRef,
    JobCancelled,
    JobFinished,
    JobWarning,
    PreviewRequest,
    Progress,
)
from unet_napari.errors import EngineError

posix = pytest.mark.skipif(os.name == "nt", reason="signals and process groups of POSIX")


WAIT = 300.0  # seconds; generous, as a slow machine is no failure


def test_events_arrive_in_order_and_the_result_last(jobs, run):
    events = run(jobs.Count(total=3))
    assert events == [
        Progress(1, 3, "counting"),
        Progress(2, 3, "counting"),
        Progress(3, 3, "counting"),
        JobFinished({"counted": 3}),
    ]


def test_one_process_does_one_job_after_another(jobs, run, client):
    run(jobs.Count(total=1))
    pid = client.pid
    run(jobs.Count(total=2))
    assert client.pid == pid != os.getpid()


def test_a_second_job_is_refused_while_one_runs(jobs, client, listener):
    handle = client.submit(jobs.Sleep(60), listener)
    listener.next()
    with pytest.raises(EngineError, match="busy"):
        client.submit(jobs.Count(total=1), listener)
    client.cancel(handle)
    assert handle.wait(WAIT)


def test_the_next_job_may_be_submitted_by_the_last_event_of_the_first(jobs, client, listener):
    handles = []

    def chain(event):
        if isinstance(event, JobFinished):
            handles.append(client.submit(jobs.Count(total=1), listener))

    assert client.submit(jobs.Count(total=0), chain).wait(WAIT)
    assert handles[0].wait(WAIT)
    assert listener.ends == [JobFinished({"counted": 1})]


def test_a_cooperative_job_is_cancelled_and_its_process_kept(jobs, client, listener):
    handle = client.submit(jobs.Count(total=10_000, pause=0.01), listener)
    listener.next()
    pid = client.pid
    client.cancel(handle)
    assert handle.wait(WAIT)
    assert listener.ends == [JobCancelled()]
    assert client.pid == pid


def test_a_stuck_job_is_cancelled_by_ending_its_process(jobs, client, listener, run):
    handle = client.submit(jobs.Sleep(600), listener)
    listener.next()
    pid = client.pid
    client.cancel(handle)
    client.cancel(handle)
    assert handle.wait(WAIT)
    assert listener.ends == [JobCancelled()]
    assert not is_running(pid)
    assert client.pid not in (None, pid)  # a fresh one is on its way
    assert run(jobs.Count(total=1))[-1] == JobFinished({"counted": 1})


def test_a_training_that_is_ended_by_force_says_which_step_is_kept(jobs, client, listener):
    handle = client.submit(jobs.Learn("sleep"), listener)
    while getattr(listener.next(), "step", 0) != 124:
        pass
    client.cancel(handle)
    assert handle.wait(WAIT)
    [finished] = listener.ends
    assert finished.result == {
        "model": "/models/a.unet",
        "score": None,
        "score_name": "AP50",
        "verdict": "paint more",
        "step": 120,
        "steps": 124,
        "stopped": True,
        "reason": "Stopped.",
    }


def test_a_training_that_fails_says_which_model_is_kept(jobs, run):
    failed = run(jobs.Learn("fail"))[-1]
    assert failed.message == (
        "The image is empty. The model of step 120 of 124 is kept in '/models/a.unet'."
    )


def test_what_libraries_print_does_not_disturb(jobs, run):
    assert run(jobs.Print()) == [JobFinished({"stdin": ""})]


def test_warnings_for_the_user_are_sent_once_a_job(jobs, run):
    job = jobs.Warn(("one", "two", "one"))
    for _ in range(2):
        assert run(job) == [JobWarning("one"), JobWarning("two"), JobFinished({})]


def test_jobs_that_cannot_be_imported_fail_with_the_reason(client, jobs, listener):
    with EngineClient(jobs="no_such_module") as broken:
        assert broken.submit(jobs.Count(total=1), listener).wait(WAIT)
    [failed] = listener.events
    assert "No module named 'no_such_module'" in failed.message


@pytest.mark.parametrize("trains", [False, True])
def test_an_engine_that_waits_is_warmed_up_and_survives_what_fails(
    jobs, tmp_path, monkeypatch, trains
):
    told = tmp_path / "warm"
    monkeypatch.setenv("ENGINE_TEST_WARM", str(told))
    listener = []
    with EngineClient(jobs=jobs.__name__, trains=trains) as idle:
        idle.start()
        wait_until(lambda: told.exists() and told.read_text() == f"trains: {trains}")
        assert idle.submit(jobs.Environment(), listener.append).wait(WAIT)
    [finished] = listener
    assert finished.result["frozen"] > 1000


def test_an_unknown_job_is_refused_before_it_is_sent(client, listener):
    with pytest.raises(TypeError, match="cannot be sent"):
        client.submit(object(), listener)


def test_arrays_go_there_and_back_and_leave_no_file(jobs, client, run):
    data = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    [finished] = run(jobs.Double(client.folder.share(data)))
    assert np.array_equal(finished.result["doubled"], data * 2)
    assert finished.result["doubled"].flags.writeable
    assert [list(Path(folder).iterdir()) for folder in client.folder.folders] == [
        [] for _ in client.folder.folders
    ]


def test_a_command_reaches_a_running_job(jobs, client, listener):
    handle = client.submit(jobs.AwaitCommand(), listener)
    listener.next()
    data = np.array([[1, 2], [3, 4]], np.uint8)
    request = PreviewRequest(ImageRef(client.folder.share(data), "YX"), key="left")
    client.command(handle, request)
    preview = listener.next()
    assert (preview.step, preview.key, preview.labels.tolist()) == (7, "left", [[2, 3], [4, 5]])
    assert handle.wait(WAIT)


def test_a_command_after_the_end_is_ignored_and_its_array_removed(jobs, client, listener):
    handle = client.submit(jobs.Count(total=1), listener)
    assert handle.wait(WAIT)
    reference = client.folder.share(np.zeros((2, 2), np.uint8))
    client.command(handle, PreviewRequest(ImageRef(reference, "YX")))
    assert not Path(reference.path).exists()


def test_a_failing_receiver_does_not_stop_the_others(jobs, client, listener, caplog):
    def fail(event):
        raise ValueError("in the receiver")

    assert client.submit(jobs.Count(total=1), fail).wait(WAIT)
    assert client.submit(jobs.Count(total=1), listener).wait(WAIT)
    assert listener.ends == [JobFinished({"counted": 1})]
    assert "the receiver of JobFinished failed" in caplog.text


def test_close_ends_the_process_and_removes_the_folder(jobs, listener):
    client = EngineClient(jobs=jobs.__name__)
    handle = client.submit(jobs.Sleep(600), listener)
    listener.next()
    pid, folders = client.pid, client.folder.folders
    client.close()
    assert handle.done
    assert listener.ends == [JobCancelled()]
    assert not is_running(pid)
    assert not any(Path(folder).exists() for folder in folders)
    with pytest.raises(EngineError, match="closed"):
        client.submit(jobs.Count(total=1), listener)
    client.close()


def test_a_forgotten_client_takes_its_process_along(jobs):
    client = EngineClient(jobs=jobs.__name__)
    client.start()
    pid, folders, alive = client.pid, client.folder.folders, weakref.ref(client)
    del client
    gc.collect()
    assert alive() is None
    assert not is_running(pid)
    assert not any(Path(folder).exists() for folder in folders)


PROGRAM = """
    import sys, threading, time
    import engine_test_jobs
    from unet_napari.engine import EngineClient

    def begun(event):
        print(client.pid, flush=True)
        at_work.set()

    at_work = threading.Event()
    client = EngineClient(jobs="engine_test_jobs")
    client.submit(engine_test_jobs.Sleep(600), begun)
    print(*client.folder.folders, flush=True)
    {ending}
"""


@posix
@pytest.mark.parametrize("ending", ["time.sleep(600)", "at_work.wait(60)"], ids=["killed", "ended"])
def test_the_engine_ends_with_the_program_that_started_it(jobs, ending):
    program = textwrap.dedent(PROGRAM).format(ending=ending)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as p:
        folders = p.stdout.readline().split()
        pid = int(p.stdout.readline())
        assert is_running(pid)
        if ending.startswith("time"):
            p.kill()
        p.wait(WAIT)
    wait_until(lambda: not is_running(pid))
    wait_until(lambda: not any(Path(folder).exists() for folder in folders))


def test_the_process_is_shielded_from_the_terminal_and_the_present_folder(
    jobs, run, monkeypatch, tmp_path
):
    (tmp_path / "json.py").write_text("raise ImportError('a file of the user')")
    monkeypatch.chdir(tmp_path)
    [finished] = run(jobs.Environment())
    assert finished.result["path"] != str(tmp_path)
    if os.name != "nt":
        assert finished.result["session"] == finished.result["pid"]
    assert finished.result["faults"] < 100  # of 4096: freed memory is kept while a job runs
