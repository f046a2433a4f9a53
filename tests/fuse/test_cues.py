"""What single cues say: only motion that the pictures confirm, and never more than their limit."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError, ParameterError
from motionseg.fuse import border_cue, flow_trust, motion_cue, prior_cue, score_cue, vote_cue

H, W = 60, 80
SQUARE = (slice(20, 40), slice(30, 54))
SCORES = hnp.arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32))


def texture(seed, shape=(H, W, 3)):
    noise = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5) * np.uint8(2)


def zero():
    return np.zeros((H, W, 2), np.float32)


def moved_square(channels=3):
    """Two frames, a square moves 4 pixels to the right; where pixels of the second were in the first."""
    previous, thing = texture(0), texture(1, (20, 24, 3))
    current = previous.copy()
    current[SQUARE] = thing
    previous[20:40, 26:50] = thing
    flow = zero()
    flow[SQUARE] = -4, 0
    if channels == 1:
        current, previous = (cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in (current, previous))
    return current, previous, flow


@pytest.mark.parametrize("channels", [1, 3])
def test_a_moved_square_is_confirmed(channels):
    current, previous, flow = moved_square(channels)
    confirmed, followed = flow_trust(current, previous, flow, zero())
    assert confirmed.dtype == followed.dtype == np.float32
    assert confirmed.shape == followed.shape == (H, W)
    assert confirmed[25:35, 35:49].min() > 0.9
    assert followed[28:32, 40:44].min() > 0.9
    outside = np.ones((H, W), bool)
    outside[10:50, 18:64] = False
    assert confirmed[outside].max() < 1e-3
    assert followed[outside].min() > 0.9


def test_a_sky_has_no_motion_of_its_own():
    sky = np.full((H, W, 3), (230, 190, 160), np.uint8)
    rng = np.random.default_rng(0)
    current, previous = ((sky + rng.normal(0, 2, sky.shape)).clip(0, 255).astype(np.uint8) for _ in range(2))
    confirmed, followed = flow_trust(current, previous, zero() + np.float32(5), zero())
    assert confirmed.max() < 0.3
    assert confirmed.mean() < 0.05
    assert followed.min() > 0.8


def test_what_nobody_explains_is_not_confirmed():
    current, previous, flow = texture(3), texture(4), zero()
    flow[SQUARE] = 3, 1
    confirmed, followed = flow_trust(current, previous, flow, zero())
    assert confirmed.mean() < 0.2
    assert followed.mean() < 0.05


def test_what_the_camera_explains_is_not_confirmed():
    picture = texture(0, (H, W + 6, 3))
    current, previous, camera = picture[:, 6:], picture[:, :-6], zero()
    camera[..., 0] = 6
    confirmed, followed = flow_trust(current, previous, camera, camera)
    assert not confirmed.any()
    assert followed[:, : W - 16].min() > 0.99
    confirmed, _ = flow_trust(current, previous, camera, zero())
    assert np.median(confirmed[:, : W - 16]) > 0.95


def test_trust_is_the_formula():
    current, previous, flow = moved_square()
    camera = zero() + np.float32([1, 0])
    y, x = np.mgrid[:H, :W]

    def missed(dx):  # whole pixels need no interpolation
        there = previous[y, np.clip(x + dx.astype(int), 0, W - 1)]
        return cv2.GaussianBlur(((current.astype(float) - there) ** 2).sum(axis=2), (0, 0), 2.5)

    by_camera, by_flow = missed(camera[..., 0]), missed(flow[..., 0])
    confirmed, followed = flow_trust(current, previous, flow, camera)
    expected = 1 - np.exp(-np.maximum(by_camera - by_flow, 0) / (60 + by_flow))
    np.testing.assert_allclose(confirmed, expected, atol=1e-4)
    np.testing.assert_allclose(followed, np.exp(-by_flow / 600), atol=1e-4)


def test_grey_counts_as_three_channels():
    current, previous, flow = moved_square(channels=1)
    grey = flow_trust(current, previous, flow, zero())
    colour = flow_trust(*(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR) for frame in (current, previous)), flow, zero())
    for one, other in zip(grey, colour, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_trust_leaves_its_input_alone():
    lent = (*moved_square(), zero())
    kept = [array.copy() for array in lent]
    flow_trust(*lent)
    for array, before in zip(lent, kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_frames_and_flows_that_do_not_fit_are_refused():
    current, previous, flow = moved_square()
    hole = flow.copy()
    hole[3, 4] = np.nan
    for arguments in (
        (current[1:], previous, flow, zero()),
        (current, previous[..., 0].copy(), flow, zero()),
        (current, previous, flow[1:], zero()),
        (current, previous, flow, zero()[:, 1:]),
        (current, previous, hole, zero()),
        (current.astype(float), previous, flow, zero()),
    ):
        with pytest.raises(FrameError):
            flow_trust(*arguments)


# --- motion ---------------------------------------------------------------------------------


def residual_of(background, thing):
    residual = np.full((H, W), background, np.float32)
    residual[SQUARE] = thing
    return residual, np.ones((H, W), np.float32)


def test_motion_speaks_for_what_moves():
    residual, confirmed = residual_of(0.1, 4)
    cue, threshold = motion_cue(residual, confirmed, least=0.3)
    assert cue.dtype == np.float32
    assert 0.3 <= threshold < 4
    assert (cue[SQUARE] > 0).all()
    assert (np.delete(cue, np.s_[20:40], axis=0) < 0).all()
    assert abs(cue).max() <= 3


@pytest.mark.parametrize("background", [0.0, 0.05, 0.2])
def test_less_than_the_least_is_the_flows_noise(background):
    rng = np.random.default_rng(0)
    residual = (background * rng.uniform(0.2, 1, (H, W))).astype(np.float32)
    cue, threshold = motion_cue(residual, np.ones((H, W), np.float32), least=0.3)
    assert threshold == pytest.approx(0.3)
    assert (cue < 0).all()


@pytest.mark.parametrize("least", [0.5, 1.0])
def test_the_least_is_where_the_cue_turns(least):
    residual = np.linspace(0, 1.2 * least, H * W, dtype=np.float32).reshape(H, W)
    cue, _ = motion_cue(residual, np.ones((H, W), np.float32), least=least)
    np.testing.assert_allclose(cue, np.clip(2.5 * np.log((residual + 0.02) / least), -3, 3), atol=1e-4)


def test_unconfirmed_motion_counts_a_tenth():
    residual, confirmed = residual_of(0.1, 4)
    cue, _ = motion_cue(residual, 0 * confirmed, least=0.5)
    assert (cue < 0).all()
    half = confirmed.copy()
    half[30:40] = 0
    cue, _ = motion_cue(residual, half, least=0.5)
    assert (cue[20:30, 30:54] > 0).all()
    assert (cue[30:40] < 0).all()


def test_the_threshold_follows_slowly():
    residual, confirmed = residual_of(0.1, 4)
    _, alone = motion_cue(residual, confirmed, least=0.3)
    for before in (0.4, 3.0):
        cue, after = motion_cue(residual, confirmed, least=0.3, threshold=before)
        assert after == pytest.approx(0.7 * before + 0.3 * alone)
        np.testing.assert_allclose(cue[0, 0], np.clip(2.5 * np.log(0.12 / np.sqrt(alone * after)), -3, 3), rtol=1e-4)


def test_motion_that_does_not_fit_is_refused():
    residual, confirmed = residual_of(0.1, 4)
    with pytest.raises(FrameError, match="shape"):
        motion_cue(residual, confirmed[1:], least=0.3)
    for least in (0, -1, np.nan):
        with pytest.raises(ParameterError, match="least"):
            motion_cue(residual, confirmed, least=least)


# --- the rest -------------------------------------------------------------------------------


@given(score=SCORES, followed=SCORES)
def test_a_prior_speaks_as_the_score_as_far_as_it_is_followed(score, followed):
    cue = prior_cue(score)
    assert cue.dtype == np.float32
    assert abs(cue).max() <= 3
    assert ((cue > 1e-3) <= (score > 0.5)).all()
    assert ((cue < -1e-3) <= (score < 0.5)).all()
    np.testing.assert_allclose(prior_cue(1 - score), -cue, atol=1e-4)
    np.testing.assert_allclose(prior_cue(score, followed), cue * followed, atol=1e-6)
    np.testing.assert_array_equal(score_cue(score), cue)


def test_votes_are_counted():
    votes = np.array([[0, 4, 8]], np.uint8)
    np.testing.assert_array_equal(vote_cue(votes), [[-1, 0, 1]])
    np.testing.assert_allclose(vote_cue(votes // 2, 4), [[-1, 0, 1]])
    assert vote_cue(votes).dtype == np.float32


@pytest.mark.parametrize("shape", [(50, 70), (51, 71, 3), (1, 1), (2, 9)])
def test_the_border_is_the_same_on_all_sides(shape):
    cue = border_cue(shape)
    assert cue.dtype == np.float32
    assert cue.shape == shape[:2]
    for turned in (cue[::-1], cue[:, ::-1]):
        np.testing.assert_array_equal(turned, cue)
    assert (cue <= 0).all()
    assert (cue >= -1).all()
    assert (cue[0] == -1).all()
    assert (cue[:, 0] == -1).all()


def test_the_border_fades_inwards():
    cue = border_cue((100, 100))
    assert (np.diff(cue[50, :50]) >= 0).all()
    assert cue[50, 4] == pytest.approx(-np.exp(-1))
    assert cue[50, 50] > -1e-4
