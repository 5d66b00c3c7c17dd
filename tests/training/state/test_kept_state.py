"""When the state of a running training is written."""

from __future__ import annotations

import pytest

from unet_napari.errors import OutputError, UnetNapariWarning
from unet_napari.training import Finished, Resting, Step
from unet_napari.training.state.kept_state import KeptState

STEP = Step(1, 1, None, 0.5, 0.1, 0.1, 1.0)


class Training:
    """A trainer of which only the number of steps is known, and a clock that writing moves."""

    def __init__(self, path, cost=0.0, size=10):
        self.now, self.steps, self.written = 0.0, 1, []
        self.full = False
        self._path, self._cost, self._size = path, cost, size
        self.kept = KeptState(self, path, "a", path, clock=lambda: self.now)
        self.kept.write = self.write

    def write(self):
        if self.full:
            raise OutputError("The disk is full.")
        self.now += self._cost
        self._path.write_bytes(bytes(self._size))
        self.written.append(self.now)

    def go(self, seconds):
        end = self.now + seconds
        while self.now < end:
            self.now += 0.5
            self.kept.update(STEP)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.state"


def test_it_is_written_after_the_first_step_and_every_five_seconds_to_a_minute(path):
    training = Training(path)
    training.go(60)
    assert training.written[0] == 0.5
    assert len(training.written) == 12
    training.now = 10_000
    training.written.clear()
    training.go(300)
    assert len(training.written) == 5


def test_nothing_is_written_before_the_first_step(path):
    training = Training(path)
    training.steps = 0
    training.go(20)
    training.kept.stop()
    assert training.written == []
    assert not path.exists()


def test_new_paint_is_there_after_three_seconds(path):
    training = Training(path)
    training.now = 10_000
    training.go(0.5)
    training.kept.painted()
    training.go(3)
    assert len(training.written) == 2
    training.go(20)
    assert len(training.written) == 2


def test_slow_and_large_states_are_written_less_often(path):
    slow = Training(path, cost=1.0)
    slow.go(310)
    assert len(slow.written) <= 11
    large = Training(path, size=100_000_000)
    large.go(1)
    for _ in range(10):
        large.kept.painted()
        large.go(3)
    assert len(large.written) == 4


def test_the_end_and_a_rest_are_written_at_once(path):
    training = Training(path)
    training.go(1)
    training.kept.update(Resting(1, None))
    training.kept.update(Finished("Stopped.", 1, 1.0, None, "AP50"))
    assert len(training.written) == 3


def test_a_full_disk_is_told_and_the_training_goes_on(path):
    training = Training(path)
    training.full = True
    with pytest.warns(UnetNapariWarning, match="could not be continued later: The disk is full"):
        training.go(0.5)
    training.full = False
    training.go(6)
    assert training.written
