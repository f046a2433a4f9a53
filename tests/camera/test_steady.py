"""Films without shake, and wide pictures of what a turning camera saw."""

import cv2
import numpy as np
import pytest

from motionseg.camera import CameraMotion, DenseFlow, Mosaic, Motion, SparseCorners, Stabilizer
from motionseg.core.errors import FrameError, ParameterError, StateError

SHAPE = (120, 160)


def grainy(size, seed=0, channels=()):
    noise = np.random.default_rng(seed).integers(0, 256, (*size, *channels), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 20, 235, cv2.NORM_MINMAX)


def cut(world, x, y, angle=0.0):
    """What a camera at (x, y) sees, turned by `angle`."""
    c, s = np.cos(angle), np.sin(angle)
    to_frame = np.array([[c, -s, 0], [s, c, 0]]) @ np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
    return cv2.warpAffine(world, to_frame, SHAPE[::-1], flags=cv2.INTER_CUBIC)


def path_of(results, places):
    """Where the steady camera is in the world at each frame: its pixel (80, 60)."""
    spots = []
    for result, (x, y) in zip(results, places, strict=True):
        u, v, w = np.linalg.inv(result.transform) @ (80, 60, 1)
        spots.append((u / w + x, v / w + y))
    return np.array(spots)


def shaken(n=40, speed=1.5, seed=1):
    rng = np.random.default_rng(seed)
    return [(10 + speed * i + a, 12 + b) for i, (a, b) in enumerate(rng.uniform(-4, 4, (n, 2)))]


@pytest.mark.parametrize("lookahead", [True, False])
def test_shake_goes_and_a_pan_stays(lookahead):
    world, places = grainy((170, 260)), shaken()
    results = list(Stabilizer(smoothness=5, lookahead=lookahead).stabilize(cut(world, x, y) for x, y in places))
    assert len(results) == 40
    assert all(result.verdict == "found" for result in results)
    path, raw = path_of(results, places)[8:-8], np.array(places)[8:-8]
    jerk = [np.abs(np.diff(p, n=2, axis=0)).mean() for p in (path, raw)]
    assert jerk[0] < jerk[1] / 4
    assert np.diff(path, axis=0).mean(axis=0) == pytest.approx((1.5, 0), abs=0.25)
    if lookahead:  # the mean of a window about the frame itself does not lag
        np.testing.assert_allclose(path[:, 0] - 80, [10 + 1.5 * i for i in range(8, 32)], atol=2.5)


def test_the_picture_is_where_the_transform_says():
    world, places = grainy((170, 260), channels=(3,)), shaken(12)
    frames = [cut(world, x, y) for x, y in places]
    kept = [frame.copy() for frame in frames]
    results = list(Stabilizer(smoothness=3, zoom=1.2, border="black").stabilize(frames))
    for frame, before, result in zip(frames, kept, results, strict=True):
        np.testing.assert_array_equal(frame, before)
        expected = cv2.warpPerspective(frame, result.transform, SHAPE[::-1])
        np.testing.assert_array_equal(result.frame, expected)
        assert result.transform[0, 0] == pytest.approx(1.2, abs=0.02)
        assert result.frame.min() > 0  # the border is hidden


def test_a_still_film_stays_as_it_is():
    frame = grainy(SHAPE)
    for result in Stabilizer().stabilize([frame] * 5):
        assert result.shift < 1e-6
        assert np.abs(result.frame.astype(int) - frame).max() <= 1


def test_windows_end_at_a_change_of_shot_and_nothing_found_is_standing_still():
    frame, other, flat = grainy(SHAPE), grainy(SHAPE, seed=1), np.full(SHAPE, 90, np.uint8)
    film = [frame, np.roll(frame, 8, axis=1), other, other, flat, flat]
    results = list(Stabilizer(smoothness=2).stabilize(film))
    assert [r.verdict for r in results] == ["found", "found", "shot_change", "found", "textureless", "textureless"]
    assert results[0].shift > 2
    assert results[2].shift < 1e-6
    np.testing.assert_array_equal(results[5].frame, flat)
    assert list(Stabilizer().stabilize([])) == []


def test_a_mean_that_tears_the_picture_is_not_followed():
    class Wild(CameraMotion):
        def _estimate(self, previous, current, exclude, guess):
            return Motion(np.array([[-3, 0, 900], [0, 2, 0], [0.01, 0, 1]], float), "found", 1.0)

    frame = grainy(SHAPE)
    for result in Stabilizer(camera=Wild()).stabilize([frame] * 4):
        assert result.shift == 0


def turning(n=37):
    return [(140 * np.sin(np.pi * i / (n - 1)), 20 + 0.4 * i, 0.0015 * i) for i in range(n)]  # there and back


@pytest.mark.parametrize("method", ["median", "mean"])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_turning_camera_sees_a_wide_picture(method, channels):
    world = grainy((180, 330), channels=channels)
    mosaic, first = Mosaic(method=method), None
    for x, y, angle in turning():
        transform = mosaic.add(cut(world, x, y, angle))
        first = first or (x, y)
        u, v, w = transform @ (80, 60, 1)
        back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) @ (80, 60)
        assert np.hypot(u / w - (back[0] + x - first[0]), v / w - (back[1] + y - first[1])) < 0.6
    picture, known = mosaic.image()
    assert picture.dtype == np.uint8
    assert picture.shape[1] > 295
    x, y = mosaic.origin
    truth = cv2.warpAffine(world, np.array([[1, 0, x - first[0]], [0, 1, y - first[1]]], float), picture.shape[1::-1])
    off = np.abs(picture.astype(int) - truth)[known]
    assert np.median(off) <= 4
    assert np.mean(off > 25) < 0.02
    assert not picture[~known].any()
    assert 0.75 < known.mean() <= 1


def test_errors_do_not_add_up():
    class Short(SparseCorners):
        """Takes every motion of more than a pixel for a little shorter than it is."""

        def _estimate(self, *args):
            motion = super()._estimate(*args)
            moved = motion.transform.copy()
            moved[:2, 2] -= 0.4 * np.clip(moved[:2, 2], -1, 1) * (np.abs(moved[:2, 2]) > 1)
            return Motion(moved, motion.verdict, motion.support, motion.surprise)

    world, mosaic = grainy((150, 330)), Mosaic(camera=Short())
    for i in range(40):
        pose = mosaic.add(cut(world, 4 * i, 10))
    assert pose[0, 2] == pytest.approx(156, abs=1)


def test_the_median_keeps_what_passes_out_of_the_picture():
    world = grainy((160, 260))
    pictures = {}
    for method in ("median", "mean"):
        mosaic = Mosaic(method=method, n_samples=25)
        for i in range(20):
            frame = cut(world, 2 * i, 10)
            frame[30:60, 6 * i : 6 * i + 25] = 255
            assert mosaic.add(frame) is not None
        pictures[method] = mosaic.image()[0][25:65, 40:150].astype(int)
    truth = world[35:75, 40:150].astype(int)
    assert np.mean(np.abs(pictures["median"] - truth) > 30) < 0.02
    assert np.mean(np.abs(pictures["mean"] - truth) > 30) > 0.05
    mosaic = Mosaic(method="mean")
    for i in range(20):
        frame, exclude = cut(world, 2 * i, 10), np.zeros(SHAPE, bool)
        exclude[28:62, max(0, 6 * i - 2) : 6 * i + 27] = True
        frame[30:60, 6 * i : 6 * i + 25] = 255
        mosaic.add(frame, exclude=exclude)
    assert np.mean(np.abs(mosaic.image()[0][25:65, 40:150].astype(int) - truth) > 30) < 0.01


def test_what_does_not_belong_there_is_left_out():
    world, mosaic = grainy((160, 400)), Mosaic(max_side=200)
    assert mosaic.add(cut(world, 0, 10)) is not None
    assert mosaic.add(grainy(SHAPE, seed=3)) is None  # another scene
    assert mosaic.add(np.full(SHAPE, 90, np.uint8)) is None
    assert mosaic.add(cut(world, 15, 10)) is not None
    left_out = [mosaic.add(cut(world, x, 10)) is None for x in (30, 45, 60)]
    assert left_out == [False, True, True]  # 205 pixels wide
    assert mosaic.n_frames == 3
    assert mosaic.image()[0].shape[1] <= 200


def test_bad_input_of_both():
    for options in ({"smoothness": 0}, {"zoom": 3}, {"border": "red"}, {"camera": 5}, {"lookahead": 2}):
        with pytest.raises(ParameterError, match=next(iter(options))):
            Stabilizer(**options)
    for options in ({"method": "mode"}, {"n_samples": 2}, {"max_side": 3}, {"camera": 5}):
        with pytest.raises(ParameterError, match=next(iter(options))):
            Mosaic(**options)
    assert Stabilizer(camera=DenseFlow()).clone(zoom=1.5).params()["zoom"] == 1.5
    assert isinstance(Mosaic().camera, SparseCorners)
    with pytest.raises(StateError):
        Mosaic().image()
    with pytest.raises(FrameError):
        list(Stabilizer().stabilize([grainy(SHAPE), grainy((10, 20))]))
    mosaic = Mosaic()
    mosaic.add(grainy(SHAPE))
    with pytest.raises(FrameError):
        mosaic.add(grainy((10, 20)))
    with pytest.raises(FrameError, match="exclude"):
        mosaic.add(grainy(SHAPE), exclude=np.ones((2, 2), bool))
