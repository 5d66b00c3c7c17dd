"""Reading ahead and writing behind change when things happen, and nothing else."""

import threading
import traceback

import numpy as np
import pytest

from unet_napari.inference.planning.plan import AHEAD, BEHIND
from unet_napari.inference.running.pipeline import read_ahead, write_behind


def test_items_come_in_order_from_one_other_thread():
    threads = []

    def source():
        for item in range(20):
            threads.append(threading.get_ident())
            yield item

    assert list(read_ahead(source())) == list(range(20))
    assert set(threads) != {threading.get_ident()}
    assert len(set(threads)) == 1


def test_reading_is_ahead_and_not_far_ahead():
    made = []
    reached = threading.Event()

    def source():
        for item in range(10):
            made.append(item)
            if len(made) == AHEAD + 1:
                reached.set()
            yield item

    items = read_ahead(source())
    assert next(items) == 0
    assert reached.wait(300)  # the next one is made while the first is used
    assert len(made) == AHEAD + 1
    items.close()
    assert len(made) == AHEAD + 1


def test_an_error_of_the_source_comes_through_with_its_traceback():
    def damaged_file():
        yield 1
        raise OSError("unreadable")

    items = read_ahead(damaged_file())
    assert next(items) == 1
    with pytest.raises(OSError, match="unreadable") as caught:
        next(items)
    assert "damaged_file" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_closing_ends_the_thread():
    before = threading.active_count()
    items = read_ahead(iter(range(10)))
    next(items)
    items.close()
    assert threading.active_count() == before


def test_everything_is_written_in_order_when_the_block_ends():
    out = np.zeros(5, int)
    with write_behind(out) as (write, _):
        for value in range(1, 4):
            write(slice(None), value)
            write(value, 10 * value)
    np.testing.assert_array_equal(out, [3, 3, 3, 30, 3])


class _Slow:
    """A result that is not written before it may."""

    shape = (9,)

    def __init__(self):
        self.may, self.written = threading.Event(), []

    def __setitem__(self, key, value):
        assert self.may.wait(300)
        self.written.append(key)


def test_writing_is_behind_and_not_far_behind():
    out = _Slow()
    with write_behind(out) as (write, _):
        for key in range(BEHIND):
            write(key, 0)
        assert out.written == []
        threading.Timer(0.05, out.may.set).start()
        write(BEHIND, 0)  # waits
        assert out.written[:1] == [0]
    assert out.written == list(range(BEHIND + 1))


def test_what_waits_is_dropped_after_an_error():
    out = _Slow()

    def fail():
        with write_behind(out) as (write, _):
            write(0, 0)
            threading.Timer(0.05, out.may.set).start()
            write(2, 1 / 0)

    with pytest.raises(ZeroDivisionError):
        fail()
    assert out.written in ([], [0])


def test_an_error_while_writing_comes_through_with_its_traceback():
    class Full:
        shape = (9,)

        def __setitem__(self, key, value):
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full") as caught, write_behind(Full()) as (write, _):
        write(0, 0)
    assert "__setitem__" in "".join(traceback.format_tb(caught.value.__traceback__))
