"""Feeds of sockets and servers that break in all ways; the slow ones with GStreamer's RTSP server."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
from feeding import check_times, packets_of, run_ffmpeg, running, take, wait_for, write_numbered, write_street
from rtsp_server import RtspServer, free_port

from motionseg.apps.service.feed import Feed
from motionseg.io import open_video


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
    run_ffmpeg([*command, "-muxrate", "400k", str(tmp_path / "a.ts")])
    return (tmp_path / "a.ts").read_bytes()


def test_a_key_frame_that_is_damaged_spoils_all_up_to_the_next(tmp_path):
    write_street(tmp_path / "street.ts")
    packets = packets_of(tmp_path / "street.ts")
    keys = [i for i, packet in enumerate(packets) if packet[1] & 0x40 and packet[3] & 0x20 and packet[5] & 0x40]
    assert len(keys) == 10
    for at in (keys[4] + 3, keys[7] + 4):
        packets[at] = packets[at][:30] + np.random.default_rng(at).bytes(158)
    with Pipe(b"".join(packets), rate=200_000, hang=True) as server, running(server.url, depth=500) as feed:
        assert wait_for(lambda: feed.status()["frames_read"] >= 108)
        shots = take(feed, 84)
        status = feed.status()
    assert 24 <= status["frames_damaged"] <= 28, "what came just before may be marked, too"
    assert {shot.number for shot in shots} & ({*range(48, 60)} | {*range(84, 96)}) == set()


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
            run_ffmpeg([*command, f"{address}?pkt_size=1316"])
            shots += take(feed, 1000, within=0.5)
        status = feed.status()
    check_times(shots)
    assert {shot.frame.shape for shot in shots} == {(96, 128, 3), (112, 192, 3)}
    assert status["size_changes"] == 1
