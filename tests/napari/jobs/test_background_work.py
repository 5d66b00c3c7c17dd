import threading

from unet_napari._napari.jobs.background_work import Background


def test_results_arrive_in_qts_thread(qtbot):
    background, seen = Background(), []
    background.run(
        threading.get_ident, lambda work: seen.append((work, threading.get_ident())), seen.append
    )
    qtbot.waitUntil(lambda: bool(seen))
    worked, arrived = seen[0]
    assert worked != threading.get_ident()
    assert arrived == threading.get_ident()
    background.close()


def test_errors_arrive_as_they_are(qtbot):
    background, seen = Background(), []
    background.run(lambda: 1 // 0, seen.append, seen.append)
    qtbot.waitUntil(lambda: bool(seen))
    assert isinstance(seen[0], ZeroDivisionError)
    background.close()


def test_nothing_arrives_after_the_end_and_it_can_begin_anew(qtbot):
    background, seen, started, go = Background(), [], threading.Event(), threading.Event()

    def wait():
        started.set()
        return go.wait(300)

    background.run(wait, seen.append, seen.append)
    assert started.wait(300)
    background.close()
    go.set()
    background.run(lambda: "new", seen.append, seen.append)
    qtbot.waitUntil(lambda: bool(seen))
    qtbot.wait(50)
    assert seen == ["new"]
    background.close()
