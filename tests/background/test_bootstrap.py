"""The empty scene is found though things move, stand, and hide it most of the time; frames are spread evenly."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import motionseg
from motionseg.background import background_picture
from motionseg.background._bootstrap import emptied_frames, robust_picture, spread_frames
from motionseg.core.errors import FrameError
from motionseg.datasets import SBI2015
from motionseg.metrics.change import ChangeCounts, count_change


def numbered(n, shape=(2, 3)):
    return [np.full(shape, i % 256, np.uint8) for i in range(n)]


def wall(shape, seed=0):
    coarse = np.random.default_rng(seed).integers(60, 150, (-(-shape[0] // 4), -(-shape[1] // 4), *shape[2:]))
    return coarse.repeat(4, axis=0).repeat(4, axis=1)[: shape[0], : shape[1]].astype(np.uint8)


def film(n, boxes, shape=(48, 64, 3), noise=2.0, seed=0):
    """`boxes(i)`: what hides the wall in frame `i`."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        frame = wall(shape).astype(float)
        for box in boxes(i):
            frame[box] = 250 if len(shape) == 2 else (250, 60, 220)
        yield np.rint(frame + rng.normal(0, noise, shape)).clip(0, 255).astype(np.uint8)


# --- which frames -------------------------------------------------------------------------------


@given(st.integers(1, 250), st.booleans())
def test_frames_are_spread_evenly(n, sequence):
    frames = numbered(n)
    kept = spread_frames(frames if sequence else iter(frames))[:, 0, 0].astype(int)
    assert len(kept) <= 100
    assert len(kept) == min(n, 100) if sequence else len(kept) >= min(n, 50)
    steps = np.diff(kept)
    assert kept[0] == 0
    assert steps.min(initial=9) >= 1
    assert steps.max(initial=0) - steps.min(initial=9) <= (1 if sequence else 0)
    assert kept[-1] == n - 1 if sequence else n - 1 - kept[-1] < max(steps.max(initial=1), 1)


def test_an_array_is_a_sequence_and_only_what_is_kept_is_asked_for():
    asked = []

    class Film(list):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    expected = spread_frames(np.stack(numbered(250)))
    np.testing.assert_array_equal(spread_frames(Film(numbered(250))), expected)
    assert len(asked) == 100


def test_reused_buffers_are_copied():
    def camera():
        buffer = np.empty((2, 3), np.uint8)
        for i in range(150):
            buffer[:] = i
            yield buffer

    np.testing.assert_array_equal(spread_frames(camera())[:, 0, 0], np.arange(0, 150, 2))


def test_bad_frames():
    for empty in ([], iter([]), np.empty((0, 4, 4), np.uint8)):
        with pytest.raises(FrameError, match="no frame"):
            spread_frames(empty)
    with pytest.raises(FrameError, match="frame 1: "):
        spread_frames([*numbered(1), *numbered(1, (3, 3))])
    with pytest.raises(FrameError, match="frame 2: "):
        background_picture(iter([*numbered(2), np.zeros((2, 3))]))


# --- the picture ----------------------------------------------------------------------------------


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([(), (3,)]), st.integers(1, 12), st.integers(0, 99))
def test_what_never_changes_is_the_picture(height, width, channels, n, seed):
    frame = np.random.default_rng(seed).integers(0, 256, (height, width, *channels)).astype(np.uint8)
    np.testing.assert_array_equal(background_picture([frame] * n), frame)


def walkers(i):
    x, other = i % 50, (2 * i + 30) % 54
    return [(slice(10, 30), slice(x, x + 14)), (slice(20, 44), slice(other, other + 8))]


@pytest.mark.parametrize("shape", [(48, 64, 3), (48, 64), (35, 67, 3)])
def test_walkers_in_every_frame_leave_no_trace(shape):
    picture = background_picture(film(120, walkers, shape)).astype(int)
    assert np.abs(picture - wall(shape)).max() <= 3  # the mean of much noise


def test_noise_is_averaged():
    picture = background_picture(film(100, lambda i: [], noise=4.0)).astype(float)
    assert np.abs(picture - wall((48, 64, 3))).mean() < 4 / 8


def distance(picture, where=...):
    return np.abs(picture.astype(int) - wall((48, 64, 3)))[where]


def test_what_is_seen_again_and_again_counts_for_more_than_what_is_seen_at_a_stretch():
    box, colors = (slice(16, 32), slice(20, 40)), np.random.default_rng(1).integers(0, 255, (100, 3))
    # The wall 40 % of the time and then 20 %; never the same and then 80 % the box: 30 frames against 40.
    frames = list(film(100, lambda i: [box] if i >= 50 and i % 5 else []))
    for i in range(50):
        if i % 5 < 3:
            frames[i][box] = colors[i]
    assert distance(background_picture(frames)).max() <= 4


def test_what_hides_a_place_for_most_of_the_time_is_eaten_up_from_its_rim():
    shape, hidden = (96, 128, 3), (slice(30, 50), slice(44, 50))

    def restless(i):
        x = 30 + 7 * (i % 3)
        return [(slice(30, 50), slice(x, x + 20))] if i % 10 < 6 else []

    frames = list(film(100, restless, shape))
    assert np.abs(np.median(frames, axis=0) - wall(shape))[hidden].mean() > 50
    assert np.abs(background_picture(frames).astype(int) - wall(shape)).max() <= 4


def test_any_number_of_threads_finds_the_same():
    frames, found = list(film(40, walkers, (120, 160, 3))), []
    for n in (1, 2, 3):
        motionseg.set_num_threads(n)
        found.append(background_picture(frames))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_emptied_frames_show_the_scene_and_its_noise_but_no_walkers():
    frames = spread_frames(film(60, walkers))
    picture = robust_picture(frames)
    emptied = list(emptied_frames(frames, picture))
    assert len(emptied) == 60
    for i, (frame, empty) in enumerate(zip(frames, emptied, strict=True)):
        hidden = np.zeros((48, 64), np.uint8)
        for box in walkers(i):
            hidden[box] = 1
        assert np.abs(empty.astype(int) - picture).max() < 24
        far = cv2.dilate(hidden, np.ones((9, 9))) == 0
        np.testing.assert_array_equal(empty[far], frame[far])
    assert np.abs(np.diff(np.float32(emptied), axis=0)).mean() > 1


@pytest.mark.data
@pytest.mark.parametrize(("name", "least"), [("Board", 0.9), ("Snellen", 0.81), ("CAVIAR2", 0.75), ("IBMtest2", 0.84)])
def test_differences_from_it_are_what_moves(data_root, name, least):
    scene, counted = SBI2015(data_root / "SBI2015")[name], ChangeCounts()
    picture = background_picture(scene.frames)
    for i in scene.judged[::5]:
        mask = np.uint8(255) * (cv2.absdiff(scene.frames[i], picture) > 20).any(axis=2)
        counted += count_change(cv2.medianBlur(mask, 5), scene.truth[i])
    assert counted.f_measure > least
