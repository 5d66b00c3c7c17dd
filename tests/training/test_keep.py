"""When the model of a running training is saved."""

from types import SimpleNamespace

import pytest

from unet_napari.errors import OutputError, UnetNapariWarning
from unet_napari.training import Finished, Step, Validated
from unet_napari.training.keep import Keeper


class Training:
    """A trainer of which only the numbers of steps are known, and a file to save to."""

    def __init__(self, cost=0.0):
        self.now = 0.0
        self.best_step = 0
        self.files = []
        self._cost = cost
        self.exists = True
        self.keeper = Keeper(self, self.save, lambda: self.now, lambda: self.exists)

    @property
    def steps(self):
        return max(self.keeper_step, self.best_step)

    def best_model(self, *, thumbnail):
        return SimpleNamespace(provenance={"step": self.best_step}, thumbnail=thumbnail)

    full = False  # the disk

    def save(self, model):
        if self.full:
            raise OutputError("The disk is full.")
        self.now += self._cost
        self.files.append((model.provenance["step"], model.thumbnail))

    def go(self, steps, seconds, *, judged=False):
        """Make some steps of so many seconds each, without a score unless `judged`."""
        for step in range(self.keeper_step + 1, self.keeper_step + 1 + steps):
            self.now += seconds
            self.keeper_step = step
            if not judged:
                self.best_step = step
            self.keeper.update(Step(step, 1, None, 0.5, 0.1, 0.1, 1.0))

    keeper_step = 0


@pytest.fixture
def training():
    return Training()


def test_the_first_step_is_saved(training):
    training.go(1, seconds=0.01)
    assert training.files == [(1, False)]


def test_the_model_that_training_starts_from_is_saved_after_the_first_step(training):
    training.keeper.update(Validated(0, 0.9, "AP50", best=True, message=""))
    assert training.files == []
    training.go(1, seconds=0.01, judged=True)
    assert training.files == [(0, False)]


def test_without_a_score_the_present_weights_are_saved_now_and_then(training):
    training.go(1000, seconds=0.1)
    steps = [step for step, _ in training.files]
    assert len(steps) < 100
    # At most a second or a fiftieth of the training would be lost by a crash.
    lost = [later - earlier for earlier, later in zip(steps, [*steps[1:], 1000], strict=True)]
    assert all(n <= max(11, later / 40) for n, later in zip(lost, [*steps[1:], 1000], strict=True))


def test_slow_steps_are_saved_one_by_one(training):
    training.go(5, seconds=3.0)
    assert [step for step, _ in training.files] == [1, 2, 3, 4, 5]


def test_saving_takes_a_thirtieth_of_the_time(training):
    training = Training(cost=2.0)
    training.go(1000, seconds=0.5)
    assert 2.0 * len(training.files) < 0.04 * training.now


def test_the_best_model_stays_in_the_file(training):
    training.go(1, seconds=5)
    training.best_step = 1
    training.keeper.update(Validated(1, 0.5, "AP50", True, ""))
    training.go(50, seconds=5, judged=True)
    assert training.files == [(1, False), (1, True)]
    training.keeper.update(Validated(51, 0.4, "AP50", False, ""))
    training.keeper.stop()
    assert training.files == [(1, False), (1, True)]


def test_a_stop_saves_the_weights_first_and_then_the_picture(training):
    training.go(1, seconds=0.01)
    training.go(4, seconds=0.01)
    training.keeper.stop()
    assert training.files == [(1, False), (5, False), (5, True)]


def test_before_the_first_step_there_is_nothing_to_save(training):
    training.keeper.stop()
    assert training.files == []


def test_the_end_is_saved(training):
    training.go(3, seconds=0.01)
    training.keeper.update(Finished("All 3 steps are done.", 3, 1.0, None, "AP50"))
    assert training.files[-1] == (3, True)


def test_a_disk_that_is_full_for_a_while_ends_no_training(training):
    training.go(1, seconds=5)
    training.full = True
    with pytest.warns(UnetNapariWarning, match="goes on, but: The disk is full"):
        training.go(1, seconds=5)
    training.full = False
    training.go(1, seconds=5)
    assert training.files == [(1, False), (3, False)]
    training.full = True
    with pytest.raises(OutputError):
        training.keeper.stop()


def test_a_disk_that_is_full_from_the_start_is_told_at_once(training):
    training.full = True
    with pytest.raises(OutputError):
        training.go(1, seconds=5)


def test_a_file_that_was_deleted_is_written_anew(training):
    training.go(1, seconds=0.01)
    training.exists = False
    training.go(1, seconds=30.0, judged=True)
    assert training.files == [(1, False)] * 2
    training.exists = True
    training.keeper.stop()
    assert training.files[2:] == [(1, True)]
    training.exists = False
    training.keeper.stop()
    assert [step for step, _ in training.files[3:]] == [1, 1]


def test_what_takes_a_moment_can_wait_for_what_must_not_be_lost(training):
    training.go(2, seconds=0.01)
    training.keeper.stop(complete=False)
    assert training.files == [(1, False), (2, False)]
    training.keeper.stop()
    assert training.files[2:] == [(2, True)]
