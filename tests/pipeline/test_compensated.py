"""A model that follows its camera knows as much as one whose camera stands; a resting one changes nothing."""

import cv2
import numpy as np
import pytest

from motionseg.background import Adaptive, FrameDifference, GaussianMixture, Guarded, OpenCVMOG2, RunningAverage
from motionseg.camera import Motion, SparseCorners
from motionseg.core.errors import ParameterError, StateError, UnsupportedError
from motionseg.core.types import UNKNOWN
from motionseg.datasets import SyntheticScene
from motionseg.pipeline import Compensated
from motionseg.testing import BACKGROUND_CHECKS

SHAPE = (120, 160)


@pytest.fixture(scope="module")
def world():
    noise = np.random.default_rng(0).integers(0, 256, (SHAPE[0] + 120, SHAPE[1] + 240, 3), np.uint8)
    coarse, fine = (cv2.GaussianBlur(noise, (0, 0), s).astype(float) - 128 for s in (6, 1.2))
    return (128 + 6 * coarse + 0.8 * fine).clip(20, 235).astype(np.float32)


def look(world, motion, *, seed=0, thing=None):
    """What a camera sees; `motion` takes the world's pixels to the frame's; a bright `thing` is there, too."""
    frame = cv2.warpPerspective(world, motion, SHAPE[::-1], flags=cv2.INTER_CUBIC)
    if thing is not None:
        frame[thing] = (250, 200, 240)
    return (frame + np.random.default_rng(seed).normal(0, 2, frame.shape)).clip(0, 255).astype(np.uint8)


def at(x, y, *, angle=0.0, zoom=1.0):
    c, s = zoom * np.cos(angle), zoom * np.sin(angle)
    middle = np.array([[1, 0, SHAPE[1] / 2], [0, 1, SHAPE[0] / 2], [0, 0, 1]])
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return middle @ turn @ np.linalg.inv(middle) @ np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]], float)


def shaking(n, seed=0):
    rng = np.random.default_rng(seed)
    return [at(*(60 + rng.uniform(-4, 4, 2)), angle=rng.uniform(-0.01, 0.01)) for _ in range(n)]


THING = (slice(40, 70), slice(60, 90))


def judge(mask):
    """Shares of the thing that were found, and of what lies apart from it."""
    apart = np.ones(SHAPE, bool)
    apart[36:74, 56:94] = False
    return np.mean(mask[THING] == 255), np.mean(mask[apart] == 255)


def case(check):
    name = check.__name__.removeprefix("_check_")
    return pytest.param(check, id=name, marks=[pytest.mark.slow] * (name == "memory_bounded"))


@pytest.mark.parametrize("check", [case(check) for check in BACKGROUND_CHECKS])
def test_it_is_a_background_model(check):
    check(Compensated(RunningAverage()))


@pytest.mark.parametrize("model", [GaussianMixture(), Guarded(Adaptive())], ids=lambda model: type(model).__name__)
def test_before_a_camera_that_stands_it_is_the_bare_model(model):
    scene = SyntheticScene(width=160, height=120, n_frames=50, quiet_frames=10, n_objects=6, noise=4.0, waving=3.0)
    bare, compensated = model.clone(), Compensated(model)
    for i in range(50):
        frame, known = scene[i].frame, np.zeros(SHAPE, bool)
        known[5:10, 5:9] = True
        expected = bare.apply(frame, known_foreground=known)
        np.testing.assert_array_equal(compensated.apply(frame, known_foreground=known), expected)
        np.testing.assert_array_equal(compensated.score(), bare.score())
    np.testing.assert_array_equal(compensated.background(), bare.background())


@pytest.mark.parametrize("model", [GaussianMixture(), Guarded(Adaptive())], ids=lambda model: type(model).__name__)
def test_shaking(world, model):
    bare, compensated = model.clone(), Compensated(model)
    for i, motion in enumerate(shaking(60)):
        frame = look(world, motion, seed=i, thing=THING if i >= 55 else None)
        mask, misled = compensated.apply(frame), bare.apply(frame)
        if 10 < i < 55:
            assert judge(mask)[1] < 0.002
        if i >= 55:
            found, elsewhere = judge(mask)
            assert found > 0.9
            assert elsewhere < 0.01
        assert np.array_equal(compensated.score() >= 0.5, mask == 255)
    assert judge(misled)[1] > 0.01


JOURNEYS = {
    "pan": lambda i: at(20 + 1.7 * i, 60),
    "tilt and turn": lambda i: at(60, 30 + i, angle=0.006 * i),
    "zoom": lambda i: at(60, 60, zoom=1.01**i),
    "pan to and fro": lambda i: at(60 + 30 * np.sin(i / 8), 60),
}


@pytest.mark.parametrize("journey", JOURNEYS)
def test_journeys(world, journey):
    model = Compensated(GaussianMixture())
    for i in range(60):
        mask = model.apply(look(world, JOURNEYS[journey](i), seed=i, thing=THING if i >= 56 else None))
        found, elsewhere = judge(mask)
        assert elsewhere < 0.01
        assert np.mean(mask == UNKNOWN) < 0.15
        if i >= 56:
            assert found > 0.8


def test_what_comes_into_sight_is_unknown_and_then_learned(world):
    model = Compensated(RunningAverage())
    for i in range(10):
        model.apply(look(world, at(60, 60), seed=i))
    mask = model.apply(look(world, at(66, 60), seed=10))
    assert (mask[:, -5:] == UNKNOWN).all()
    assert (mask[:, :-8] != UNKNOWN).all()
    assert (model.score()[:, -5:] == 0).all()
    for i in range(40):  # the camera has come to rest there
        mask = model.apply(look(world, at(66, 60), seed=11 + i))
    assert not mask[:, -8:].any()
    background = model.background().astype(float) - look(world, at(66, 60), seed=99)
    assert np.abs(background).mean() < 3


def test_after_a_leap_what_is_new_is_unknown_for_one_frame(world):
    model = Compensated(RunningAverage())
    for i in range(5):
        model.apply(look(world, at(60, 60), seed=i))
    mask = model.apply(look(world, at(76, 60), seed=5))
    assert (mask[:, -14:] == UNKNOWN).all()
    assert (model.score()[:, -14:] == 0).all()
    assert not mask[:, :-18].any()
    assert not model.apply(look(world, at(76, 60), seed=6))[:, :-2].any()


def test_a_moving_camera_is_followed_from_frame_to_frame_if_the_background_is_lost(world):
    class Forgetful(SparseCorners):
        """Recognises the background (where it is told where to search) only as long as it is not lost."""

        lost = False

        def _estimate(self, previous, current, exclude, guess):
            if self.lost and not np.array_equal(guess, np.eye(3)):
                return Motion(guess, "lost")
            return super()._estimate(previous, current, exclude, guess)

    model = Compensated(GaussianMixture(), camera=Forgetful())
    for i in range(24):
        model.camera.lost = i >= 15
        mask = model.apply(look(world, at(30 + 2 * i, 60), seed=i))
        assert judge(mask)[1] < 0.01
    assert np.mean(mask == UNKNOWN) < 0.15


def test_a_camera_at_rest_elsewhere_is_not_interpolated_anew_each_frame(world):
    model = Compensated(RunningAverage())
    views = []
    for i in range(60):
        model.apply(look(world, at(60 + min(i, 12) / 2.7, 60), seed=i))
        views += [model.state()["view"]] * (i >= 50)
    assert all(np.array_equal(view, views[0]) for view in views)
    assert np.abs(views[0] - np.eye(3))[:2, 2].max() < 1


def test_errors_do_not_add_up(world):
    model = Compensated(GaussianMixture())
    motions = [at(60 + 25 * np.sin(i / 6), 60 + 20 * np.cos(i / 7), angle=0.1 * np.sin(i / 9)) for i in range(100)]
    for i, motion in enumerate(motions):
        mask = model.apply(look(world, motion, seed=i))
    assert judge(mask)[1] < 0.01
    difference = model.background().astype(float) - look(world, motions[-1])
    assert np.mean(np.abs(difference).max(axis=2) > 40) < 0.02


def test_a_change_of_shot_starts_anew(world):
    model = Compensated(RunningAverage())
    for i in range(10):
        model.apply(look(world, at(60, 60), seed=i))
    other = np.ascontiguousarray(world[::-1, ::-1])
    frozen = model.apply(look(other, at(40, 20)), learning_rate=0)
    assert np.mean(frozen == 255) > 0.5
    assert not model.apply(look(world, at(60, 60), seed=11)).any()
    assert (model.apply(look(other, at(40, 20), seed=12)) == UNKNOWN).all()
    assert not model.apply(look(other, at(40, 20), seed=13)).any()


def test_what_hides_the_background_is_no_motion_of_a_resting_camera(world):
    bare, model = RunningAverage(), Compensated(RunningAverage())
    for i in range(30):
        frame = look(world, at(60, 60), seed=i)
        front = 8 * (i - 10)
        if front > 0:  # a lorry comes in and fills nearly all of the frame
            lorry = look(np.ascontiguousarray(world[::-1, ::-1]), at(180 - front, 60), seed=i)
            frame[:, :front] = lorry[:, :front]
        np.testing.assert_array_equal(model.apply(frame), bare.apply(frame))


def test_known_foreground_is_the_frames(world):
    model = Compensated(RunningAverage())
    model.apply(look(world, at(60, 60)))
    known = np.zeros(SHAPE, bool)
    known[THING] = True
    for i in range(20):
        mask = model.apply(look(world, at(68, 60), seed=i, thing=THING), known_foreground=known)
        assert (mask[known] == 255).all()
        assert (model.score()[known] == 1).all()
    difference = model.background().astype(float) - look(world, at(68, 60))
    assert np.abs(difference[41:69, 61:89]).max() < 30


def test_frozen_it_follows_and_remembers_nothing(world):
    model = Compensated(GaussianMixture())
    for i, motion in enumerate(shaking(12)):
        model.apply(look(world, motion, seed=i))
    before = model.state()
    for x in (64, 75):  # within the margin, and beyond
        found, elsewhere = judge(model.apply(look(world, at(x, 60), seed=20, thing=THING), learning_rate=0))
        assert found > 0.9
        assert elsewhere < 0.01
    after = model.state()
    assert all(np.array_equal(after[name], before[name]) for name in before)


def test_restart_is_of_the_frames_pixels(world):
    model, pixels = Compensated(RunningAverage()), np.zeros(SHAPE, bool)
    pixels[THING] = True
    motions = shaking(12)
    for i, motion in enumerate(motions[:10]):
        model.apply(look(world, motion, seed=i))
    model.restart(look(world, motions[9], thing=THING), pixels)
    mask = model.apply(look(world, motions[9], thing=THING, seed=10))
    assert judge(mask)[0] < 0.1


def test_bootstrap_under_shaking_knows_the_empty_scene(world):
    motions = shaking(60)
    frames = [look(world, m, seed=i, thing=(slice(30, 60), slice(2 * i, 2 * i + 30))) for i, m in enumerate(motions)]
    model = Compensated(GaussianMixture()).bootstrap(frames)
    difference = model.background().astype(float) - look(world, motions[0])
    assert np.abs(difference[6:-6, 6:-6]).mean() < 6
    assert judge(model.apply(look(world, motions[0], seed=77)))[1] < 0.01


def test_bootstrap_before_a_camera_that_stands_is_the_bare_models(world):
    frames = [look(world, at(60, 60), seed=i) for i in range(20)]
    bare, model = RunningAverage().bootstrap(frames), Compensated(RunningAverage()).bootstrap(frames)
    np.testing.assert_array_equal(model.background(), bare.background())


@pytest.mark.parametrize("model", [GaussianMixture(history=99), Guarded(RunningAverage(), shadows=False)])
def test_a_state_taken_on_the_way_continues_bit_for_bit(world, model, tmp_path):
    one = Compensated(model, camera=SparseCorners(model="similarity"))
    frames = [look(world, at(40 + 1.3 * i, 60), seed=i) for i in range(40)]
    for frame in frames[:21]:
        one.apply(frame)
    one.save(tmp_path / "model.npz")
    heir, reader = one.clone(), Compensated.load(tmp_path / "model.npz")
    heir.load_state(one.state())
    assert repr(reader) == repr(one)
    for frame in frames[21:]:
        expected = one.apply(frame)
        np.testing.assert_array_equal(heir.apply(frame), expected)
        np.testing.assert_array_equal(reader.apply(frame), expected)


def test_what_it_cannot_work_with_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="model"):
        Compensated("gaussian_mixture")
    with pytest.raises(ParameterError, match="camera"):
        Compensated(GaussianMixture(), camera="sparse_corners")
    with pytest.raises(UnsupportedError, match="OpenCVMOG2"):
        Compensated(OpenCVMOG2())
    GaussianMixture().save(tmp_path / "other.npz")
    with pytest.raises(StateError, match="GaussianMixture"):
        Compensated.load(tmp_path / "other.npz")

    class Own(FrameDifference):
        pass

    with pytest.raises(StateError, match="Own"):
        Compensated(Own()).save(tmp_path / "own.npz")
