"""The round trip through an encoder: nothing is lost but what compression takes."""

from __future__ import annotations

import av
import numpy as np
import pytest

from motionseg.core.errors import FrameError, OutputError, ParameterError
from motionseg.io import compressed

CODECS = ("jpeg", "mpeg4", "h264")


def clip(n=5, height=48, width=64):
    """A bright square that goes right over a texture."""
    plate = np.random.default_rng(0).integers(60, 140, (height // 2, width // 2, 3), np.uint8).repeat(2, 0).repeat(2, 1)
    frames = np.tile(plate, (n, 1, 1, 1))
    for i, frame in enumerate(frames):
        frame[10:26, 4 + 8 * i : 20 + 8 * i] = (40, 220, 250)
    return list(frames)


def distance(frames, after):
    return np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(frames, after, strict=True)])


@pytest.mark.parametrize("codec", CODECS)
def test_frames_come_back_alike_in_their_order(codec):
    frames = clip()
    copies = [frame.copy() for frame in frames]
    after = compressed(frames, codec=codec, quality=0.9)
    assert isinstance(after, list)
    assert len(after) == 5
    for i, frame in enumerate(after):
        assert frame.shape == (48, 64, 3)
        assert frame.dtype == np.uint8
        assert frame.flags.c_contiguous
        assert min(range(5), key=lambda k: distance([frames[k]], [frame])) == i
    np.testing.assert_array_equal(frames, copies)
    frame[:] = 0  # the caller's
    again = compressed(iter(copies), codec=codec, quality=0.9)  # any iterable, the same every time
    np.testing.assert_array_equal(again[:4], after[:4])
    assert again[4].any()


@pytest.mark.parametrize("codec", CODECS)
def test_lower_quality_is_farther_away(codec):
    frames = clip()
    errors = [distance(frames, compressed(frames, codec=codec, quality=quality)) for quality in (1, 0.6, 0.3, 0)]
    assert errors == sorted(errors)
    assert errors[0] < 10
    assert errors[3] > errors[0] + 4


def test_colours_keep_their_channels():
    frame = np.full((32, 32, 3), (200, 30, 90), np.uint8)
    for codec in CODECS:
        (after,) = compressed([frame], codec=codec, quality=0.95)
        assert np.abs(after.astype(int) - frame).max() < 12, codec


def test_without_x264_it_is_mpeg4(monkeypatch):
    frames = clip()
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    without = compressed(frames, codec="h264", quality=0.4)
    np.testing.assert_array_equal(without, compressed(frames, codec="mpeg4", quality=0.4))


@pytest.mark.parametrize("codec", CODECS)
def test_odd_sizes_work_or_say_so(codec):
    frames = clip(2, 46, 62)
    odd = [np.ascontiguousarray(frame[:45, :61]) for frame in frames]
    if codec == "h264" and "libx264" in av.codecs_available:
        with pytest.raises(OutputError, match="61 x 45 cannot be encoded by h264"):
            compressed(odd, codec=codec)
        return
    after = compressed(odd, codec=codec)
    assert [frame.shape for frame in after] == [(45, 61, 3)] * 2
    assert all(frame.flags.c_contiguous for frame in after)
    assert distance(odd, after) < 25


def test_a_size_that_jpeg_has_not():
    with pytest.raises(OutputError, match="66000 x 2 cannot be encoded by jpeg"):
        compressed([np.zeros((2, 66000, 3), np.uint8)], codec="jpeg")


def test_frames_that_an_encoder_swallows_are_missed(monkeypatch):
    class Swallows:
        def __init__(self, container):
            self.container = container

        def __enter__(self):
            self.container.__enter__()
            return self

        def __exit__(self, *error):
            return self.container.__exit__(*error)

        def decode(self, **which):
            return list(self.container.decode(**which))[1:]

    real = av.open
    monkeypatch.setattr(av, "open", lambda *a, **b: real(*a, **b) if len(a) > 1 else Swallows(real(*a)))
    with pytest.raises(OutputError, match="mpeg4 gave 4 of 5 frames"):
        compressed(clip(), codec="mpeg4")


@pytest.mark.parametrize("codec", CODECS)
def test_no_frames_are_no_frames(codec):
    assert compressed([], codec=codec) == []


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "frames",
    [
        [None],
        ["frame.png"],
        [np.zeros((16, 16, 3), np.float32)],
        [np.zeros((16, 16, 4), np.uint8)],
        [np.zeros((0, 16, 3), np.uint8)],
        [np.zeros((16, 16), np.uint8)],  # grey would come back in colour
        [np.zeros((16, 16, 3), np.uint8), np.zeros((16, 18, 3), np.uint8)],
        [np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), np.uint8)],
    ],
    ids=["none", "name", "float", "alpha", "empty", "grey", "other size", "turns grey"],
)
def test_what_is_no_frame_is_refused(frames, codec):
    with pytest.raises(FrameError):
        compressed(frames, codec=codec)


@pytest.mark.parametrize(
    "options",
    [{"codec": "vp9"}, {"codec": None}, {"quality": -0.1}, {"quality": 1.1}, {"quality": "best"}, {"quality": np.nan}],
    ids=str,
)
def test_bad_parameters_are_refused(options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        compressed([], **options)
