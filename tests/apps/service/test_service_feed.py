"""Feeds of files: in real time and as fast as can be, in loops, with clips and steady times."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress

import cv2
import numpy as np
import pytest
from feeding import (
    check_times,
    number_of,
    packets_of,
    run_ffmpeg,
    running,
    take,
    wait_for,
    write_numbered,
    write_street,
)

from motionseg.apps.service._reading import Blinking, Steady
from motionseg.apps.service.feed import Feed
from motionseg.core.errors import ParameterError, SourceError
from motionseg.io import open_video

# --- files ------------------------------------------------------------------------------------


def test_a_file_to_its_end(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", 30, fps=50)
    with running(path, fast=True) as feed:
        shots = take(feed, 99, within=5)
        assert feed.newest(30) is None, "no waiting for what never comes"
        status = feed.status()
    assert [number_of(shot.frame) for shot in shots] == list(range(30))
    assert [shot.number for shot in shots] == list(range(30))
    assert np.diff([shot.time for shot in shots]) == pytest.approx(0.02, abs=1e-6)
    assert status["state"] == feed.status()["state"] == "ended"
    assert (status["frames_read"], status["frames_dropped"], status["frames_skipped"]) == (30, 0, 0)
    assert (status["width"], status["height"]) == (128, 96)
    assert status["fps"] == pytest.approx(50)
    assert status["last_error"] is None


def test_a_loop_goes_on_in_real_time(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", 10)
    with running(path, loop=True, width=64, depth=100) as feed:
        before = time.monotonic()
        shots = take(feed, 35)
        status = feed.status()
    check_times(shots)
    assert [number_of(shot.frame) for shot in shots] == [i % 10 for i in range(35)]
    assert shots[0].frame.shape == (48, 64, 3)
    assert np.median(np.diff([shot.time for shot in shots])) == pytest.approx(0.04, abs=0.005)
    assert shots[-1].time - before > 1.2, "35 pictures of 25 a second are not given faster"
    assert all(shot.arrived >= shot.time - 0.001 for shot in shots)
    assert status["state"] == "running"
    assert status["reconnects"] == 0
    assert status["fps"] == pytest.approx(25, abs=8)


def test_images_in_a_loop(tmp_path):
    (tmp_path / "shots").mkdir()
    for i in range(3):
        cv2.imwrite(str(tmp_path / "shots" / f"{i}.png"), np.full((20, 30, 3), 60 * i, np.uint8))
    for source in (tmp_path / "shots", str(tmp_path / "shots" / "*.png")):
        with running(source, loop=True, depth=50) as feed:
            shots = take(feed, 8)
        assert [int(shot.frame[0, 0, 0]) for shot in shots] == [0, 60, 120, 0, 60, 120, 0, 60]
        check_times(shots)


def test_the_oldest_are_dropped_and_counted(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", 40, fps=100)
    with running(path, depth=3) as feed:
        assert wait_for(lambda: feed.status()["state"] == "ended")
        shots = take(feed, 9, within=0.5)
        status = feed.status()
    assert [shot.number for shot in shots] == [37, 38, 39]
    assert status["frames_dropped"] == 37


@pytest.mark.parametrize(("max_fps", "kept"), [(10, 20), (25, 50), (40, 50), (3, 6)])
def test_pictures_are_skipped_evenly(tmp_path, max_fps, kept):
    path = write_numbered(tmp_path / "a.mp4", 50)
    with running(path, fast=True, max_fps=max_fps) as feed:
        shots = take(feed, 99, within=5)
        status = feed.status()
    assert len(shots) == pytest.approx(kept, abs=1)
    assert status["frames_skipped"] == 50 - len(shots)
    assert status["frames_read"] == 50
    steps = np.diff([shot.number for shot in shots])
    assert steps.max() - steps.min() <= 2


def test_a_file_that_is_not_there_yet(tmp_path):
    path = tmp_path / "a.mp4"
    with running(path, loop=True) as feed:
        assert wait_for(lambda: feed.status()["state"] == "waiting")
        assert "no such file" in feed.status()["last_error"]
        write_numbered(tmp_path / "b.mp4", 5).rename(path)
        assert len(take(feed, 7)) == 7


def test_a_damaged_file_goes_round(tmp_path, caplog):
    path = write_numbered(tmp_path / "a.mp4", 60)
    (tmp_path / "shots").mkdir()
    cv2.imwrite(str(tmp_path / "shots" / "0.png"), np.zeros((20, 30), np.uint8))
    (tmp_path / "shots" / "1.png").write_bytes(path.read_bytes()[:500])
    with caplog.at_level(logging.WARNING), running(tmp_path / "shots", loop=True, fast=True) as feed:
        assert len(take(feed, 20)) == 20
        assert "1.png" in feed.status()["last_error"]
    assert len([m for m in caplog.messages if "1.png" in m]) == 1, "told once, not each time round"


def test_damaged_pictures_are_passed_over(tmp_path):
    """Of a stream of which packets were lost: what is shown is as it was."""
    whole, broken = tmp_path / "whole.ts", tmp_path / "broken.ts"
    write_street(whole)
    with open_video(whole) as video:
        truth = np.array([frame[..., 1] for _, _, frame in video]).astype(np.float32)
    packets = packets_of(whole)
    inner = [
        i for i in range(len(packets) // 4, 3 * len(packets) // 4) if not (packets[i][1] | packets[i + 1][1]) & 0x40
    ]
    lost = np.random.default_rng(1).choice(inner, 6)  # none with which a picture begins or ends
    broken.write_bytes(b"".join(packet for number, packet in enumerate(packets) if number not in lost))

    def error(frame):
        """The worst of the picture's blocks, seen beside the picture that is nearest."""
        differences = np.abs(truth - frame[..., 1])
        blocks = differences.reshape(len(truth), 12, 8, 20, 8).mean(axis=(2, 4))
        return blocks[blocks.mean(axis=(1, 2)).argmin()].max()

    with running(broken, fast=True) as feed:
        shown = [error(shot.frame) for shot in take(feed, 999, within=10)]
        status = feed.status()
    assert max(shown) < 5
    assert len(shown) > 60
    assert status["frames_damaged"] > 5
    assert status["frames_read"] == status["frames_damaged"] + len(shown)
    assert status["frames_skipped"] == 0
    with open_video(broken) as video, suppress(SourceError):
        assert max(error(frame) for _, _, frame in video) > 20, "there was something to be passed over"


def test_no_camera_is_blind_for_long():
    def closed(is_damaged, blinking):
        return np.array([blinking.closes(i / 10, is_damaged=bool(flag)) for i, flag in enumerate(is_damaged)])

    assert not closed(np.zeros(100), Blinking()).any()
    always = closed(np.ones(6000), Blinking())
    assert always[:50].all(), "the first five seconds"
    assert 0.3 < always[100:].mean() < 0.36
    now_and_then = np.arange(6000) % 50 < 10  # a second in each five
    assert np.array_equal(closed(now_and_then, Blinking()), now_and_then)


def test_sizes_that_change_within_a_stream(tmp_path):
    parts = []
    for i, size in enumerate([(128, 96), (192, 112), (128, 96)]):
        write_numbered(tmp_path / f"{i}.mp4", 20, size=size)
        command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / f"{i}.mp4"), "-c", "copy", str(tmp_path / f"{i}.ts")]
        run_ffmpeg(command)
        parts.append((tmp_path / f"{i}.ts").read_bytes())
    (tmp_path / "all.ts").write_bytes(b"".join(parts))
    with running(tmp_path / "all.ts", fast=True, width=64, keep=30) as feed:
        shots = take(feed, 999, within=5)
        status = feed.status()
        facts = feed.save_clip(tmp_path / "clip.mp4", shots[22].time, shots[30].time)
    assert len(shots) == pytest.approx(60, abs=6), "but for those that are damaged where the parts meet"
    assert {shot.frame.shape for shot in shots} == {(48, 64, 3), (37, 64, 3)}
    assert status["size_changes"] == 2
    check_times(shots)
    assert (facts.width, facts.height) == (192, 112), "clips keep the full size"


def test_stop_is_at_once_and_may_come_before_start(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", 10)
    feed = Feed(path, name="yard")
    feed.stop()
    with running(path, loop=True, fast=True, depth=1) as feed:
        assert take(feed, 2)
        before = time.monotonic()
    assert time.monotonic() - before < 5
    assert feed.status()["state"] == "stopped"
    assert not [t for t in threading.enumerate() if t.name.startswith(("motionseg-feed-yard", "motionseg-read-yard"))]
    while feed.newest(0) is not None:
        pass


def test_what_is_no_source_or_number():
    for source in (None, True, 1.5):
        with pytest.raises(ParameterError, match="source"):
            Feed(source, name="a")
    for wrong in ({"stall": 0}, {"keep": -1}, {"depth": 0}, {"max_fps": 0}, {"width": 0}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            Feed("a.mp4", name="a", **wrong)


def test_a_webcam_that_is_not_there():
    with running(987) as feed:
        assert wait_for(lambda: feed.status()["state"] == "waiting")
        assert "video987" in feed.status()["last_error"]


# --- clips ------------------------------------------------------------------------------------


def test_clips_of_a_loop_go_across_its_seam(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", 20)
    with running(path, loop=True, depth=100, keep=10) as feed:
        shots = take(feed, 50)
        facts = feed.save_clip(tmp_path / "clip.mp4", shots[15].time, shots[33].time)
        assert feed.save_clip(tmp_path / "none.mp4", shots[0].time - 100, shots[0].time - 90) is None
    assert facts.start == pytest.approx(shots[0].time, abs=0.02)
    assert facts.end == pytest.approx(shots[33].time, abs=0.02)
    with open_video(facts.path) as video:
        seen = [(number_of(frame), t + facts.start) for _, t, frame in video]
    told = [(number_of(shot.frame), shot.time) for shot in shots[:34]]
    assert [n for n, _ in seen] == [n for n, _ in told]
    assert [t for _, t in seen] == pytest.approx([t for _, t in told], abs=0.02)
    assert Feed(path, name="b").save_clip(tmp_path / "b.mp4", 0, 1) is None


def test_clips_of_images_are_encoded(tmp_path):
    (tmp_path / "shots").mkdir()
    write_numbered(tmp_path / "a.mp4", 12)
    with open_video(tmp_path / "a.mp4") as video:
        for i, _, frame in video:
            cv2.imwrite(str(tmp_path / "shots" / f"{i}.png"), frame)
    with running(tmp_path / "shots", loop=True, depth=100, keep=10) as feed:
        shots = take(feed, 30)
        facts = feed.save_clip(tmp_path / "clip.mp4", shots[5].time, shots[20].time)
    assert not facts.is_copied
    assert facts.n_frames == 16
    with open_video(facts.path) as video:
        assert [number_of(frame) for _, _, frame in video] == [number_of(shot.frame) for shot in shots[5:21]]


# --- times ------------------------------------------------------------------------------------


def test_steady_times_take_jitter_out_and_stay_with_the_clock():
    rng = np.random.default_rng(0)
    steady = Steady()
    stamps = np.arange(3000) / 10
    arrived = 500 + stamps * 1.0002 + rng.exponential(0.04, 3000)  # the camera's clock is slow
    times = np.array([steady.time(s, a) for s, a in zip(stamps, arrived, strict=True)])
    assert np.diff(times).min() > 0.05
    assert np.diff(times).std() < 0.25 * np.diff(arrived).std()
    assert np.abs(times - arrived)[100:].mean() < 0.1
    assert abs(times[-1] - arrived[-1]) < 0.2


def test_steady_times_over_bunches_jumps_and_what_has_no_stamp():
    steady, now, times, arrivals = Steady(), 100.0, [], []
    stamps = [i / 10 for i in range(40)]  # as many at once: what the server had kept
    stamps += [None if i % 3 else i / 10 for i in range(40, 80)]
    stamps += [5000 + i / 10 for i in range(80, 120)]  # the camera sets its clock
    stamps += [i / 10 for i in range(200)]  # and restarts
    for i, stamp in enumerate(stamps):
        now += 0.1 if i >= 40 else 0.001
        times.append(steady.time(stamp, now))
        arrivals.append(now)
    assert (np.diff(times) > 0).all()
    assert np.abs(np.subtract(times, arrivals)).max() < 2
    assert times[-1] == pytest.approx(arrivals[-1], abs=0.1)
    steady.restart()
    assert steady.time(7.0, now + 5) == pytest.approx(now + 5)
