"""open_video on bad sources: a SourceError that says what is wrong, after all frames there are; no hang, no crash."""

from __future__ import annotations

import http.server
import os
import random
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from motionseg.core.errors import ParameterError, SourceError
from motionseg.io import open_video
from motionseg.io._container import open_url


def _read_all(source, **arguments):
    """Frames and the error that ended them (None: the end)."""
    seen = []
    try:
        with open_video(source, **arguments) as video:
            for frame in video:
                seen.append(frame)
    except SourceError as error:
        return seen, error
    return seen, None


def test_what_is_not_there(tmp_path):
    with pytest.raises(SourceError, match="no such file") as caught:
        open_video(tmp_path / "no.mp4")
    assert caught.value.source == str(tmp_path / "no.mp4")
    assert caught.value.frame is None
    with pytest.raises(SourceError, match="no file matches"):
        open_video(str(tmp_path / "*.png"))
    with pytest.raises(SourceError, match="no image in the folder"):
        open_video(tmp_path)
    with pytest.raises(SourceError):
        open_video("bad\0name.mp4")
    with pytest.raises(SourceError, match="video987"):
        open_video(987)
    with pytest.raises(ParameterError):
        open_video(-1)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "secret.mp4"
    path.write_bytes(b"x")
    if os.access(path, os.R_OK) and os.geteuid() == 0:  # root may read anything
        monkeypatch.setattr(
            "builtins.open", lambda *a, **k: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
        )
    else:
        path.chmod(0)
    with pytest.raises(SourceError, match="Permission denied"):
        open_video(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "empty"),
        ("empty.png", b"", "empty"),
        ("text.mp4", b"This is a text and no video at all.\n" * 99, "cannot be opened"),
        ("text.txt", b"This is a text and no video at all.\n" * 99, "no video in it, only text"),
        ("text.png", b"This is a text and no picture.\n" * 99, "not a readable image"),
        ("zeros.avi", bytes(5000), "cannot be opened"),
    ],
)
def test_files_that_hold_no_video(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        open_video(tmp_path / name)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(SourceError, match="not a regular file"):
        open_video(tmp_path / "pipe.mp4")


def test_a_file_with_sound_only(tmp_path):
    path = tmp_path / "sound.mka"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(SourceError, match="only audio"):
        open_video(path)


def test_an_mp4_without_its_index(make_video, frames):
    path = make_video("a.mp4", frames, codec="libx264", pixels="yuv420p")
    data = path.read_bytes()
    assert data.rfind(b"moov") > data.find(b"mdat"), "the index is at the end"
    path.write_bytes(data[: data.rfind(b"moov") - 4])
    with pytest.raises(SourceError, match="cannot be opened"):
        open_video(path)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("suffix", ["mkv", "avi"])
def test_a_cut_file_gives_its_frames_and_then_an_error(make_video, frames, suffix, share):
    frames = frames * 3
    path = make_video(f"cut.{suffix}", frames, g="1")
    data = path.read_bytes()
    assert _read_all(path)[1] is None
    path.write_bytes(data[: int(len(data) * share)])
    seen, error = _read_all(path)
    assert 0 < len(seen) < 36 * share + 3
    for frame, written in zip(seen, frames, strict=False):
        np.testing.assert_array_equal(frame.frame, written)
    assert "cut short" in str(error)
    assert error.frame == len(seen)
    assert error.source == str(path)


def _mp4_with_index_in_front(path: Path, frames) -> None:
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "2", "g": "6"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_cut_mp4_gives_its_frames_and_then_an_error(tmp_path, frames, share):
    path = tmp_path / "cut.mp4"
    _mp4_with_index_in_front(path, frames * 3)
    whole, error = _read_all(path)
    assert len(whole) == 36
    assert error is None
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    seen, error = _read_all(path)
    assert 4 <= len(seen) < 36
    assert [f.time for f in seen] == [f.time for f in whole[: len(seen)]]
    assert "cut short" in str(error)


def test_a_damaged_packet_is_passed_over_and_told_at_the_end(make_video, frames):
    path = make_video("damaged.avi", frames, codec="mjpeg", pixels="yuvj420p")
    data = bytearray(path.read_bytes())
    starts = [i for i in range(len(data) - 3) if data[i : i + 3] == b"\xff\xd8\xff"]
    assert len(starts) == 12
    data[starts[5] : starts[6] - 20] = bytes(starts[6] - 20 - starts[5])
    path.write_bytes(data)
    seen, error = _read_all(path)
    assert len(seen) == 11
    assert seen[-1].time == pytest.approx(11 / 25)
    assert "damaged: 1 packets" in str(error)


def test_a_size_that_changes_in_mid_stream(make_video, frames):
    small = make_video("small.ts", frames, codec="libx264", pixels="yuv420p")
    large = make_video("large.ts", [cv2.resize(f, (64, 48)) for f in frames], codec="libx264", pixels="yuv420p")
    both = small.with_name("both.ts")
    both.write_bytes(small.read_bytes() + large.read_bytes())
    for width in (None, 40):
        seen, error = _read_all(both, width=width)
        assert len(seen) == 12
        assert "from 48x32 to 64x48" in str(error)
        assert error.frame == 12


def test_a_folder_of_different_sizes_names_the_image(frames, tmp_path):
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"img{i}.png"), frames[i] if i < 2 else frames[i][:16])
    seen, error = _read_all(tmp_path)
    assert len(seen) == 2
    assert error.source == str(tmp_path / "img2.png")
    assert error.frame == 2


@pytest.mark.parametrize("first_is_bad", [False, True])
def test_a_corrupt_image_in_a_folder_is_named(frames, tmp_path, first_is_bad):
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"img{i}.jpg"), frames[i])
    bad = tmp_path / ("img0.jpg" if first_is_bad else "img1.jpg")
    bad.write_bytes(bad.read_bytes()[:300])
    seen, error = _read_all(tmp_path)
    assert len(seen) == (0 if first_is_bad else 1)
    assert error.source == str(bad)
    assert error.frame == len(seen)


def test_nothing_is_said_on_stderr(tmp_path, frames, capfd):
    path = tmp_path / "cut.mp4"
    _mp4_with_index_in_front(path, frames * 3)
    path.write_bytes(path.read_bytes()[:-700])
    assert _read_all(path)[1] is not None
    assert capfd.readouterr() == ("", "")


_DRIVER = """
    import sys, threading
    from motionseg.io import open_video
    from motionseg.core.errors import SourceError

    def outcome(path):
        n = 0
        try:
            with open_video(path) as video:
                for _ in video:
                    n += 1
        except SourceError as error:
            assert error.source == path and str(error)
            return f"error {n}"
        return f"frames {n}"

    for path in sys.argv[1:]:
        print(outcome(path), flush=True)
    assert threading.active_count() == 1
"""


def _in_subprocess(paths) -> list[str]:
    command = [sys.executable, "-c", textwrap.dedent(_DRIVER), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.data
def test_a_file_that_aborts_opencv_does_not_abort_us(data_root):
    (line,) = _in_subprocess([data_root / "clips" / "hostile_demo.avi"])
    assert line.split()[0] in ("error", "frames")


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["vtest.avi", "traffic_camera.mp4", "traffic_camera_vfr.mp4", "issue53_brightness_change.avi"]
)
def test_good_files_raise_no_alarm(data_root, name):
    with open_video(data_root / "clips" / name, width=16, grey=True) as video:
        assert len(list(video)) == video.n_frames


def test_random_damage_gives_frames_or_an_error(make_video, frames, tmp_path):
    _mp4_with_index_in_front(tmp_path / "good.mp4", frames)
    originals = [
        tmp_path / "good.mp4",
        make_video("good.avi", frames, codec="mpeg4", pixels="yuv420p"),
        make_video("good.mkv", frames, codec="libx264", pixels="yuv420p"),
    ]
    chance = random.Random(7)
    variants = []
    for i in range(36):
        original = originals[i % 3]
        data = bytearray(original.read_bytes())
        for _ in range(chance.choice((1, 5, 50))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if i % 4 == 3:
            del data[chance.randrange(len(data)) :]
        variants.append(tmp_path / f"fuzz{i}{original.suffix}")
        variants[-1].write_bytes(data)
    lines = _in_subprocess([*originals, *variants])
    assert lines[:3] == ["frames 12"] * 3
    assert len(lines) == 39
    kinds = {line.split()[0] for line in lines[3:]}
    assert kinds == {"frames", "error"}, "the damage is neither nothing nor everything"


class _Handler(http.server.BaseHTTPRequestHandler):
    content = b""
    stall_after: int | None = None
    released = threading.Event()

    def do_GET(self) -> None:
        if "missing" in self.path:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "video/x-matroska")
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        if "stall" not in self.path:
            self.wfile.write(self.content)
            return
        self.wfile.write(self.content[: self.stall_after])
        self.wfile.flush()
        self.released.wait(20)

    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def server(make_video, frames):
    path = make_video("served.mkv", frames * 4)
    _Handler.content = path.read_bytes()
    _Handler.stall_after = len(_Handler.content) // 2
    _Handler.released.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as httpd:
        httpd.daemon_threads = True
        httpd.handle_error = lambda *a: None
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{httpd.server_port}"
        _Handler.released.set()
        httpd.shutdown()
        thread.join()


def test_a_file_on_a_server(server, frames):
    with open_video(f"http://user:geheim@{server}/a.mkv") as video:
        assert "geheim" not in video.source
        assert video.source.startswith("http://user:***@127")
        assert not video.is_live
        seen = [f.frame for f in video]
    assert len(seen) == 48
    np.testing.assert_array_equal(seen[0], frames[0])


def test_a_server_without_the_file(server):
    with pytest.raises(SourceError, match="404") as caught:
        open_video(f"http://user:geheim@{server}/missing.mkv")
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_server_that_stalls_is_given_up(server):
    before = time.monotonic()
    seen, error = _read_all(f"http://{server}/stall.mkv", timeout=0.5)
    assert time.monotonic() - before < 8
    assert 0 < len(seen) < 48, "what came before the stall is given"
    assert "no data for 0.5 s" in str(error)


def test_a_server_that_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        before = time.monotonic()
        with pytest.raises(SourceError, match=r"no data for 0\.3 s"):
            open_video(f"http://127.0.0.1:{silent.getsockname()[1]}/a.mp4", timeout=0.3)
        assert time.monotonic() - before < 5


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SourceError, match="refused"):
        open_video(f"rtsp://admin:geheim@127.0.0.1:{port}/stream", timeout=2)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://u:p@w:d@nohost.invalid/x", "rtsp://u:***@nohost.invalid/x"),
        ("http://u@nohost.invalid/a@b", "http://u@nohost.invalid/a@b"),
    ],
)
def test_passwords_are_taken_out(url, shown, monkeypatch):
    monkeypatch.setattr(av, "open", lambda *a, **k: (_ for _ in ()).throw(OSError(5, "broken", url)))
    with pytest.raises(SourceError) as caught:
        open_url(url, grey=False, fps=25, timeout=1)
    assert caught.value.source == shown
    assert "p@w:d" not in str(caught.value)
