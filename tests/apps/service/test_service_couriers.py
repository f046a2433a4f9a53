"""Couriers and the JSON Lines sink: each telling arrives at least once and in order, whatever happens on the way."""

import json
import os
import subprocess
import threading

import pytest
from real_servers import wait_until

from motionseg.apps.service.couriers import Courier, DeliveryError, Sink
from motionseg.apps.service.jsonl import JsonlSink
from motionseg.apps.service.store import StoreError, Telling, open_store
from motionseg.core.types import Event


def telling(number, phase="begin", **others):
    facts = {"camera": "door", "rule": "enter", "zone": "yard", **others}
    end = None if phase == "begin" else 1500.0
    return Telling(Event(f"{facts['camera']}-{number}-0", track_ids=(1,), start=1000.0, end=end, **facts), 2000.0)


@pytest.fixture
def store(tmp_path):
    opened = open_store(None, tmp_path)
    yield opened
    opened.close()


class Listener(Sink):
    """Notes what it is given, and fails when it is told to."""

    batch = 7
    longest_pause = 0.5

    def __init__(self, name="listener"):
        self.name, self.heard, self.calls, self.problem = name, [], [], None
        self.started = self.closed = False

    def start(self):
        self.started = True

    def deliver(self, tellings):
        self.calls.append(len(tellings))
        if self.problem is not None:
            raise self.problem
        self.heard += [(t.event.id, t.phase) for t in tellings]

    def close(self):
        self.closed = True

    def status(self):
        return {"own": 1}


@pytest.fixture
def courier_of(store):
    made = []

    def make(sink):
        made.append(Courier(sink, store))
        return made[-1]

    yield make
    for courier in made:
        courier.stop(5.0)


def ids(*numbers, phase="begin"):
    return [(f"door-{number}-0", phase) for number in numbers]


def test_all_of_the_log_is_delivered_in_order(store, courier_of):
    sink = Listener()
    store.record([telling(n) for n in range(20)])
    courier = courier_of(sink)
    courier.start()
    wait_until(lambda: len(sink.heard) == 20)
    store.record([telling(20), telling(3, "end")])
    courier.wake()
    wait_until(lambda: len(sink.heard) == 22)
    assert sink.heard == [*ids(*range(21)), *ids(3, phase="end")]
    assert max(sink.calls) <= 7
    wait_until(lambda: store.cursor("listener") == 22)
    status = courier.status()
    assert status == {"name": "listener", "delivered": 22, "failures": 0, "behind": 0, "last_error": None, "own": 1}
    assert sink.started
    courier.stop(5.0)
    assert sink.closed


def test_a_failure_that_nobody_has_foreseen_does_not_end_a_courier(store, courier_of, caplog, monkeypatch):
    monkeypatch.setattr("motionseg.apps.service.couriers._AGAIN", 0.05)
    sink = Listener()
    sink.problem = DeliveryError("later", after="tomorrow")  # no number of seconds
    store.record([telling(0)])
    courier = courier_of(sink)
    courier.start()
    wait_until(lambda: courier.status()["last_error"] is not None)
    assert "tomorrow" in courier.status()["last_error"]
    sink.problem = None
    wait_until(lambda: sink.heard == ids(0))
    wait_until(lambda: courier.status()["last_error"] is None)


def test_a_sink_that_is_away_gets_all_later(store, courier_of, caplog):
    sink = Listener()
    sink.problem = DeliveryError("the broker is away")
    courier = courier_of(sink)
    courier.start()
    store.record([telling(n) for n in range(3)])
    courier.wake()
    wait_until(lambda: courier.status()["failures"] >= 2)
    status = courier.status()
    assert (status["behind"], status["delivered"], status["last_error"]) == (3, 0, "the broker is away")
    assert caplog.text.count("the broker is away") == 1
    sink.problem = None
    wait_until(lambda: len(sink.heard) == 3)
    assert sink.heard == ids(0, 1, 2)
    wait_until(lambda: courier.status()["last_error"] is None)


def test_any_exception_is_a_failure(store, courier_of):
    sink = Listener()
    sink.problem = ZeroDivisionError("oh")
    courier = courier_of(sink)
    store.record([telling(1)])
    courier.start()
    wait_until(lambda: courier.status()["last_error"] == "ZeroDivisionError: oh")
    sink.problem = None
    wait_until(lambda: sink.heard == ids(1))


def test_a_sink_that_asks_for_time_gets_it(store, courier_of):
    sink = Listener()
    sink.problem = DeliveryError("busy", after=3600.0)
    store.record([telling(1)])
    courier = courier_of(sink)
    courier.start()
    wait_until(lambda: courier.status()["failures"] == 1)
    assert not wait_true(lambda: len(sink.calls) > 1, 1.0)
    courier.stop(5.0)  # which does not wait for the hour
    assert not courier._thread.is_alive()


def wait_true(true, seconds):
    event = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if true():
            return True
        event.wait(0.05)
    return False


def test_the_next_run_goes_on_where_this_one_stopped(store, courier_of):
    sink = Listener()
    store.record([telling(n) for n in range(5)])
    first = courier_of(sink)
    first.start()
    first.stop(10.0)  # delivers first
    assert sink.heard == ids(*range(5))
    store.record([telling(5)])
    again = Listener()
    second = courier_of(again)
    second.start()
    wait_until(lambda: again.heard)
    assert again.heard == ids(5)


def test_a_sink_that_is_slow_to_end_is_closed_when_it_has(store, courier_of):
    sink, begun, release = Listener(), threading.Event(), threading.Event()
    sink.deliver = lambda tellings: begun.set() or release.wait(30)
    store.record([telling(1)])
    courier = courier_of(sink)
    courier.start()
    assert begun.wait(30)
    courier.stop(0.2)
    assert not sink.closed
    release.set()
    wait_until(lambda: sink.closed)


def test_sinks_do_not_wait_for_each_other(store, courier_of):
    slow, fast = Listener("slow"), Listener("fast")
    slow.problem = DeliveryError("away")
    store.record([telling(1)])
    couriers = [courier_of(slow), courier_of(fast)]
    for courier in couriers:
        courier.start()
    wait_until(lambda: fast.heard)
    assert slow.heard == []


def test_a_store_that_fails_to_note_a_delivery_does_not_repeat_it(store, courier_of, monkeypatch):
    sink, fails = Listener(), [True]
    advance = store.advance

    def failing(name, number):
        if fails[0]:
            raise StoreError("locked")
        advance(name, number)

    monkeypatch.setattr(store, "advance", failing)
    store.record([telling(1)])
    courier = courier_of(sink)
    courier.start()
    wait_until(lambda: courier.status()["failures"] >= 2)
    fails[0] = False
    store.record([telling(2)])
    wait_until(lambda: len(sink.heard) >= 2)
    assert sink.heard == ids(1, 2)


def test_a_database_that_is_begun_anew_is_followed(store, courier_of, tmp_path):
    sink = Listener()
    store.record([telling(n) for n in range(10)])
    courier = courier_of(sink)
    courier.start()
    wait_until(lambda: store.cursor("listener") == 10)
    for path in tmp_path.glob("events.db*"):
        path.unlink()
    store.record([telling(50)])
    courier.wake()
    wait_until(lambda: len(sink.heard) == 11)
    assert sink.heard[-1] == ("door-50-0", "begin")


# --- JSON Lines ----------------------------------------------------------------------------


def numbered(*numbers, phase="begin", **others):
    told = [telling(number, phase, **others) for number in numbers]
    return [Telling(t.event, t.at, number + 1) for number, t in zip(numbers, told, strict=True)]


def lines_of(path):
    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def heard(path):
    return [(facts["id"], facts["phase"]) for facts in lines_of(path)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "events.jsonl"


def test_a_line_is_all_that_was_told(path):
    sink = JsonlSink(path)
    odd = telling(1, "end", zone="a\nb \N{SNOWMAN}", reason={"x": float("nan")})
    sink.deliver([Telling(odd.event, 7.5, 12)])
    sink.close()
    (facts,) = lines_of(path)
    assert facts == {**odd.event.to_dict(), "reason": {"x": None}, "phase": "end", "told_at": 7.5, "number": 12}


def test_the_file_is_rotated(path):
    sink = JsonlSink(path, max_mb=0.001, keep=2)
    for number in range(30):
        sink.deliver(numbered(number))
    sink.close()
    assert sorted(p.name for p in path.parent.iterdir()) == ["events.jsonl", "events.jsonl.1", "events.jsonl.2"]
    assert all(os.path.getsize(p) <= 1000 for p in path.parent.iterdir())
    numbers = [f["number"] for suffix in (".2", ".1", "") for f in lines_of(path.with_name(path.name + suffix))]
    assert numbers == list(range(numbers[0], 31))


def test_without_old_files_it_begins_anew(path):
    sink = JsonlSink(path, max_mb=0.001, keep=0)
    for number in range(9):
        sink.deliver(numbered(number))
    sink.close()
    assert [p.name for p in path.parent.iterdir()] == ["events.jsonl"]
    assert lines_of(path)[-1]["number"] == 9


@pytest.mark.parametrize("rest", [b'{"id": "door-2-0", "pha', b"\x00\x00\x00", b'{"half": "\xc3'])
def test_half_a_line_is_cut_off(rest, path):
    first = JsonlSink(path)
    first.deliver(numbered(1))
    first.close()
    with path.open("ab") as file:
        file.write(rest)
    again = JsonlSink(path)
    again.deliver(numbered(2))
    again.close()
    assert heard(path) == ids(1, 2)


def test_a_whole_line_that_only_lacks_its_end_is_kept(path):
    path.parent.mkdir()
    path.write_text('{"id": "door-1-0", "phase": "begin"}')
    sink = JsonlSink(path)
    sink.deliver(numbered(1, 2))
    sink.close()
    assert heard(path) == ids(1, 2)


def test_what_is_given_again_after_a_kill_is_not_written_again(path):
    first = JsonlSink(path)
    first.deliver(numbered(1, 2, 3))
    again = JsonlSink(path)  # the first one was killed before its delivery was noted
    again.deliver(numbered(1, 2, 3))
    again.deliver(numbered(4))
    again.deliver(numbered(4, phase="end"))
    for sink in (first, again):
        sink.close()
    assert heard(path) == [*ids(1, 2, 3, 4), *ids(4, phase="end")]


@pytest.mark.parametrize("how", ["deleted", "moved", "folder"])
def test_a_file_that_is_taken_away_is_made_again(how, path):
    sink = JsonlSink(path)
    sink.deliver(numbered(1))
    if how == "moved":
        path.rename(path.with_suffix(".old"))
    else:
        path.unlink()
        if how == "folder":
            path.parent.rmdir()
    sink.deliver(numbered(2))
    sink.close()
    assert heard(path) == ids(2)


def test_a_place_that_cannot_be_written_is_a_failure(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DeliveryError, match=r"file/events\.jsonl: cannot be written: "):
        JsonlSink(tmp_path / "file" / "events.jsonl").deliver(numbered(1))


def test_a_full_disk_leaves_whole_lines(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here (that takes root)")
    try:
        sink = JsonlSink(folder / "events.jsonl")
        sink.deliver(numbered(1))
        with pytest.raises(DeliveryError, match="No space left"):
            sink.deliver(numbered(*range(2, 1000)))
        assert heard(folder / "events.jsonl") == ids(1)
        sink.deliver(numbered(2))
        assert heard(folder / "events.jsonl") == ids(1, 2)
        sink.close()
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_courier_writes_lines(store, courier_of, path):
    courier = courier_of(JsonlSink(path))
    store.record([telling(n) for n in range(250)])
    courier.start()
    wait_until(lambda: store.cursor("jsonl") == 250)
    assert heard(path) == ids(*range(250))
