"""One camera's worker: ends of files, orders, failures on its thread, and what it keeps in memory."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest

from motionseg import MotionSegmenter
from motionseg.apps.service import lookout as lookout_module
from motionseg.apps.service._count import NEWS, Count
from motionseg.apps.service.feed import Shot
from motionseg.apps.service.lookout import Lookout
from motionseg.apps.service.sight import Sight
from motionseg.background import RunningAverage
from motionseg.core.types import Event
from motionseg.events import Enter, EventDetector

FPS = 10


class FakeFeed:
    """Gives what it is given."""

    def __init__(self):
        self.shots, self.state, self.n_asked, self.n = queue.Queue(), "running", 0, 0
        self.begin = time.monotonic() - 20  # so that all is long ago

    def start(self):
        pass

    def stop(self, timeout=5.0):
        pass

    def show(self, *frames):
        for frame in frames:
            self.n += 1
            self.shots.put(Shot(self.begin + self.n / FPS, frame, self.n, time.monotonic()))

    def newest(self, timeout):
        self.n_asked += 1
        try:  # as the real one, which does not wait where nothing will come
            return self.shots.get(timeout=0.001 if self.state == "ended" else timeout)
        except queue.Empty:
            return None

    def status(self):
        return {"state": self.state, "last_error": None, "since": time.time()}


def picture(index):
    """A box comes in from the right at frame 20, and stays."""
    frame = np.random.default_rng(0).integers(90, 110, (96, 128, 3)).astype(np.uint8)
    if index >= 20:
        x = max(110 - 4 * (index - 20), 20)
        frame[40:80, x : x + 20] = (30, 60, 200)
    return frame


def wait_for(what, within=20.0):
    end = time.monotonic() + within
    while not what():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


class Bench:
    def __init__(self, **parts):
        self.feed, self.told = FakeFeed(), []
        sight = Sight(MotionSegmenter(background=RunningAverage()), EventDetector([Enter()], camera="door"))
        self.lookout = Lookout("door", sight, self.feed, tell=lambda events, at: self.told.extend(events), **parts)

    @property
    def n_seen(self):
        return self.lookout.status()["frames_processed"]

    def see(self, *frames):
        before = self.n_seen
        self.feed.show(*frames)
        wait_for(lambda: self.n_seen == before + len(frames))


@pytest.fixture
def begin():
    benches = []

    def begin(**parts):
        bench = Bench(**parts)
        benches.append(bench)
        bench.lookout.start()
        return bench

    yield begin
    for bench in benches:
        assert bench.lookout.stop()


def test_a_file_that_ends_ends_its_events_and_is_waited_for_in_peace(begin):
    bench = begin()
    bench.see(*(picture(i) for i in range(60)))
    assert [event.is_open for event in bench.told] == [True]
    bench.feed.state = "ended"
    wait_for(lambda: len(bench.told) == 2)
    assert (bench.told[1].id, bench.told[1].is_open) == (bench.told[0].id, False)
    before = bench.feed.n_asked
    time.sleep(0.5)
    assert bench.feed.n_asked < before + 50  # it does not turn as fast as it can
    assert len(bench.told) == 2
    assert bench.lookout.status()["open_events"] == 0
    assert bench.lookout.is_well


def test_events_end_while_a_camera_is_away(begin):
    bench = begin()
    bench.see(*(picture(i) for i in range(60)))
    (begun,) = bench.told
    bench.feed.state = "waiting"
    wait_for(lambda: len(bench.told) == 2)
    ended = bench.told[1]
    wait_for(lambda: bench.lookout.status()["open_events"] == 0)
    assert (ended.id, ended.reason["ended"]) == (begun.id, "gap")
    assert begun.start < ended.end < begun.start + 6
    bench.feed.state, bench.feed.begin = "running", bench.feed.begin + 10
    bench.see(*(picture(59) for _ in range(10)))
    assert len(bench.told) == 2  # it stands where it stood: nobody has come


def test_a_feed_that_stops_ends_no_event(begin):
    bench = begin()
    bench.see(*(picture(i) for i in range(60)))
    bench.feed.state = "stopped"
    before = bench.feed.n_asked
    wait_for(lambda: bench.feed.n_asked > before + 3)
    assert [event.is_open for event in bench.told] == [True]


def test_an_order_that_came_too_late_is_never_done(begin, monkeypatch):
    bench, done, release, is_in = begin(), [], threading.Event(), threading.Event()
    real = bench.lookout.sight.look

    def look(*facts):
        is_in.set()
        release.wait(20)
        return real(*facts)

    monkeypatch.setattr(bench.lookout.sight, "look", look)
    bench.feed.show(picture(0))
    assert is_in.wait(20)
    with pytest.raises(TimeoutError, match="door is busy"):
        bench.lookout.call(lambda: done.append(1), timeout=0.05)
    assert not bench.lookout.stop(0.05)
    assert bench.lookout.is_alive
    release.set()
    wait_for(lambda: not bench.lookout.is_alive)
    assert done == []
    assert bench.lookout.call(lambda: 7) == 7  # nobody else would do it now
    assert bench.lookout.status()["state"] == "stopped"


def test_orders_give_what_they_give_or_raise(begin):
    lookout = begin().lookout
    assert lookout.call(threading.current_thread) is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        lookout.call(lambda: 1 / 0)


def test_no_failure_ends_the_thread(begin, caplog):
    answers = [([], "x", 0), ([], 4, 2)]  # of a store that is odd at first
    bench = begin(recall=lambda camera: answers.pop(0))
    bench.see(picture(0))
    assert answers == []
    assert "a frame failed" in caplog.text
    assert bench.lookout.sight.detector.next_number == 5
    assert bench.lookout.is_well


def test_a_model_that_always_fails_is_noticed(begin, monkeypatch, caplog):
    bench = begin()
    bench.see(picture(0))

    def fail(*facts):
        raise ZeroDivisionError("it is broken")

    monkeypatch.setattr(bench.lookout.sight.segmenter.background, "apply", fail)
    monkeypatch.setattr(bench.lookout.sight.segmenter.background, "reset", fail)
    for i in range(45):
        bench.feed.show(picture(i))
    wait_for(lambda: bench.lookout.status()["frames_failed"] == 45)
    assert bench.lookout.is_alive
    assert not bench.lookout.is_well
    assert caplog.text.count("a frame failed") == 3  # not each of them
    monkeypatch.undo()
    bench.see(picture(0))
    assert bench.lookout.is_well


def test_events_are_told_whatever_else_fails(begin, monkeypatch):
    bench = begin()

    def fail(tracks):
        raise ZeroDivisionError

    monkeypatch.setattr(bench.lookout.trails, "update", fail)
    bench.feed.show(*(picture(i) for i in range(60)))
    wait_for(lambda: bench.told)


class StuckKeeper:
    """A disk that answers no more."""

    def __init__(self):
        self.futures = []

    def submit(self, *order):
        self.futures.append(Future())
        return self.futures[-1]


def test_states_do_not_gather_before_a_disk_that_is_stuck(tmp_path):
    keeper = StuckKeeper()
    bench = Bench(folder=tmp_path, keeper=keeper, state_every=0.0)
    bench.lookout.start()
    bench.see(*(picture(0) for _ in range(10)))
    assert len(keeper.futures) == 1
    keeper.futures[0].set_result(None)
    bench.see(picture(0))
    assert len(keeper.futures) == 2
    bench.lookout.ask_to_stop()
    wait_for(lambda: len(keeper.futures) == 3)  # the last one is waited for
    keeper.futures[2].set_result(None)
    assert bench.lookout.stop()


def test_what_the_store_never_confirms_is_forgotten(begin, monkeypatch):
    monkeypatch.setattr(lookout_module, "_MOST_UNSTORED", 10)
    lookout = begin().lookout
    for i in range(100):
        lookout._tell([Event(f"door-{i}-0", "door", "enter", "", (), 0.0)], arrived=0.0)
    assert len(lookout._unstored) <= 11


def test_a_state_of_which_nobody_has_thought_is_set_aside(tmp_path, monkeypatch):
    (tmp_path / "door.npz").write_bytes(b"")
    bench = Bench(folder=tmp_path)

    def load(path):
        raise ZeroDivisionError

    monkeypatch.setattr(bench.lookout.sight, "load", load)
    bench.lookout.start()
    bench.see(picture(0))
    assert bench.lookout.stop()
    assert [path.name[:12] for path in tmp_path.iterdir() if "damaged" in path.name] == ["door.damaged"]


def test_what_has_ended_after_the_state_was_kept_does_not_hide_what_comes(begin, tmp_path):
    first = Bench()
    first.lookout.start()
    first.see(*(picture(i) for i in range(60)))
    assert first.lookout.stop()
    (begun,) = first.told
    first.lookout.sight.save(tmp_path / "door.npz")  # then it went on, told the end, and was killed

    answers = [ZeroDivisionError("the store is away"), ([], 1, 1)]

    def recall(camera):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    second = begin(folder=tmp_path, recall=recall)
    assert [event.id for event in second.lookout.sight.detector.open_events] == [begun.id]
    second.lookout._recall_at = 0.0
    wait_for(lambda: not answers)
    second.see(picture(0))
    assert second.lookout.sight.detector.open_events == []
    assert second.told == []
    assert second.lookout.sight.detector.next_number == 2


def test_a_trouble_that_is_over_is_told_for_some_minutes(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("motionseg.apps.service._count.time.monotonic", lambda: now[0])
    count = Count(None)
    assert count.status()["last_error"] is None
    count.fail("the disk is full")
    now[0] += NEWS - 1
    assert count.status()["last_error"] == "the disk is full"
    now[0] += 2
    assert count.status()["last_error"] is None
