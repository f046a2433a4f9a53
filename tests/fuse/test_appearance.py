"""Colours are learned, forgotten, handed over; and what is no state changes nothing."""

import numpy as np
import pytest

from motionseg.core.errors import FrameError, ParameterError, StateError
from motionseg.fuse import Appearance

RED, BLUE, GREEN, YELLOW = (30, 30, 210), (200, 60, 40), (40, 180, 60), (30, 220, 220)


def painted(background, thing):
    """A frame whose upper third is a thing, with noise; and the mask of it."""
    frame = np.empty((24, 30, 3), float)
    frame[:8], frame[8:] = thing, background
    frame += np.random.default_rng(0).normal(0, 4, frame.shape)
    score = np.zeros((24, 30), np.float32)
    score[:8] = 1
    return frame.clip(0, 255).astype(np.uint8), score


def taught(n=3, **parameters):
    appearance = Appearance(**parameters)
    for _ in range(n):
        appearance.update(*painted(BLUE, RED))
    return appearance


def test_colours_are_learned():
    frame, score = painted(BLUE, RED)
    appearance = Appearance()
    assert not appearance.log_odds(frame).any()
    appearance.update(frame, score)
    log_odds = appearance.log_odds(frame)
    assert log_odds.dtype == np.float32
    assert log_odds.shape == (24, 30)
    assert (log_odds[:8] > 2).all()
    assert (log_odds[8:] < -2).all()
    assert abs(log_odds).max() <= 2.5
    other, _ = painted(GREEN, YELLOW)  # never seen
    assert np.median(abs(appearance.log_odds(other))) < 0.2


def test_the_size_of_things_does_not_matter():
    frame, score = painted(BLUE, RED)
    small = np.zeros_like(score)
    small[:2, :4] = 1
    frame[:8][small[:8] == 0] = frame[8:16][small[:8] == 0]
    appearance = Appearance()
    appearance.update(frame, small)
    assert (appearance.log_odds(frame)[small == 1] > 2).all()


def test_nothing_is_known_of_one_part_alone():
    frame, score = painted(BLUE, RED)
    for only in (0 * score, 0 * score + 1):
        appearance = Appearance()
        appearance.update(frame, only)
        assert not appearance.log_odds(frame).any()


def test_a_score_of_a_half_teaches_both():
    frame, score = painted(BLUE, RED)
    appearance = Appearance()
    appearance.update(frame, 0 * score + np.float32(0.5))
    assert abs(appearance.log_odds(frame)).max() < 1e-3


def test_colours_are_forgotten():
    quick, slow = taught(memory=0.3), taught(memory=0.98)
    now, score = painted(RED, BLUE)
    for _ in range(4):
        quick.update(now, score)
        slow.update(now, score)
    assert (quick.log_odds(now)[:8] > 1).all()
    assert (slow.log_odds(now)[:8] < 0.5).all()
    quick.reset()
    assert quick.n_frames == 0
    assert not quick.log_odds(now).any()
    fresh = quick.clone()
    for one in (quick, fresh):
        one.update(now, score)
    np.testing.assert_array_equal(quick.state()["counts"], fresh.state()["counts"])


def test_grey_frames_have_shades():
    frame = np.full((12, 12), 40, np.uint8)
    frame[:4] = 200
    appearance = Appearance()
    appearance.update(frame, (frame > 100).astype(np.float32))
    log_odds = appearance.log_odds(frame)
    assert (log_odds[:4] > 1).all()
    assert (log_odds[4:] < -1).all()


def test_state_goes_on_where_it_was():
    first, second = taught(), Appearance()
    second.load_state(first.state())
    for pair in (painted(GREEN, RED), painted(BLUE, YELLOW)):
        first.update(*pair)
        second.update(*pair)
    assert second.n_frames == first.n_frames == 5
    np.testing.assert_array_equal(second.log_odds(painted(GREEN, YELLOW)[0]), first.log_odds(painted(GREEN, YELLOW)[0]))
    for name, array in first.state().items():
        np.testing.assert_array_equal(second.state()[name], array)


def test_state_is_a_copy():
    appearance = taught()
    before = appearance.log_odds(painted(BLUE, RED)[0])
    state = appearance.state()
    heir = Appearance()
    heir.load_state(state)
    for array in state.values():
        array.fill(0)
    for one in (appearance, heir):
        np.testing.assert_array_equal(one.log_odds(painted(BLUE, RED)[0]), before)


def broken():
    state = taught().state()
    yield "empty", {}
    for name in state:
        yield f"no {name}", {k: v for k, v in state.items() if k != name}
    yield "other bins", {**state, "counts": np.zeros((2, 8), np.float32)}
    yield "no numbers", {**state, "counts": state["counts"].astype(str)}
    yield "doubles", {**state, "counts": state["counts"].astype(float)}
    yield "not an array", {**state, "counts": None}
    yield "many ages", {**state, "n_frames": np.array([3, 4])}
    yield "an age in words", {**state, "n_frames": np.array("three")}


@pytest.mark.parametrize(("name", "state"), list(broken()), ids=[name for name, _ in broken()])
def test_a_bad_state_changes_nothing(name, state):
    appearance = taught(2)
    before = appearance.state()
    with pytest.raises(StateError, match="n_bins=16"):
        appearance.load_state(state)
    assert appearance.n_frames == 2
    np.testing.assert_array_equal(appearance.state()["counts"], before["counts"])


def test_input_is_left_alone():
    frame, score = painted(BLUE, RED)
    lent, believed = frame.copy(), score.copy()
    appearance = Appearance()
    appearance.update(lent, believed)
    np.testing.assert_array_equal(lent, frame)
    np.testing.assert_array_equal(believed, score)
    lent[:], believed[:] = 0, 1
    assert (appearance.log_odds(frame)[:8] > 2).all()


def test_bad_input_is_refused_and_changes_nothing():
    frame, score = painted(BLUE, RED)
    appearance = taught()
    before = appearance.state()["counts"]
    for bad_frame, bad_score, message in (
        (frame.astype(float), score, "uint8"),
        (frame, score[1:], "shape"),
        (frame, 255 * score, "0, 1"),
        (frame, score - 1, "0, 1"),
        (frame, score * np.nan, "0, 1"),
    ):
        with pytest.raises(FrameError, match=message):
            appearance.update(bad_frame, bad_score)
    with pytest.raises(FrameError):
        appearance.log_odds(frame[..., :2])
    assert appearance.n_frames == 3
    np.testing.assert_array_equal(appearance.state()["counts"], before)


@pytest.mark.parametrize("bad", [{"memory": 1.5}, {"memory": -0.1}, {"n_bins": 1}, {"n_bins": 65}, {"limit": 0}])
def test_bad_parameters_are_refused(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        Appearance(**bad)


def test_a_clone_knows_nothing():
    clone = taught(n_bins=8).clone()
    assert clone.n_bins == 8
    assert clone.n_frames == 0
