"""How jobs, engines and clients end: cancelled, killed, forgotten."""

import os
import signal

import pytest

from process_watch import wait_until
from unet_napari.engine import (
    JobCancelled,
    JobFailed,
    JobFinished,
    Progress,
)

posix = pytest.mark.skipif(os.name == "nt", reason="signals and process groups of POSIX")


WAIT = 300.0  # seconds; generous, as a slow machine is no failure


def test_a_job_cancelled_before_the_worker_is_ready_never_starts(jobs, client, listener):
    handle = client.submit(jobs.Count(total=10), listener)
    client.cancel(handle)
    assert handle.wait(WAIT)
    assert listener.events == [JobCancelled()]


def test_cancelling_after_the_end_does_nothing(jobs, client, listener):
    handle = client.submit(jobs.Count(total=1), listener)
    assert handle.wait(WAIT)
    client.cancel(handle)
    assert len(listener.ends) == 1


@posix
def test_a_killed_engine_is_one_readable_failure_and_the_next_job_works(
    jobs, client, listener, run
):
    handle = client.submit(jobs.Sleep(600), listener)
    listener.next()
    os.kill(client.pid, signal.SIGKILL)
    assert handle.wait(WAIT)
    [failed] = listener.ends
    assert failed.user_error
    assert "was killed, most likely because the computer ran out of memory" in failed.message
    assert run(jobs.Count(total=1))[-1] == JobFinished({"counted": 1})


@posix
def test_an_engine_killed_while_idle_is_replaced_unnoticed(jobs, client, run):
    run(jobs.Count(total=0))
    pid = client.pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: client.pid is None)
    assert run(jobs.Count(total=1)) == [Progress(1, 1, "counting"), JobFinished({"counted": 1})]
    assert client.pid != pid


@pytest.mark.parametrize(
    ("kind", "message", "details"),
    [
        pytest.param("abort", "crashed (SIGABRT)", "about to abort", marks=posix),
        ("exit", "ended unexpectedly (exit status 3)", ""),
    ],
)
def test_a_crash_says_how_and_keeps_the_last_words(jobs, run, kind, message, details):
    [failed] = run(jobs.Fail(kind))
    assert isinstance(failed, JobFailed)
    assert message in failed.message
    assert details in failed.details


@pytest.mark.parametrize(
    ("kind", "user_error", "message"),
    [
        ("user", True, "The image is empty."),
        ("memory", True, "There is not enough memory"),
        ("defect", False, "RuntimeError: a defect"),
    ],
)
def test_an_error_ends_the_job_and_not_the_process(jobs, client, run, kind, user_error, message):
    [failed] = run(jobs.Fail(kind))
    pid = client.pid
    assert failed.user_error is user_error
    assert message in failed.message
    run(jobs.Count(total=1))
    assert client.pid == pid
