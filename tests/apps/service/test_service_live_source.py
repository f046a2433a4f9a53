"""The camera of which all is known, and the judge: they find what is planted, and nothing else."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

av = pytest.importorskip("av")

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
if "libx264" not in av.codecs_available:
    pytest.skip("PyAV has no libx264", allow_module_level=True)


@pytest.fixture(scope="module")
def bench():
    """The modules beside the scripts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import _live_source
        import _oracle

        yield _live_source, _oracle


@pytest.fixture(scope="module")
def films(bench):
    live, _ = bench
    return tuple(live.Film(size, n_passages=2) for size in ((160, 120), (200, 120)))


@pytest.fixture
def camera(bench, films):
    with bench[0].LiveSource(films) as camera:
        yield camera


def frames(camera, n, *, timeout=10.0):
    """(seconds since 1970 by its timestamp, picture) of `n` frames, as a client gets them."""
    with av.open(camera.url, timeout=timeout, options={"probesize": "20000"}) as container:
        for frame in container.decode(video=0):
            yield camera.began + frame.pts / 90000, frame.to_ndarray(format="bgr24")
            n -= 1
            if not n:
                return


# --- the camera ------------------------------------------------------------------------------


def test_a_film_begins_anew_often_and_can_be_joined_there(bench, films):
    live, _ = bench
    film = films[0]
    assert len(film.packets) == 2 * live.PERIOD * live.FPS
    assert all(last - first > 5 for first, last in film.inside)
    for start in (0, 3 * live.GOP):
        decoder = av.CodecContext.create("h264", "r")
        told = [frame for data in film.packets[start : start + 3] for frame in decoder.decode(av.Packet(data))]
        assert (told[0].width, told[0].height) == film.size
        assert told[0].key_frame


@pytest.mark.slow
def test_clients_get_what_is_due(camera, bench):
    live, _ = bench
    red = []
    for when, picture in frames(camera, 45):
        assert when <= time.time() + 0.01, "no frame comes before its time"
        middle = picture[:, 64:96].astype(int)
        red.append((when, bool((middle[..., 2] - middle[..., 1] > 80).sum() > 100)))
    passage = camera.passages(camera.began, camera.began + 1e-3 + live.PERIOD)[0]
    inside = [when for when, is_there in red if is_there]
    assert inside, "the first thing is red, and goes through the middle"
    assert passage.enter <= min(inside)
    assert max(inside) <= passage.leave
    assert camera.n_clients == 1


def test_passages_go_on_for_ever(camera, bench):
    live, _ = bench
    day = camera.began + 86400
    some = camera.passages(day, day + 10 * live.PERIOD)
    assert len(some) in (10, 11)
    assert [b.number - a.number for a, b in pairwise(some)] == [1] * (len(some) - 1)
    steps = [b.enter - a.enter for a, b in pairwise(some)]
    assert steps == pytest.approx([live.PERIOD] * len(steps), abs=0.35)
    assert camera.passages(camera.began - 100, camera.began) == []


@pytest.mark.slow
def test_dropped_it_refuses_and_comes_back_at_the_same_address(camera):
    got = []

    def read():
        with suppress(OSError):  # it ends, in whichever way
            got.extend(frames(camera, 1000))

    client = threading.Thread(target=read, daemon=True)
    client.start()
    time.sleep(3)
    dropping = threading.Thread(target=camera.drop, args=(1.5,))
    dropping.start()
    client.join(10)
    assert not client.is_alive(), "the connection was closed"
    assert 0 < len(got) < 1000
    with pytest.raises(OSError):  # noqa: PT011 - refused, in whichever words
        list(frames(camera, 1))
    dropping.join()
    assert len(list(frames(camera, 3))) == 3
    (fault,) = camera.faults
    assert (fault.kind, round(fault.end - fault.begin, 1)) == ("drop", 1.5)


@pytest.mark.slow
def test_silent_it_sends_nothing_and_goes_on_at_the_present(camera):
    arrivals = []
    thread = threading.Thread(
        target=lambda: arrivals.extend((time.time(), when) for when, _ in frames(camera, 50)), daemon=True
    )
    thread.start()
    time.sleep(2.5)
    fault = camera.silence(1.5)
    thread.join(10)
    assert not thread.is_alive()
    stamps = [when for _, when in arrivals]
    quiet = [when for when in stamps if fault.begin + 0.3 < when < fault.end - 0.6]
    assert not quiet, "what was due meanwhile is left out"
    assert max(stamps) > fault.end


@pytest.mark.slow
def test_corrupt_bytes_and_another_size_come_within_the_stream(camera):
    done = []

    def spoil():
        time.sleep(2.5)
        done.append(camera.corrupt(1.0))
        time.sleep(1)
        done.append(camera.resize())

    thread = threading.Thread(target=spoil)
    thread.start()
    sizes, n_broken = [], 0
    with av.open(camera.url, timeout=10.0, options={"probesize": "20000"}) as container:
        for packet in container.demux(video=0):
            n_broken += packet.is_corrupt
            try:
                shots = packet.decode()
            except av.FFmpegError:
                n_broken += 1
                continue
            sizes += [(shot.width, shot.height) for shot in shots]
            n_broken += sum(shot.is_corrupt for shot in shots)
            if sizes.count((200, 120)) > 5:
                break
    thread.join()
    assert n_broken > 0
    assert sizes[0] == (160, 120)
    assert [fault.kind for fault in camera.faults] == ["corrupt", "resize"]


# --- the judge -------------------------------------------------------------------------------

BEGIN, END = 1000.0, 1300.0
UP = [(BEGIN, END)]


@pytest.fixture
def passages(bench):
    live, _ = bench
    return [live.Passage(k, BEGIN + 6 * k + 1.4, BEGIN + 6 * k + 2.9) for k in range(50)]


@pytest.fixture
def events(bench, passages):
    """What a service without fault has: a little late, and one track each."""
    _, oracle = bench
    return [
        oracle.Stored(f"gate-{p.number + 1}-{p.enter:.0f}", p.enter + 0.2, p.leave + 0.2, (p.number + 1,))
        for p in passages
    ]


def told(findings):
    kinds = ("lost", "duplicated", "split", "open", "stray")
    return {kind: len(getattr(findings, kind)) for kind in kinds if getattr(findings, kind)}


def test_nothing_is_found_where_nothing_is_wrong(bench, passages, events):
    _, oracle = bench
    found = oracle.judge(passages, events, UP, END)
    assert (found.judged, found.excused, told(found), found.are_good) == (50, 0, {}, True)
    assert found.row()["list"] == []
    assert oracle.shared_tracks(events, passages) == []
    assert not oracle.judge([], [], UP, END).are_good, "who has seen nothing proves nothing"


def test_planted_losses_are_found(bench, passages, events):
    _, oracle = bench
    found = oracle.judge(passages, [e for k, e in enumerate(events) if k not in (7, 31)], UP, END)
    assert told(found) == {"lost": 2}
    assert found.row()["list"] == [f"lost: passage {k} at {passages[k].enter:.1f}" for k in (7, 31)]


def test_planted_duplicates_are_found(bench, passages, events):
    _, oracle = bench
    again = replace(events[5], id="gate-99-1", start=events[5].start + 0.4)
    exact = replace(events[9], id="gate-98-1")
    moment = replace(events[12], id="gate-97-1", start=events[12].start + 0.5, end=events[12].start + 0.7)
    found = oracle.judge(passages, [*events, again, exact, moment], UP, END)
    assert told(found) == {"duplicated": 3}
    assert told(oracle.judge(passages, [*events, events[3]], UP, END))["duplicated"] == 2, "the id, and the event"
    later = replace(events[5], id="gate-96-1", start=events[5].end + 0.3, end=events[5].end + 0.6)
    assert told(oracle.judge(passages, [*events, later], UP, END)) == {"split": 1}


def test_what_should_have_ended_is_found(bench, passages, events):
    _, oracle = bench
    left = [replace(e, end=None) if k == 20 else e for k, e in enumerate(events)]
    assert told(oracle.judge(passages, left, UP, END)) == {"lost": 1, "open": 1}
    begun = [*events[:49], replace(events[49], end=None)]
    soon = passages[49].leave + 0.3
    assert told(oracle.judge(passages, begun, [(BEGIN, passages[48].leave + 1)], soon)) == {}, "it goes on"


def test_faults_excuse_what_they_touch_and_nothing_else(bench, passages, events):
    _, oracle = bench
    fault = (passages[10].enter + 0.5, passages[11].leave)
    up = oracle.up_between(BEGIN, END, [fault])
    without = [e for k, e in enumerate(events) if k not in (10, 11)]
    found = oracle.judge(passages, without, up, END)
    assert (told(found), found.excused) == ({}, 2)
    for k in (9, 12):
        assert told(oracle.judge(passages, [e for e in without if e is not events[k]], up, END)) == {"lost": 1}
    halves = [
        replace(events[10], end=events[10].start + 0.4),
        replace(events[10], id="gate-90-1", start=events[10].start + 1.0),
    ]
    assert told(oracle.judge(passages, [*without, *halves], up, END)) == {}
    third = replace(events[10], id="gate-91-1", start=events[10].end + 0.1, end=events[10].end + 0.2)
    assert told(oracle.judge(passages, [*without, *halves, third], up, END)) == {"duplicated": 1}
    assert told(oracle.judge(passages, [*without, events[10], halves[1]], up, END)) == {"duplicated": 1}


def test_while_a_scene_is_learned_several_tracks_are_no_duplicates(bench, passages, events):
    _, oracle = bench
    up = oracle.up_between(BEGIN, END, [(passages[10].enter, passages[10].leave)])
    ghost = replace(events[10], id="gate-90-1", start=events[10].start + 0.2, track_ids=(90,))
    found = oracle.judge(passages, [*events, ghost], up, END, learns=True)
    assert (told(found), found.ghosts) == ({}, 1)
    twice = replace(ghost, track_ids=events[10].track_ids)
    assert told(oracle.judge(passages, [*events, twice], up, END, learns=True)) == {"duplicated": 1}
    assert told(oracle.judge(passages, [*events, ghost], UP, END, learns=True)) == {"duplicated": 1}


def test_events_of_nothing_are_found(bench, passages, events):
    _, oracle = bench
    false = replace(events[3], id="gate-80-1", start=events[3].end + 1.7, end=events[3].end + 2.0)
    assert told(oracle.judge(passages, [*events, false], UP, END)) == {"stray": 1}
    up = oracle.up_between(BEGIN, END, [(false.start, false.end)], after=0.5)
    assert told(oracle.judge(passages, [*events, false], up, END)) == {}


def test_up_is_what_is_between_faults_and_margins(bench):
    _, oracle = bench
    assert oracle.up_between(0, 10, []) == [(0, 10)]
    assert oracle.up_between(0, 100, [(50, 60), (55, 90)], before=1, after=2) == [(0, 49), (92, 100)]
    assert oracle.up_between(0, 100, [(1, 60), (99, 99.5)], before=2, after=2) == [(62, 97)]
    assert oracle.up_between(0, 10, [(-5, 20)]) == []


def test_what_was_closed_stays_as_it_is(bench, events):
    _, oracle = bench
    assert oracle.changed(events[:10], events) == []
    assert oracle.changed([replace(events[0], end=None)], events) == [], "it has ended since"
    moved = [replace(events[4], end=events[4].end + 1), *events[5:10]]
    assert len(oracle.changed(events[:10], moved)) == 5


def test_one_track_in_two_passages_is_found(bench, passages, events):
    _, oracle = bench
    events[8] = replace(events[8], track_ids=(8,))
    assert oracle.shared_tracks(events, passages) == ["track 8 in passages [7, 8]"]


def test_a_store_is_read_as_it_lies_there(bench, tmp_path):
    _, oracle = bench
    path = tmp_path / "events.db"
    with sqlite3.connect(path) as store:
        store.execute("CREATE TABLE events (id, rule, start_time, end_time, facts)")
        store.execute("CREATE TABLE log (event_id, phase, facts)")
        for number, (rule, end) in enumerate([("enter", 12.0), ("enter", None), ("light_change", 13.0)]):
            facts = json.dumps({"start": 10.0, "track_ids": [number, 5]})
            store.execute("INSERT INTO events VALUES (?, ?, 10, ?, ?)", (f"gate-{number}", rule, end, facts))
            store.execute("INSERT INTO log VALUES (?, 'begin', ?)", (f"gate-{number}", facts))
    store.close()
    events, problems = oracle.read_store(path)
    assert events == [oracle.Stored("gate-0", 10, 12, (0, 5)), oracle.Stored("gate-1", 10, None, (1, 5))]
    assert problems == []
    with sqlite3.connect(path) as store:
        store.execute("INSERT INTO log VALUES ('gate-1', 'begin', ?)", (json.dumps({"start": 11.0}),))
    store.close()
    assert oracle.read_store(path)[1] == ["gate-1 begins 2 times", "gate-1 starts at [10.0, 11.0]"]


# --- the scripts -----------------------------------------------------------------------------


def run(script, *arguments):
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=400)


@pytest.mark.slow
def test_a_service_that_is_killed_loses_nothing(tmp_path):
    pytest.importorskip("fastapi")
    words = ["--quick", "--only", "kill", "--times", 2, "--out", tmp_path / "faults.json"]
    done = run("faults.py", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads((tmp_path / "faults.json").read_text())["rows"]
    assert row["ok"]
    assert (row["what"], row["times"], row["lost"], row["duplicated"], row["open"]) == ("kill", 2, 0, 0, 0)
    assert row["passages"] > 0
    again = run("faults.py", *words)
    assert (again.returncode, "done_before True" in again.stdout) == (0, True), "it is not done twice"


@pytest.mark.slow
def test_soak_says_what_a_service_takes(tmp_path):
    pytest.importorskip("fastapi")
    done = run("soak.py", "--minutes", 0.3, "--cameras", 1, "--out", tmp_path / "soak.json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "soak.json").read_text())
    camera, service = found["rows"]
    assert camera["frames_processed"] > 50
    assert camera["latency_ms"] > 0
    assert service["memory_mb"] > 50
    assert len(found["memory_mb"]) == 2
