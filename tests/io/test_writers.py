"""Writers: what is written can be read again; what cannot be written is told."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from motionseg.core.errors import FrameError, OutputError, ParameterError, SourceError
from motionseg.core.types import Tracks
from motionseg.io import (
    MaskFolderWriter,
    MaskVideoWriter,
    TracksCsvWriter,
    VideoWriter,
    open_video,
    read_image,
    write_image,
    write_json,
    write_text,
)

_TIMES = [0.0, 0.04, 0.081, 0.5, 0.502, 3.0, 3.001, 7.25]


@pytest.fixture
def masks():
    rng = np.random.default_rng(0)
    return [rng.choice(np.array([0, 127, 255], np.uint8), (31, 45)) for _ in _TIMES]


@pytest.fixture
def tracks():
    return Tracks(
        time=1.25,
        ids=np.array([3, 12]),
        boxes=np.array([[1, 2, 3.456, 4], [10, 20, 30, 40.5]], np.float32),
        labels=np.array([1, 0], np.int32),
        areas=np.array([7, 900]),
        scores=np.array([0.5, 0.98768], np.float32),
        velocities=np.array([[0, 0], [1.25, -2.5]], np.float32),
        states=np.array([1, 2], np.uint8),
        parents=np.array([0, 3]),
    )


def test_mask_folder(tmp_path, masks):
    with MaskFolderWriter(tmp_path / "new" / "masks") as writer:
        for i, mask in enumerate(masks):
            writer.write(10 * i, mask)
    names = sorted(p.name for p in (tmp_path / "new" / "masks").iterdir())
    assert names == [f"{10 * i:06d}.png" for i in range(8)]
    for name, mask in zip(names, masks, strict=True):
        path = tmp_path / "new" / "masks" / name
        np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), mask)
        np.testing.assert_array_equal(read_image(path, grey=True), mask)
    with pytest.raises(OutputError, match="closed"):
        writer.write(0, masks[0])


@pytest.mark.parametrize("size", [(31, 45), (32, 48), (1, 1), (2, 3)])
def test_mask_video_is_exact_in_values_and_times(tmp_path, masks, size):
    path = tmp_path / "new" / "masks.mkv"
    cut = (
        [mask[: size[0], : size[1]] for mask in masks]
        if size != (32, 48)
        else [np.pad(m, ((0, 1), (0, 3))) for m in masks]
    )
    with MaskVideoWriter(path, fps=12.5) as writer:
        for mask, time in zip(cut, _TIMES, strict=True):
            writer.write(mask, time)
    with open_video(path, grey=True) as video:
        assert video.fps == 12.5
        seen = list(video)
    assert [f.time for f in seen] == pytest.approx(_TIMES, abs=1e-6)
    for frame, mask in zip(seen, cut, strict=True):
        np.testing.assert_array_equal(frame.frame, mask)


@pytest.mark.parametrize("has_x264", [True, False])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("size", [(32, 48), (31, 45), (1, 3)])
def test_video_keeps_times_and_pads_odd_sizes(tmp_path, frames, monkeypatch, has_x264, grey, size):
    if not has_x264:
        monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    elif "libx264" not in av.codecs_available:
        pytest.skip("PyAV without x264")
    path = tmp_path / "new" / "a.mp4"
    smooth = [cv2.resize(frame[:16, :24], size[::-1], interpolation=cv2.INTER_AREA) for frame in frames]
    smooth = [frame[..., 0].copy() if grey else frame for frame in smooth]
    with VideoWriter(path, fps=29.97) as writer:
        for frame, time in zip(smooth, _TIMES, strict=False):
            writer.write(frame, time)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == ("h264" if has_x264 else "mpeg4")
    with open_video(path, grey=grey) as video:
        assert video.n_frames == len(_TIMES)
        seen = list(video)
    assert [f.time for f in seen] == pytest.approx(_TIMES, abs=2e-5)
    for (_, _, frame), written in zip(seen, smooth, strict=False):
        height, width = written.shape[:2]
        assert frame.shape[:2] == (height + height % 2, width + width % 2)
        padded = np.pad(written, ((0, height % 2), (0, width % 2), (0, 0))[: written.ndim], mode="edge")
        assert abs(frame.astype(int) - padded).mean() < 25


def test_rates_of_television_are_kept_to_the_tick(tmp_path, frames):
    times = [i * 1001 / 30000 for i in range(12)]
    with VideoWriter(tmp_path / "tv.mp4", fps=30000 / 1001) as writer:
        for frame, time in zip(frames, times, strict=True):
            writer.write(frame, time)
    with open_video(tmp_path / "tv.mp4") as video:
        assert [f.time for f in video] == pytest.approx(times, abs=1e-9)


@pytest.mark.parametrize("kind", [VideoWriter, MaskVideoWriter])
def test_bad_frames_and_times_are_refused_and_the_file_goes_on(tmp_path, masks, kind):
    path = tmp_path / "a.mkv"
    with kind(path) as writer:
        with pytest.raises(ParameterError, match="time"):
            writer.write(masks[0], -1)
        writer.write(masks[0][:20], 0)  # what was refused has not set the size
        for bad in (masks[0], masks[0][:20].astype(float), None, masks[0][:20, :, None]):
            with pytest.raises(FrameError):
                writer.write(bad, 1)
        for time in (0, float("nan"), 1e-9):
            with pytest.raises(ParameterError, match="time"):
                writer.write(masks[0][:20], time)
        writer.write(masks[1][:20], 1)
    with open_video(path) as video:
        assert [f.time for f in video] == pytest.approx([0, 1])


def test_tracks_csv(tmp_path, tracks):
    path = tmp_path / "new" / "tracks.csv"
    with TracksCsvWriter(path) as writer:
        writer.write(0, Tracks(time=0.0))
        assert path.read_text() == "frame,time,id,x0,y0,x1,y1,area,score,vx,vy,parent,state\n"
        writer.write(31, tracks)
        rows = path.read_text().splitlines()  # before close: a killed process leaves them
        assert rows[1] == "31,1.250000,3,1.00,2.00,3.46,4.00,7,0.5000,0.00,0.00,0,confirmed"
        assert rows[2] == "31,1.250000,12,10.00,20.00,30.00,40.50,900,0.9877,1.25,-2.50,3,occluded"
        with pytest.raises(ParameterError):
            writer.write(-1, tracks)
    with path.open(newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["confirmed", "occluded"]
    with pytest.raises(OutputError, match="closed"):
        writer.write(32, tracks)


def test_tracks_csv_goes_on_with_an_old_file(tmp_path, tracks):
    path = tmp_path / "tracks.csv"
    for index in range(3):
        with TracksCsvWriter(path, append=True) as writer:
            writer.write(index, tracks)
    lines = path.read_text().splitlines()
    assert lines[0].startswith("frame,")
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "0", "1", "1", "2", "2"]


def test_write_json(tmp_path):
    path = tmp_path / "new" / "a.json"
    value = {"a": np.float32(0.5), "b": np.arange(3), 3: (1, None, True, "ä"), "nan": [float("nan"), np.inf]}
    write_json(path, value)
    assert json.loads(path.read_text("utf-8")) == {
        "a": 0.5,
        "b": [0, 1, 2],
        "3": [1, None, True, "ä"],
        "nan": [None, None],
    }
    with pytest.raises(OutputError, match=r"a\.json"):
        write_json(path, {"a": object()})
    assert "ä" in path.read_text("utf-8"), "the old file is untouched"
    write_json(path, [])
    assert path.read_text() == "[]\n"
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


def test_write_text(tmp_path):
    write_text(tmp_path / "new" / "a.md", "# Ä\n")
    assert (tmp_path / "new" / "a.md").read_bytes() == b"# \xc3\x84\n"
    with pytest.raises(OutputError, match=r"a\.md/b"):
        write_text(tmp_path / "new" / "a.md" / "b", "")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "A.JPEG"])
def test_write_image(tmp_path, frames, name):
    write_image(tmp_path / "new" / name, frames[0])
    difference = abs(read_image(tmp_path / "new" / name).astype(int) - frames[0])
    assert difference.mean() <= (0 if name == "a.png" else 12)
    write_image(tmp_path / "new" / name, frames[0][..., 0])
    assert [p.name for p in (tmp_path / "new").iterdir()] == [name]


def test_write_image_refuses(tmp_path, frames):
    for name in ("a.txt", "a"):
        with pytest.raises(OutputError, match=name):
            write_image(tmp_path / name, frames[0])
    with pytest.raises(FrameError):
        write_image(tmp_path / "a.png", frames[0].astype(float))
    with pytest.raises(OutputError, match=r"a\.jpg"):
        write_image(tmp_path / "a.jpg", np.zeros((1, 70000), np.uint8))
    assert list(tmp_path.iterdir()) == []


def _write_some(kind, path, masks, tracks, n=3):
    """Write `n` things with writer `kind` to `path`."""
    if kind is write_json:
        write_json(path, list(range(n)))
    elif kind is write_image:
        write_image(path, masks[0])
    else:
        with kind(path) as writer:
            for i in range(n):
                if kind is TracksCsvWriter:
                    writer.write(i, tracks)
                elif kind is MaskFolderWriter:
                    writer.write(i, masks[0])
                else:
                    writer.write(np.random.default_rng(i).integers(0, 256, (32, 48), dtype=np.uint8), i)


_ALL = [MaskFolderWriter, MaskVideoWriter, VideoWriter, TracksCsvWriter, write_json, write_image]


@pytest.mark.parametrize("kind", _ALL)
def test_a_folder_that_cannot_be_made_is_told(tmp_path, masks, tracks, kind):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"file/x\.png"):
        _write_some(kind, tmp_path / "file" / "x.png", masks, tracks)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("n", [1, 300])
@pytest.mark.parametrize("kind", [MaskVideoWriter, VideoWriter, TracksCsvWriter])
def test_a_full_disk_is_told(masks, tracks, kind, n):
    with pytest.raises(OutputError, match=r"/dev/full.*No space left"):
        _write_some(kind, "/dev/full", masks, tracks, n)


@pytest.mark.parametrize("kind", [MaskFolderWriter, write_json, write_image])
def test_a_full_disk_leaves_the_old_file(tmp_path, masks, tracks, kind, monkeypatch):
    path = tmp_path / "a.png"
    _write_some(kind, path, masks, tracks)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    class Full(io.FileIO):
        def write(self, data):
            super().write(data[: len(data) // 2])
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda self, mode: Full(self, mode))
    with pytest.raises(OutputError, match=r"a\.png.*No space left"):
        _write_some(kind, path, masks, tracks, 2)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_after_a_failure_the_writer_is_closed_and_tells_it_once():
    writer = MaskVideoWriter("/dev/full")
    noise = np.random.default_rng(0).integers(0, 256, (500, 500), dtype=np.uint8)  # more than FFmpeg's buffer
    with pytest.raises(OutputError, match="No space left"):
        _write_until_it_fails(writer, noise)
    writer.close()
    with pytest.raises(OutputError, match="closed"):
        writer.write(noise, 1000)


def _write_until_it_fails(writer, picture):
    for time in range(50):
        writer.write(picture, time)


@pytest.mark.parametrize("kind", _ALL[:4])
def test_a_writer_that_got_nothing_leaves_nothing(tmp_path, kind):
    with kind(tmp_path / "new" / "a.mp4") as writer:
        pass
    writer.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [VideoWriter, MaskVideoWriter])
def test_a_block_left_by_an_error_leaves_a_readable_file(tmp_path, masks, kind):
    def interrupted():
        with kind(tmp_path / "a.mkv") as writer:
            writer.write(masks[0], 0)
            writer.write(masks[1], 0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(list(open_video(tmp_path / "a.mkv"))) == 2


def test_a_killed_process_leaves_whole_rows(tmp_path):
    program = """
        import os, sys
        import numpy as np
        from motionseg.core.types import Tracks
        from motionseg.io import TracksCsvWriter
        one = Tracks(0.0, np.array([1]), np.zeros((1, 4), np.float32), np.zeros(1, np.int32), np.zeros(1, np.int64),
                     np.zeros(1, np.float32), np.zeros((1, 2), np.float32), np.zeros(1, np.uint8))
        writer = TracksCsvWriter(sys.argv[1])
        for i in range(50):
            writer.write(i, one)
        os._exit(9)
    """
    path = tmp_path / "tracks.csv"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(path)], timeout=60)
    assert done.returncode == 9
    lines = path.read_text().splitlines()
    assert len(lines) == 51
    assert lines[-1] == "49,0.000000,1,0.00,0.00,0.00,0.00,0,0.0000,0.00,0.00,0,tentative"


@pytest.mark.parametrize("kind", [VideoWriter, MaskVideoWriter])
def test_the_rate_is_checked(tmp_path, kind):
    for fps in (0, -1, "25", None):
        with pytest.raises(ParameterError, match="fps"):
            kind(tmp_path / "a.mp4", fps=fps)
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(not VideoWriter._container_options, reason="FFmpeg before 7.1 cannot")
def test_a_killed_process_leaves_a_video_that_can_be_read(tmp_path):
    code = f"""
import os, numpy as np
from motionseg.io import VideoWriter
rng, writer = np.random.default_rng(0), VideoWriter({str(tmp_path / "a.mp4")!r})
for i in range(300):
    writer.write(rng.integers(0, 256, (64, 96, 3), np.uint8), i / 25)
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 9
    n = 0
    with open_video(tmp_path / "a.mp4") as video:
        try:
            for _ in video:
                n += 1
        except SourceError:
            pass
    assert n > 150
