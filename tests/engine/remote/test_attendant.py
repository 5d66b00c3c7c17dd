"""What outlives a connection on a host, and for how long."""

import socket
import threading

import pytest

from process_watch import WAIT, wait_until
from unet_napari.engine.protocol import JobEvent, JobFinished, Start, decode, encode
from unet_napari.engine.remote import attendant
from unet_napari.engine.remote.line import Frame, Line
from unet_napari.engine.remote.messages import EndWorker, WorkerEnded


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "s"
    folder.mkdir()
    return folder


@pytest.fixture
def attending(jobs, folder):
    """Return the thread of an attendant, whose client has not come yet."""
    arguments = {"args": (folder, jobs.__name__), "kwargs": {"trains": False}}
    thread = threading.Thread(target=attendant.attend, **arguments)
    thread.start()
    yield thread
    thread.join(WAIT)
    assert not thread.is_alive()


def connect(folder, line):
    """Serve a line in a thread; return the connection."""

    def there():
        try:
            door.connect(attendant.socket_in(folder))
        except OSError:
            return False
        return True

    door = socket.socket(socket.AF_UNIX)
    wait_until(there)
    threading.Thread(target=line.serve, args=(door.recv, door.sendall), daemon=True).start()
    return door


def message(value):
    return iter([Frame(1, encode(value).encode())])


def test_an_engine_without_a_job_waits_a_little_for_its_client(folder, attending, monkeypatch):
    monkeypatch.setattr(attendant, "_KEPT_IDLE", 0.5)
    attending.join(WAIT)
    assert not folder.exists()


def test_a_job_goes_on_without_its_client_and_ends_when_nobody_comes_back(
    jobs, folder, attending, monkeypatch
):
    monkeypatch.setattr(attendant, "_KEPT_IDLE", 0.0)
    monkeypatch.setattr(attendant, "_KEPT", 600.0)
    said = []
    line = Line(lambda frame: said.append(decode(frame.content)))
    door = connect(folder, line)
    line.send(message(Start(7, encode(jobs.Count(total=1000, pause=0.02)))))
    wait_until(lambda: said)
    door.shutdown(socket.SHUT_RDWR)
    door.close()
    count = len(said)
    again = connect(folder, line)
    wait_until(lambda: len(said) > count + 2)
    assert all(event.job_id == 7 for event in said)
    again.shutdown(socket.SHUT_RDWR)
    again.close()
    monkeypatch.setattr(attendant, "_KEPT", 0.5)
    attending.join(WAIT)
    assert not folder.exists()
    line.close()


def test_a_wish_to_end_a_job_that_is_done_does_not_end_the_next_one(
    jobs, folder, attending, monkeypatch
):
    said = []
    line = Line(lambda frame: said.append(decode(frame.content)))
    door = connect(folder, line)
    for number in (7, 8):
        line.send(message(Start(number, encode(jobs.Count(total=1)))))
        wait_until(lambda: JobEvent(number, JobFinished({"counted": 1})) in said)  # noqa: B023
        line.send(message(EndWorker(7)))
    assert line.wait_taken(WAIT)
    assert not any(isinstance(one, WorkerEnded) for one in said)
    monkeypatch.setattr(attendant, "_KEPT_IDLE", 0.5)
    door.shutdown(socket.SHUT_RDWR)
    door.close()
    line.close()
