"""The recorder: what is written when, what is tried again, what goes, and what is never touched."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import namedtuple
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from motionseg.apps.service import recorder as recorder_module
from motionseg.apps.service.recorder import Recorder
from motionseg.core.errors import OutputError
from motionseg.core.types import Event, Segmentation
from motionseg.events import Zone
from motionseg.io import VideoWriter, open_video, read_image
from motionseg.viz import Trails, draw_event

NOON = 1_790_000_000.0  # 2026-09-21 in UTC
DAY = "2026-09-21"
Facts = namedtuple("Facts", "path start end")


class FakeFeed:
    """Keeps packets from `first` on; writes their seconds instead of pictures."""

    def __init__(self, first=0.0, suffix=".mp4"):
        self.first, self.suffix, self.asked, self.failures = first, suffix, [], []

    def save_clip(self, path, start, end):
        self.asked.append((start, end))
        path.with_suffix(".mkv").write_bytes(b"a beginning")
        if self.failures:
            raise self.failures.pop(0)
        made = path.with_suffix(self.suffix)
        made.write_bytes(b"x" * 1000)
        return Facts(made, max(start, self.first), end)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Bench:
    """A recorder whose work the test does itself, at times that the test says."""

    def __init__(self, folder, **changes):
        facts = {"snapshots": True, "clips": True, "pre_roll": 5.0, "post_roll": 4.0, "max_length": 30.0}
        self.section = SimpleNamespace(**{**facts, "keep_days": 14.0, "keep_gb": 10.0, **changes})
        self.folder, self.clock, self.told, self.feed = folder, Clock(), [], FakeFeed()
        self.recorder = Recorder(self.section, folder, attach=lambda *facts: self.told.append(facts), clock=self.clock)

    def work_at(self, now):
        self.clock.now = now
        self.recorder.work()

    def files(self):
        return sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "recordings")


def event(number=1, camera="door", start=NOON, end=None):
    return Event(f"{camera}-{number}-{number * 1000}", camera, "enter", "yard", (3,), start, end)


def sight(evidence=False):
    mask = np.zeros((90, 120), np.uint8)
    mask[20:60, 30:60] = 255
    shares = {"background": np.where(mask > 0, 2.0, -2.0).astype(np.float32)} if evidence else None
    return np.full((90, 120, 3), 70, np.uint8), Segmentation(0, 0.0, mask, evidence=shares)


YARD = Zone("yard", [(0, 0), (0.5, 0), (0.5, 0.9), (0, 0.9)], relative=True)


def test_a_snapshot_shows_what_was_seen_where(bench):
    frame, seen = sight(evidence=True)
    trails = Trails()
    bench.recorder.begun(event(), frame, seen, [YARD], trails)
    assert bench.files() == []  # nobody has waited for it
    bench.recorder.work()
    stem = f"door/{DAY}/door-1-1000"
    assert bench.files() == [f"{stem}.evidence.jpg", f"{stem}.jpg"]
    assert bench.told == [
        ("door-1-1000", "snapshot", f"{stem}.jpg"),
        ("door-1-1000", "evidence", f"{stem}.evidence.jpg"),
    ]
    expected = draw_event(frame, seen, event(), [YARD], when="2026-09-21 13:33:20 UTC")
    shown = read_image(bench.folder / f"{stem}.jpg")
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 4
    status = bench.recorder.status()
    assert (status["snapshots"], status["evidence"], status["queued"], status["files"]) == (1, 1, 0, 2)
    assert status["bytes"] == sum((bench.folder / f).stat().st_size for f in bench.files())


def test_what_cues_said_of_a_frame_is_drawn_once(bench, monkeypatch):
    drawn = []
    draw = recorder_module.draw_evidence
    monkeypatch.setattr(recorder_module, "draw_evidence", lambda *parts: drawn.append(parts) or draw(*parts))
    for number, (frame, seen) in enumerate([sight(evidence=True)] * 3 + [sight(evidence=True)]):
        bench.recorder.begun(event(number), frame, seen, [YARD])
    bench.recorder.work()
    assert len(drawn) == 2
    assert bench.recorder.status()["evidence"] == 4


def test_a_clip_is_cut_when_the_seconds_after_the_event_are_over(bench):
    bench.recorder.ended(event(end=NOON + 10), bench.feed, 200.0, 210.0)
    bench.work_at(213.9)
    assert bench.feed.asked == []
    assert bench.recorder.status()["queued"] == 1
    bench.work_at(215.0)
    assert bench.feed.asked == [(195.0, 214.0)]
    assert bench.files() == [f"door/{DAY}/door-1-1000.mp4"]
    assert bench.told == [("door-1-1000", "clip", f"door/{DAY}/door-1-1000.mp4")]


def test_a_moment_gets_what_was_before_and_after_it(bench):
    frame, seen = sight()
    bench.recorder.begun(event(), frame, seen, [], feed=bench.feed, start=200.0)
    bench.recorder.ended(event(end=NOON), bench.feed, 200.0, 200.0)
    bench.work_at(500.0)
    assert bench.feed.asked == [(195.0, 204.0)]


def test_a_long_event_is_cut_at_its_longest_while_it_goes_on(bench):
    frame, seen = sight()
    bench.recorder.begun(event(), frame, seen, [], feed=bench.feed, start=200.0)
    bench.work_at(224.0)
    assert bench.feed.asked == []
    bench.work_at(226.0)
    assert bench.feed.asked == [(195.0, 225.0)]
    bench.recorder.ended(event(end=NOON + 3600), bench.feed, 200.0, 3800.0)
    bench.work_at(5000.0)
    assert bench.feed.asked == [(195.0, 225.0)]
    assert bench.recorder.status()["clips"] == 1
    assert not bench.recorder._cut


def test_a_long_event_whose_feed_is_known_only_at_its_end_is_cut_from_its_beginning(bench):
    bench.recorder.ended(event(end=NOON + 3600), bench.feed, 200.0, 3800.0)
    bench.work_at(3800.0)
    assert bench.feed.asked == [(195.0, 225.0)]


def test_a_clock_that_is_set_during_an_event_moves_no_clip(bench):
    frame, seen = sight()
    bench.recorder.begun(event(), frame, seen, [YARD], feed=bench.feed, start=100.0)
    late = 3600.0  # of the wall clock, by which the camera finds out where the event has begun
    bench.recorder.ended(event(end=NOON + 8), bench.feed, 100.0 - late, 108.0 - late)
    bench.work_at(113.0)
    assert bench.feed.asked == [(95.0, 112.0)]


def test_events_at_the_same_time_have_a_clip_each(bench):
    for number in (1, 2, 3):
        bench.recorder.ended(event(number, end=NOON), bench.feed, 200.0 + number, 205.0)
    bench.work_at(300.0)
    assert [f"{n}-{n}000.mp4" in " ".join(bench.files()) for n in (1, 2, 3)] == [True] * 3
    assert sorted(bench.feed.asked) == [(196.0, 209.0), (197.0, 209.0), (198.0, 209.0)]


def test_a_clip_from_before_a_restart_stays(bench):
    old = bench.folder / "door" / DAY / "door-1-1000.mkv"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"the beginning")
    bench.recorder.ended(event(end=NOON), bench.feed, 200.0, 205.0)
    bench.work_at(300.0)
    assert bench.feed.asked == []
    assert old.read_bytes() == b"the beginning"


def test_another_container_and_no_packets(bench):
    bench.feed.suffix = ".mkv"
    bench.recorder.ended(event(end=NOON), bench.feed, 200.0, 205.0)
    still = SimpleNamespace(save_clip=lambda path, start, end: None)
    bench.recorder.ended(event(2, end=NOON), still, 200.0, 205.0)
    bench.work_at(300.0)
    assert bench.files() == [f"door/{DAY}/door-1-1000.mkv"]
    assert bench.recorder.status()["lost"] == 0


def test_what_is_not_wanted_is_not_recorded(tmp_path):
    bench = Bench(tmp_path, snapshots=False, clips=False)
    frame, seen = sight()
    bench.recorder.begun(event(), frame, seen, [], feed=bench.feed, start=1.0)
    bench.recorder.ended(event(), bench.feed, 1.0, 2.0)
    bench.work_at(1000.0)
    assert bench.files() == []
    assert bench.feed.asked == []


# --- failures ------------------------------------------------------------------------------------


def test_a_failed_clip_is_tried_again_and_leaves_no_part(bench):
    bench.feed.failures = [OutputError("no space"), OutputError("no space")]
    bench.recorder.ended(event(end=NOON), bench.feed, 200.0, 205.0)
    bench.work_at(300.0)
    assert bench.files() == []
    status = bench.recorder.status()
    assert (status["last_error"], status["queued"], status["retries"], status["lost"]) == ("no space", 1, 1, 0)
    bench.work_at(300.5)
    assert len(bench.feed.asked) == 1  # not at once
    bench.work_at(302.0)
    bench.work_at(330.0)
    assert bench.files() == [f"door/{DAY}/door-1-1000.mp4"]
    assert bench.recorder.status()["last_error"] is None


def test_a_full_disk_is_told_and_waited_for(bench, monkeypatch):
    usage = namedtuple("usage", "total used free")
    free = [1e6]
    monkeypatch.setattr(recorder_module.shutil, "disk_usage", lambda path: usage(1e9, 1e9 - free[0], free[0]))
    frame, seen = sight()
    bench.recorder.begun(event(), frame, seen, [])
    for now in range(100, 400, 10):
        bench.work_at(float(now))
    assert bench.files() == []
    assert "disk is nearly full" in bench.recorder.status()["last_error"]
    free[0] = 1e9
    bench.work_at(500.0)
    assert bench.files() == [f"door/{DAY}/door-1-1000.jpg"]
    free[0] = 0.0
    bench.recorder.begun(event(2), frame, seen, [])
    for now in range(500, 2000, 20):
        bench.work_at(float(now))
    assert (bench.recorder.status()["lost"], bench.recorder.status()["queued"]) == (1, 0)


def test_what_would_fail_again_is_given_up(bench):
    frame, seen = sight()
    bench.recorder.begun(event(), frame[:50], seen, [])  # not of this frame
    bench.recorder.begun(replace(event(2), start=1e300), frame, seen, [])
    bench.recorder.begun(event(3), frame, seen, [])
    bench.recorder.work()
    assert bench.files() == [f"door/{DAY}/door-3-3000.jpg"]
    assert bench.recorder.status()["lost"] == 1
    bench.feed.failures = [RuntimeError("a fault of our own")]
    bench.recorder.ended(event(4, end=NOON), bench.feed, 1.0, 2.0)
    bench.work_at(200.0)
    assert bench.recorder.status()["lost"] == 2


def test_a_camera_never_waits_for_a_full_queue(bench):
    seen = sight()[1]
    for number in range(40):
        bench.recorder.begun(event(number), np.full((90, 120, 3), number, np.uint8), seen, [])
    status = bench.recorder.status()
    assert status["lost"] == 40 - status["queued"] > 20
    frame = sight()[0]
    bench.recorder.work()
    for number in range(40, 80):  # of one frame there may be many
        bench.recorder.begun(event(number), frame, seen, [])
    assert bench.recorder.status()["queued"] == 40
    for number in range(2000):
        bench.recorder.ended(event(number, end=NOON), bench.feed, 200.0, 201.0)
    assert bench.recorder.status()["queued"] < 600


@pytest.mark.parametrize("name", ["../../etc/x-1-1", "door-1-1/../x", "door-1-1\0", "Door-1-1", "yard-1-1"])
def test_no_id_leads_out_of_the_folder(bench, name):
    frame, seen = sight()
    bench.recorder.begun(replace(event(), id=name), frame, seen, [])
    bench.recorder.begun(replace(event(), camera="..", id="..-1-1"), frame, seen, [])
    bench.recorder.work()
    assert bench.files() == []
    assert sorted(p.name for p in bench.folder.parent.iterdir()) in ([], ["recordings"])


def test_nothing_is_written_through_a_symbolic_link(bench, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    bench.folder.mkdir()
    (bench.folder / "door").symlink_to(outside)
    frame, seen = sight()
    bench.recorder.begun(event(), frame, seen, [])
    bench.recorder.work()
    assert list(outside.rglob("*")) == [outside / DAY]  # an empty folder at most
    assert "symbolic link" in bench.recorder.status()["last_error"]


# --- retention -------------------------------------------------------------------------------------


def put(bench, name, size=1000, age=0.0, day=DAY, camera="door"):
    path = bench.folder / camera / day / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (NOON - age * 86400,) * 2)
    return path


def test_what_is_too_old_goes_with_all_files_of_its_event(bench):
    gone = [put(bench, f"door-1-1{ending}", age=20) for ending in (".jpg", ".evidence.jpg", ".mkv")]
    young = put(bench, "door-2-2.jpg", age=13, day="2026-09-08")
    mixed = [put(bench, "door-3-3.jpg", age=20), put(bench, "door-3-3.mp4", age=1)]
    assert bench.recorder.sweep(NOON) == 3
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in [young, *mixed])
    assert sorted(bench.told) == [("door-1-1", kind, "") for kind in ("clip", "evidence", "snapshot")]
    assert bench.recorder.status()["removed"] == 3


def test_the_oldest_go_when_all_are_too_large(tmp_path):
    bench = Bench(tmp_path / "recordings", keep_gb=10_000 / 1e9)
    paths = [put(bench, f"door-{n}-{n}.mp4", size=1000, age=12 - n, day=f"2026-09-{n + 9:02}") for n in range(1, 13)]
    bench.recorder.sweep(NOON)
    assert [path.exists() for path in paths] == [False] * 3 + [True] * 9
    assert not paths[0].parent.exists()  # its day is empty
    assert bench.recorder.status()["bytes"] == 9000
    assert [facts[0] for facts in bench.told] == ["door-1-1", "door-2-2", "door-3-3"]
    assert bench.recorder.sweep(NOON) == 0


def test_a_size_that_is_passed_is_met_without_waiting_for_the_next_round(tmp_path):
    bench = Bench(tmp_path / "recordings", keep_gb=5_000 / 1e9)
    for number in range(20):
        bench.recorder.ended(event(number, end=NOON), bench.feed, 200.0, 201.0)
        bench.work_at(300.0 + 11 * number)
        assert bench.recorder.status()["bytes"] <= 6000
    assert len(bench.files()) <= 5


def test_what_others_put_there_is_left_alone(bench, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    precious = outside / "door-9-9.mp4"
    precious.write_bytes(b"precious")
    os.utime(precious, (0, 0))
    theirs = [
        put(bench, "holiday.mp4", age=99),
        put(bench, "door-1-1.txt", age=99),
        put(bench, "door-1-1.mp4", age=99, day="old"),
        put(bench, "yard-1-1.mp4", age=99),  # in the folder of another camera
        put(bench, ".nfs0001", age=99),
        bench.folder / "door-1-1.mp4",
    ]
    theirs[-1].write_bytes(b"x")
    os.utime(theirs[-1], (0, 0))
    (bench.folder / "door" / DAY / "door-7-7.mp4").symlink_to(precious)
    (bench.folder / "door" / "2020-01-01").symlink_to(outside)
    (bench.folder / "yard").symlink_to(bench.folder / "door")
    assert bench.recorder.sweep(NOON) == 0
    assert all(path.exists() for path in [*theirs, precious])
    assert (bench.folder / "door" / DAY / "door-7-7.mp4").is_symlink()
    assert bench.told == []


def test_left_overs_of_a_killed_process_go(bench):
    old = [put(bench, f".{'ab' * 16}.tmp", age=1), put(bench, ".door-1-1000.part.mp4", age=1)]
    fresh = put(bench, ".door-2-2000.part.mkv", age=0.01)
    bench.recorder.sweep(NOON)
    assert [path.exists() for path in [*old, fresh]] == [False, False, True]


def test_a_folder_that_is_not_there_is_no_error(bench):
    assert bench.recorder.sweep(NOON) == 0
    bench.recorder.work()
    assert bench.recorder.status()["last_error"] is None


# --- the thread ----------------------------------------------------------------------------------


def test_the_thread_writes_and_stopping_cuts_what_has_come_so_far(tmp_path):
    bench = Bench(tmp_path / "recordings")
    attached = threading.Event()
    made = Recorder(bench.section, bench.folder, attach=lambda *facts: (bench.told.append(facts), attached.set()))
    made.start()
    frame, seen = sight()
    made.begun(event(), frame, seen, [YARD], Trails(), feed=bench.feed, start=1e9)
    assert attached.wait(20)
    if sys.platform == "linux":
        patience = [os.getpriority(os.PRIO_PROCESS, number) for number in (made._thread.native_id, 0)]
        assert patience[0] == min(patience[1] + 5, 19), "cameras go first"
    assert bench.feed.asked == []
    made.ended(event(end=NOON), bench.feed, 1e9, 1e9)
    made.stop(20)
    assert sorted(kind for _, kind, _ in bench.told) == ["clip", "snapshot"]
    assert not made._thread.is_alive()
    made.begun(event(2), frame, seen, [YARD])
    assert made.status()["lost"] == 1


def test_after_a_crash_both_sides_agree_again(tmp_path):
    bench = Bench(tmp_path / "recordings")
    put(bench, "door-1-1.jpg", age=5)  # long ago: the store knows it
    put(bench, "door-2-2.jpg", age=0.001)
    put(bench, "door-2-2.mp4", age=0.0)
    bench.section.keep_days = 1e5
    bench.recorder.start()
    bench.recorder.stop(20)
    stem = f"door/{DAY}/door-2-2"
    assert sorted(bench.told) == [("door-2-2", "clip", f"{stem}.mp4"), ("door-2-2", "snapshot", f"{stem}.jpg")]
    bench.told.clear()
    rows = [
        {"id": "door-2-2", "snapshot": f"{stem}.jpg", "evidence": None, "clip": f"{stem}.mp4"},
        {"id": "door-3-3", "snapshot": f"door/{DAY}/door-3-3.jpg", "evidence": "", "clip": None},
    ]
    assert bench.recorder.mend(rows) == 1
    assert bench.told == [("door-3-3", "snapshot", "")]


def test_a_store_that_refuses_does_not_end_the_recorder(tmp_path):
    def attach(*facts):
        raise RuntimeError("the store is gone")

    bench = Bench(tmp_path / "recordings")
    made = Recorder(bench.section, bench.folder, attach=attach, clock=bench.clock)
    frame, seen = sight()
    put(bench, "door-9-9.jpg", age=10_000)
    for number in (1, 2):
        made.begun(event(number), frame, seen, [])
    made.work()
    assert cv2.imread(str(bench.folder / "door" / DAY / "door-2-2000.jpg")) is not None


@pytest.mark.slow
def test_with_a_real_feed(tmp_path):
    """A moment in a looped film: the picture of its frame, and a clip from before it to after it."""
    pytest.importorskip("tenacity")
    from motionseg.apps.service.feed import Feed

    film = tmp_path / "film.mp4"
    with VideoWriter(film, fps=25) as writer:
        for i in range(100):
            frame = np.full((90, 120, 3), 70, np.uint8)
            frame[20:60, i : i + 20] = 220
            writer.write(frame, i / 25)
    bench = Bench(tmp_path / "recordings", pre_roll=1.0, post_roll=1.0)
    feed = Feed(str(film), name="door", loop=True, keep=20.0)
    made = Recorder(bench.section, bench.folder, attach=lambda *facts: bench.told.append(facts))
    feed.start()
    made.start()
    try:
        shots = []
        while not shots or shots[-1].time - shots[0].time < 2.5:
            shots.append(feed.newest(20))
        now = shots[-1]
        mask = np.where(now.frame[..., 0] > 150, 255, 0).astype(np.uint8)
        made.begun(event(), now.frame, Segmentation(now.number, now.time, mask), [YARD], feed=feed, start=now.time)
        made.ended(event(end=NOON), feed, now.time, now.time)
        until = time.monotonic() + 30
        while made.status()["clips"] < 1 and time.monotonic() < until:
            feed.newest(1)
    finally:
        made.stop(20)
        feed.stop(20)
    stem = f"door/{DAY}/door-1-1000"
    assert bench.files() == [f"{stem}.jpg", f"{stem}.mp4"]
    with open_video(bench.folder / f"{stem}.mp4") as clip:
        times = [time_ for _, time_, _ in clip]
    assert 1.9 < times[-1] - times[0] < 4.5  # it begins at the key frame before; there is one every two seconds
