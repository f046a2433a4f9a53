"""Feeds from real files, sockets and servers that break in all ways; the slow ones with GStreamer's RTSP server."""

from __future__ import annotations

import itertools
import logging
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from rtsp_server import RtspServer, free_port

from motionseg.apps.service._reading import Steady
from motionseg.apps.service.feed import Feed
from motionseg.core.errors import ParameterError
from motionseg.io import VideoWriter, open_video


def number_of(frame: np.ndarray) -> int:
    """The number in the 7 blocks along the top."""
    size = frame.shape[1] // 8
    return sum(int(frame[size // 2, size * bit + size // 2, 0] > 128) << bit for bit in range(7))


def write_numbered(path: Path, n: int, *, fps: float = 25.0, size: tuple[int, int] = (128, 96)) -> Path:
    with VideoWriter(path, fps=fps) as writer:
        for i in range(n):
            picture = np.full((size[1], size[0], 3), 90, np.uint8)
            for bit in range(7):
                block = size[0] // 8
                picture[:block, block * bit : block * bit + block] = 255 * ((i % 128) >> bit & 1)
            writer.write(picture, i / fps)
    return path


@contextmanager
def running(source, **arguments):
    feed = Feed(source, name="yard", **arguments)
    feed.start()
    try:
        yield feed
    finally:
        feed.stop()


def take(feed: Feed, n: int, *, within: float = 20.0) -> list:
    """The next `n` shots, or those that came in time."""
    shots, deadline = [], time.monotonic() + within
    while len(shots) < n and time.monotonic() < deadline:
        shot = feed.newest(0.1)
        if shot is not None:
            shots.append(shot)
        elif feed.status()["state"] in ("ended", "stopped"):
            break
    return shots


def wait_for(what, within: float = 20.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.02)
    return bool(what())


def check_times(shots) -> None:
    times = [shot.time for shot in shots]
    assert all(a < b for a, b in itertools.pairwise(times))
    numbers = [shot.number for shot in shots]
    assert all(a < b for a, b in itertools.pairwise(numbers))


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


def test_sizes_that_change_within_a_stream(tmp_path):
    parts = []
    for i, size in enumerate([(128, 96), (192, 112), (128, 96)]):
        write_numbered(tmp_path / f"{i}.mp4", 20, size=size)
        command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / f"{i}.mp4"), "-c", "copy", str(tmp_path / f"{i}.ts")]
        _run_ffmpeg(command)
        parts.append((tmp_path / f"{i}.ts").read_bytes())
    (tmp_path / "all.ts").write_bytes(b"".join(parts))
    with running(tmp_path / "all.ts", fast=True, width=64, keep=30) as feed:
        shots = take(feed, 999, within=5)
        status = feed.status()
        facts = feed.save_clip(tmp_path / "clip.mp4", shots[22].time, shots[30].time)
    assert len(shots) == pytest.approx(60, abs=2)
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


# --- servers ----------------------------------------------------------------------------------


def test_a_server_that_accepts_and_never_answers(monkeypatch):
    monkeypatch.setattr("motionseg.apps.service._reading._OPENING", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with running(f"rtsp://admin:geheim@127.0.0.1:{port}/x", stall=0.4) as feed:
            assert wait_for(lambda: feed.status()["stalls"] >= 2)
            status = feed.status()
            before = time.monotonic()
        assert time.monotonic() - before < 5
    assert status["reconnects"] == 0, "it never was connected"
    assert "geheim" not in str(status)
    assert feed.status()["state"] == "stopped"


def test_a_reader_that_never_comes_back_is_abandoned(monkeypatch, tmp_path):
    """As where FFmpeg hangs: nothing of it is delivered later, not too many hang, and stop ends."""
    release, begun = threading.Event(), []

    def hang(source, **_):
        begun.append(threading.current_thread())
        release.wait(60)
        return real(source, **_)

    from motionseg.apps.service import _reading

    real = _reading.open_source
    monkeypatch.setattr(_reading, "open_source", hang)
    monkeypatch.setattr("motionseg.apps.service.feed._GRACE", 0.05)
    monkeypatch.setattr("motionseg.apps.service._reading._OPENING", 0.1)
    path = write_numbered(tmp_path / "a.mp4", 10)
    try:
        feed = Feed(path, name="yard", stall=0.1)
        monkeypatch.setattr("motionseg.apps.service.feed._LONGEST_WAIT", 0.6)
        feed.start()
        assert wait_for(lambda: "hang in FFmpeg" in (feed.status()["last_error"] or ""))
        assert len(begun) == 4
        before = time.monotonic()
        feed.stop(2)
        assert time.monotonic() - before < 2
    finally:
        release.set()
    for thread in begun:
        thread.join(5)
    assert feed.newest(0) is None
    assert feed.status()["frames_read"] == 0


def test_a_failure_of_its_own_does_not_end_it(monkeypatch, tmp_path, caplog):
    from motionseg.apps.service import _reading

    real, calls = _reading.Reading.start, []

    def start(reading):
        calls.append(reading)
        if len(calls) == 1:
            raise RuntimeError("can't start new thread")
        real(reading)

    monkeypatch.setattr(_reading.Reading, "start", start)
    with running(write_numbered(tmp_path / "a.mp4", 10), fast=True) as feed:
        assert len(take(feed, 10)) == 10
    assert "can't start new thread" in caplog.text


def test_nothing_secret_is_told(caplog):
    urls = [
        "rtsp://admin:geheim@127.0.0.1:9/x",
        "rtsp://127.0.0.1:9/user=admin&password=geheim&channel=1",
        "http://127.0.0.1:9/video?token=geheim",
        "nonsense://admin:geheim@127.0.0.1/x",
        "http://127.0.0.1:9/geheim/video",
        "http://127.0.0.1:9/video?pw=geheim",
    ]
    with caplog.at_level(logging.DEBUG):
        for url in urls:
            with running(url, stall=1) as feed:
                assert wait_for(lambda feed=feed: feed.status()["last_error"] is not None)
                assert "geheim" not in str(feed.status())
                assert not [t.name for t in threading.enumerate() if "geheim" in t.name]
    assert caplog.messages
    assert "geheim" not in caplog.text


def _run_ffmpeg(command: list[str]) -> None:
    if not shutil.which("ffmpeg"):
        pytest.skip("no ffmpeg")
    subprocess.run(command, check=True, timeout=60)


class Pipe:
    """An HTTP server that gives to each client the bytes it is told, at a rate, and then does as it is told."""

    def __init__(self, data: bytes, *, rate: int, hang: bool = False) -> None:
        self.data, self.rate, self.hang = data, rate, hang
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://admin:geheim@127.0.0.1:{self._server.getsockname()[1]}/live.ts"
        self.n_clients = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.n_clients += 1
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(4096)
            client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
            for at in range(0, len(self.data), 1316):
                client.sendall(self.data[at : at + 1316])
                if self._stop.wait(1316 / self.rate):
                    return
            if self.hang:
                self._stop.wait(60)

    def __enter__(self) -> Pipe:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)


@pytest.fixture
def transport_stream(tmp_path) -> bytes:
    """Four seconds, a key frame each half second."""
    write_numbered(tmp_path / "a.mp4", 100)
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "a.mp4"), "-c:v", "libx264", "-g", "12", "-bf", "2"]
    _run_ffmpeg([*command, "-muxrate", "400k", str(tmp_path / "a.ts")])
    return (tmp_path / "a.ts").read_bytes()


@pytest.mark.slow
def test_a_stream_that_falls_silent_in_the_middle(transport_stream):
    data = transport_stream[: len(transport_stream) // 2]
    with Pipe(data, rate=100_000, hang=True) as server, running(server.url, stall=1.0) as feed:
        assert wait_for(lambda: feed.status()["reconnects"] >= 2, 40)
        status = feed.status()
    assert status["stalls"] >= 2
    assert server.n_clients >= 3
    assert status["frames_read"] > 60
    assert "geheim" not in str(status)


@pytest.mark.slow
def test_a_stream_that_drops_again_and_again(transport_stream):
    data = transport_stream[: len(transport_stream) // 2]
    with Pipe(data, rate=300_000) as server, running(server.url, stall=5) as feed:
        shots = []
        while feed.status()["reconnects"] < 4 and len(shots) < 2000:
            shots += take(feed, 1, within=1)
        status = feed.status()
    check_times(shots)
    assert status["stalls"] == 0
    assert any(words in status["last_error"] for words in ("the stream ended", "it broke off"))


@pytest.mark.slow
def test_corrupt_bytes_in_the_middle(transport_stream, tmp_path):
    rng = np.random.default_rng(1)
    data = bytearray(transport_stream)
    for at in rng.integers(20_000, len(data) - 2000, 25):
        data[at : at + 400] = rng.bytes(400)
    with Pipe(bytes(data) + transport_stream, rate=60_000) as server, running(server.url, keep=30, depth=500) as feed:
        shots = take(feed, 170, within=25)
        facts = feed.save_clip(tmp_path / "clip.mp4", shots[20].time, shots[-5].time)
    check_times(shots)
    assert len(shots) > 120
    assert {shot.frame.shape for shot in shots} == {(96, 128, 3)}
    with open_video(facts.path) as video:
        assert sum(1 for _ in video) > 60


@pytest.mark.slow
def test_a_camera_that_is_killed_comes_back_each_time(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", 1200, fps=10)
    with RtspServer(path, user="admin", password="geheim") as server:
        url = server.url.replace("//", "//admin:geheim@")
        with running(url, width=64, stall=5, keep=60, depth=500) as feed:
            shots = take(feed, 40)
            assert len(shots) == 40
            assert shots[0].frame.shape == (48, 64, 3)
            for i in range(3):
                server.kill()
                assert wait_for(lambda: feed.status()["state"] != "running")
                if i == 1:  # it comes back with another size
                    path = write_numbered(tmp_path / "b.mp4", 600, fps=10, size=(192, 112))
                server.start(path)
                assert wait_for(lambda i=i: feed.status()["reconnects"] == i + 1, 40)
                shots += take(feed, 12)
            status = feed.status()
            facts = feed.save_clip(tmp_path / "clip.mp4", shots[-8].time, shots[-2].time)
            first = feed.save_clip(tmp_path / "first.mp4", shots[20].time, shots[32].time)
    check_times(shots)
    assert status["size_changes"] == 1
    assert status["reconnects"] == 3
    assert "geheim" not in str(status)
    assert (facts.width, facts.height) == (192, 112)
    assert (first.width, first.height) == (128, 96)
    with open_video(first.path) as video:
        assert sum(1 for _ in video) == first.n_frames >= 8
    assert first.start <= shots[20].time + 0.1
    assert first.end == pytest.approx(shots[32].time, abs=0.3)


@pytest.mark.slow
def test_a_camera_that_freezes(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", 1200, fps=10)
    with RtspServer(path) as server, running(server.url, stall=1.5) as feed:
        assert take(feed, 5)
        server.freeze()
        assert wait_for(lambda: feed.status()["stalls"] >= 1)
        before = feed.status()["frames_read"]
        server.thaw()
        assert wait_for(lambda: feed.status()["reconnects"] == 1, 40)
        assert wait_for(lambda: feed.status()["frames_read"] > before + 5)
        server.freeze()
        before = time.monotonic()
        feed.stop(3)
        assert time.monotonic() - before < 3
        server.thaw()
    assert feed.status()["state"] == "stopped"


@pytest.mark.slow
def test_udp_with_a_change_of_size(tmp_path):
    """Multicast cameras: packets without a connection."""
    port = free_port()
    for name, size in (("a", (128, 96)), ("b", (192, 112))):
        write_numbered(tmp_path / f"{name}.mp4", 100, size=size)
    address = f"udp://127.0.0.1:{port}"
    with running(address, stall=3, keep=20, depth=500) as feed:
        shots = []
        for name in ("a", "b"):
            command = ["ffmpeg", "-v", "error", "-re", "-i", str(tmp_path / f"{name}.mp4")]
            command += ["-c:v", "libx264", "-g", "10", "-tune", "zerolatency", "-f", "mpegts"]
            _run_ffmpeg([*command, f"{address}?pkt_size=1316"])
            shots += take(feed, 1000, within=0.5)
        status = feed.status()
    check_times(shots)
    assert {shot.frame.shape for shot in shots} == {(96, 128, 3), (112, 192, 3)}
    assert status["size_changes"] == 1
