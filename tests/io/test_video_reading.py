"""open_video on good sources: every frame, its number and its time."""

from __future__ import annotations

import gc
import shutil
import struct
import subprocess
import threading
import time
from fractions import Fraction
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionseg.core.errors import ParameterError, SourceError
from motionseg.io import VideoFrame, VideoReader, images, open_video
from motionseg.io._container import Converter, _Clock, _Decoder, _upright
from motionseg.io._source import Picture, Source


def _threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "motionseg-video"]


@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_frames_come_as_they_were_written(make_video, frames, prefetch):
    path = make_video("a.mkv", frames)
    with open_video(path, prefetch=prefetch) as video:
        assert isinstance(video, VideoReader)
        assert (video.source, video.width, video.height, video.fps) == (str(path), 48, 32, 25.0)
        assert video.duration == pytest.approx(12 / 25)
        assert not video.is_live
        seen = list(video)
        assert list(video) == []
    assert [f.index for f in seen] == list(range(12))
    assert [f.time for f in seen] == [pytest.approx(i / 25) for i in range(12)]
    for seen_frame, written in zip(seen, frames, strict=True):
        assert isinstance(seen_frame, VideoFrame)
        assert seen_frame.frame.dtype == np.uint8
        assert seen_frame.frame.flags.writeable
        assert seen_frame.frame.flags.c_contiguous
        np.testing.assert_array_equal(seen_frame.frame, written)


def test_a_frame_belongs_to_the_caller(make_video, frames):
    still = [frames[0]] * 5
    with open_video(make_video("still.mkv", still)) as video:
        for _, _, frame in video:
            np.testing.assert_array_equal(frame, frames[0])
            frame[:] = 7


def test_files_that_declare_it_tell_their_number_of_frames(make_video, frames):
    path = make_video("a.mp4", frames, codec="libx264", pixels="yuv420p", unit=Fraction(1, 12800))
    with open_video(path) as video:
        assert video.n_frames == 12 == len(list(video))
    with open_video(make_video("a.mkv", frames)) as video:
        assert video.n_frames is None


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_variable_frame_rates_keep_their_times(make_video, frames, suffix):
    times = [0, 0.04, 0.4, 0.44, 0.5, 1.2, 1.24, 3, 3.08, 3.1, 3.5, 4]  # with B-frames: decoded out of order
    path = make_video(f"vfr.{suffix}", frames, times=times, codec="libx264", pixels="yuv420p", bf="2")
    with open_video(path) as video:
        assert [f.time for f in video] == pytest.approx(times, abs=1e-4)


def test_a_long_last_frame_raises_no_alarm(make_video, frames):
    times = [*np.arange(6) / 25, 3, *(3 + np.arange(1, 6) / 25)]  # as a screen recorder leaves them
    path = make_video("screen.mkv", frames, times=times)
    data = bytearray(path.read_bytes())
    at = data.find(b"\x44\x89\x88") + 3  # the header's duration, a double of ms
    assert struct.unpack(">d", data[at : at + 8])[0] == pytest.approx(3240, abs=1)
    for duration, is_whole in ((5500, True), (9000, False)):
        data[at : at + 8] = struct.pack(">d", duration)
        path.write_bytes(data)
        with open_video(path) as video:
            assert len([next(video) for _ in range(12)]) == 12
            with pytest.raises(StopIteration if is_whole else SourceError):
                next(video)


def test_times_count_from_the_start_of_the_stream(make_video, frames):
    path = make_video("late.mkv", frames, times=100 + np.arange(12) / 25)
    with open_video(path) as video:
        assert [f.time for f in video] == pytest.approx(np.arange(12) / 25)


@pytest.mark.data
@pytest.mark.parametrize("name", ["traffic_camera_vfr.mp4", "traffic_camera.mp4", "vtest.avi"])
def test_times_are_those_of_ffprobe(data_root, name):
    path = data_root / "clips" / name
    if shutil.which("ffprobe"):
        command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time", "-of", "csv"]
        text = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True).stdout
        expected = [float(line.split(",")[1]) for line in text.split()]
    else:
        with av.open(str(path)) as container:
            packets = container.demux(container.streams.video[0])
            expected = sorted(float(p.pts * p.time_base) for p in packets if p.pts is not None)
    with open_video(path, width=16, grey=True) as video:
        assert [f.time for f in video] == pytest.approx(expected, abs=2e-6)


def test_streams_that_appear_on_the_way_do_not_matter(make_video, frames):
    def demux():
        yield from container.demux()
        raise IndexError("list index out of range")  # as PyAV does at the end of such a file

    with av.open(str(make_video("a.mkv", frames))) as container:
        late = SimpleNamespace(format=container.format, duration=container.duration, demux=demux)
        decoder = _Decoder(late, container.streams.video[0])
        assert len(list(decoder)) == 12
        assert decoder.failure is None


def test_start_and_end_keep_the_index(make_video, frames):
    path = make_video("a.mkv", frames)
    with open_video(path, start=0.12, end=0.28) as video:
        seen = list(video)
    assert [f.index for f in seen] == [3, 4, 5, 6]
    np.testing.assert_array_equal(seen[0].frame, frames[3])
    assert [f.index for f in open_video(path, end=0.04)] == [0]


def test_frames_before_start_are_not_converted(make_video, frames, monkeypatch, tmp_path):
    read = []
    original = images._read
    monkeypatch.setattr(images, "_read", lambda path, **how: read.append(path.name) or original(path, **how))
    for i, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{i}.png"), frame)
    assert [f.index for f in open_video(tmp_path, start=10 / 25)] == [10, 11]
    assert read == ["0.png", "10.png", "11.png"]


def test_a_start_after_the_last_frame_is_told(make_video, frames):
    with (
        open_video(make_video("a.mkv", frames), start=9) as video,
        pytest.raises(SourceError, match=r"at or after 9 s"),
    ):
        next(video)


def test_width_keeps_the_aspect_and_averages_areas(make_video, frames):
    path = make_video("a.mkv", frames)
    with open_video(path, width=20) as video:
        assert (video.width, video.height) == (20, 13)
        expected = cv2.resize(frames[0], (20, 13), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(next(video).frame, expected)
    with open_video(path, width=96, grey=True) as video:
        assert (video.width, video.height) == (96, 64)
        assert next(video).frame.shape == (64, 96)
    with open_video(path, width=1) as video:
        assert next(video).frame.shape == (1, 1, 3)


def test_grey_is_luma_in_full_range(make_video):
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8)[:, None, None], (1, 48, 3))
    path = make_video("ramp.mp4", [ramp] * 3, codec="libx264", pixels="yuv420p", qp="1")
    with open_video(path) as video:
        color = next(video).frame
    with open_video(path, grey=True) as video:
        grey = next(video).frame
    assert grey.shape == (64, 48)
    assert grey.flags.writeable
    assert abs(grey.astype(int) - cv2.cvtColor(color, cv2.COLOR_BGR2GRAY)).max() <= 2
    assert abs(grey.astype(int) - ramp[..., 0]).max() <= 4


@pytest.mark.parametrize("size", [(31, 47), (1, 1), (32, 47)])
def test_grey_sources_of_any_size_are_exact(make_video, size):
    pictures = [np.random.default_rng(i).integers(0, 256, size, dtype=np.uint8) for i in range(3)]
    path = make_video("grey.mkv", pictures)
    with open_video(path, grey=True) as video:
        for seen, written in zip(video, pictures, strict=True):
            np.testing.assert_array_equal(seen.frame, written)
    with open_video(path) as video:
        for seen, written in zip(video, pictures, strict=True):
            np.testing.assert_array_equal(seen.frame, np.dstack([written] * 3))


@pytest.mark.parametrize("pixels", ["yuv420p10le", "gray16le", "yuv444p", "yuv422p"])
def test_more_bits_and_other_samplings_come_as_8_bit_bgr(make_video, frames, pixels):
    path = make_video("deep.mkv", frames, pixels=pixels)
    with open_video(path) as video, open_video(path, grey=True) as grey_video:
        for (_, _, color), (_, _, grey), written in zip(video, grey_video, frames, strict=True):
            assert (color.dtype, color.shape, grey.shape) == (np.uint8, (32, 48, 3), (32, 48))
            inside = np.s_[3:5, 3::8]  # away from the edges of the blocks, where colour is shared
            truth = cv2.cvtColor(written, cv2.COLOR_BGR2GRAY).astype(int)
            assert abs(grey.astype(int) - truth)[inside].max() <= 3
            if pixels != "gray16le":
                assert abs(color.astype(int) - written)[inside].max() <= 6


def test_pictures_of_10_bits_stay_sharp(make_video):
    colors = np.random.default_rng(0).integers(60, 196, (16, 24, 3), dtype=np.uint8)
    blocks = colors.repeat(2, axis=0).repeat(2, axis=1)  # as large as pixels of colour are in 4:2:0
    (deep,) = open_video(make_video("deep.mkv", [blocks], pixels="yuv420p10le"))
    (flat,) = open_video(make_video("flat.mkv", [blocks], pixels="yuv420p"))
    assert abs(deep.frame.astype(int) - flat.frame).mean() < 8


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("pixels", ["bgr24", "gray", "yuv420p", "yuvj420p"])
def test_arrays_do_not_share_the_memory_of_the_decoder(frames, pixels, grey):
    frame = av.VideoFrame.from_ndarray(frames[1], format="bgr24").reformat(format=pixels)
    before = [bytes(plane) for plane in frame.planes]
    array = Converter("a", grey=grey).array(frame)
    array[:] = 7
    assert [bytes(plane) for plane in frame.planes] == before


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_pictures_are_turned_upright(make_video, frames, rotation):
    path = make_video("turned.mp4", frames, codec="libx264", pixels="yuv420p", rotation=rotation, qp="1")
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert (frame.rotation - rotation) % 180 == 0
        expected = np.rot90(frame.to_ndarray(format="bgr24"), frame.rotation // 90)  # both count against the clock
    with open_video(path) as video:
        assert (video.height, video.width) == expected.shape[:2]
        upright = next(video).frame
    np.testing.assert_array_equal(upright, expected)
    assert upright.flags.c_contiguous


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [((-1, 0, 0, 1), np.fliplr), ((1, 0, 0, -1), np.flipud), ((0, 1, 1, 0), np.transpose)],
)
def test_mirrored_pictures_are_put_right(matrix, expected):
    a, b, c, d = (v << 16 for v in matrix)  # x' = a x + c y, y' = b x + d y
    side_data = {"DISPLAYMATRIX": np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32)}
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)
    turned = _upright(SimpleNamespace(side_data=side_data))(picture)
    np.testing.assert_array_equal(turned, expected(picture))


def test_reading_runs_ahead_but_not_away(frames, monkeypatch, tmp_path):
    for i in range(12):
        cv2.imwrite(str(tmp_path / f"{i}.png"), frames[i])
    read = []
    original = images._read
    monkeypatch.setattr(images, "_read", lambda path, **how: read.append(path.name) or original(path, **how))
    with open_video(tmp_path, prefetch=2) as video:
        next(video)
        deadline = time.monotonic() + 5
        while len(read) < 4 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert len(read) == 4  # one given, two waiting, one in hand
        time.sleep(0.05)
        assert len(read) == 4
        assert len(list(video)) == 11


def test_no_thread_is_left_behind(make_video, frames, tmp_path):
    path = make_video("a.mkv", frames)
    assert not _threads()
    assert len(list(open_video(path))) == 12
    assert not _threads(), "after the last frame"
    with open_video(path, prefetch=1) as video:
        next(video)
        assert _threads()
    assert not _threads(), "after close"
    video.close()
    reader = open_video(path, prefetch=1)
    next(reader)
    assert _threads()
    del reader
    gc.collect()
    assert not _threads(), "after being dropped"
    for _ in open_video(path, prefetch=1):
        break
    gc.collect()
    assert not _threads(), "after a loop that was left"
    (tmp_path / "shots").mkdir()
    cv2.imwrite(str(tmp_path / "shots" / "0.png"), frames[0])
    (tmp_path / "shots" / "1.png").write_bytes(b"no picture")
    with pytest.raises(SourceError):
        list(open_video(tmp_path / "shots"))
    assert not _threads(), "after an error"
    open_video(path, prefetch=0)
    assert not _threads()


@pytest.mark.parametrize("prefetch", [0, 4])
def test_a_closed_reader_says_so(make_video, frames, prefetch):
    path = make_video("a.mkv", frames)
    with open_video(path, prefetch=prefetch) as video:
        next(video)
    video.close()
    with pytest.raises(SourceError, match="closed"):
        next(video)


def test_a_reader_on_its_way_to_start_can_be_closed():
    def pictures():
        while True:
            yield Picture("endless", 0.0, lambda: np.zeros((2, 2), np.uint8))

    source = Source("endless", pictures(), fps=None, n_frames=None, duration=None, is_live=False)
    video = VideoReader(source, start=1.0, end=None, width=None, prefetch=1)
    closer = threading.Thread(target=video.close, daemon=True)
    closer.start()
    closer.join(5)
    assert not closer.is_alive()


def test_close_from_another_thread_ends_the_loop(make_video, frames):
    video = open_video(make_video("a.mkv", frames), prefetch=1)
    next(video)
    closer = threading.Thread(target=video.close)
    closer.start()
    closer.join(5)
    assert not closer.is_alive()
    assert not _threads()


@pytest.mark.parametrize(
    "arguments",
    [
        {"start": -1},
        {"start": 2, "end": 2},
        {"end": 0},
        {"width": 0},
        {"width": 2.5},
        {"grey": "yes"},
        {"prefetch": -1},
        {"fps": 0},
        {"timeout": 0},
    ],
)
def test_arguments_are_checked_before_anything_is_opened(arguments):
    with pytest.raises(ParameterError, match=next(reversed(arguments))):
        open_video("not there.mp4", **arguments)


@pytest.mark.parametrize("source", [None, True, 2.5, ["a.mp4"]])
def test_a_source_of_another_type_is_refused(source):
    with pytest.raises(ParameterError, match="source"):
        open_video(source)


def _clock(start=0, step=0.04):
    return _Clock(SimpleNamespace(start_time=start, time_base=Fraction(1, 1000)), step)


def test_missing_and_repeated_timestamps_are_filled_in():
    clock = _clock()
    times = [clock.time(stamp) for stamp in (0, 40, None, 120, 120, 100, 240)]
    assert times == pytest.approx([0, 0.04, 0.08, 0.12, 0.16, 0.20, 0.24])
    assert _clock(start=None).time(5000) == 0
    assert _clock(start=None).time(None) == 0


def test_time_goes_on_when_a_camera_starts_anew():
    clock = _clock()
    assert [clock.time(stamp) for stamp in (0, 5000, 0, 100)] == pytest.approx([0, 5, 5.04, 5.14])


@given(st.lists(st.none() | st.integers(-(10**6), 10**6), min_size=1, max_size=40), st.none() | st.integers(-99, 99))
def test_times_strictly_increase_whatever_the_timestamps(stamps, start):
    clock = _clock(start)
    times = [clock.time(stamp) for stamp in stamps]
    assert times[0] >= 0
    assert (np.diff(times) > 0).all()
