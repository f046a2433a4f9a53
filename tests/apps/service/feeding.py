"""A feed at work, and films whose pictures tell their number."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from motionseg.apps.service.feed import Feed
from motionseg.datasets import street
from motionseg.io import VideoWriter


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


def write_street(path: Path) -> None:
    """120 pictures of 160x96, every twelfth of them a key frame, as an MPEG transport stream."""
    with av.open(str(path), "w") as out:
        options = {"g": "12", "bf": "0", "x264-params": "scenecut=0:slices=2"}
        stream = out.add_stream("libx264", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for shot in street(width=160, height=96, n_frames=120, fps=10, seed=2):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shot.frame, format="bgr24")))
        out.mux(stream.encode(None))


def packets_of(path: Path) -> list[bytes]:
    """The 188 bytes each that a transport stream is made of."""
    data = path.read_bytes()
    return [data[at : at + 188] for at in range(0, len(data), 188)]


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


def run_ffmpeg(command: list[str]) -> None:
    if not shutil.which("ffmpeg"):
        pytest.skip("no ffmpeg")
    subprocess.run(command, check=True, timeout=60)
