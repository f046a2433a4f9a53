"""SigmaDelta is its twin; M follows one grey level a frame, V measures how restless a pixel is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.footage import footage
from reference.sigma_delta import sigma_delta

from motionseg.background import SigmaDelta
from motionseg.core.errors import ParameterError


@given(
    shape=st.sampled_from([(1, 1, 3), (33, 47, 3), (41, 50), (16, 32)]),
    amplification=st.integers(1, 255),
    limits=st.tuples(st.integers(1, 255), st.integers(1, 255)).map(sorted),
    noise=st.sampled_from([0, 3, 60]),
)
def test_it_is_its_twin(shape, amplification, limits, noise):
    v_min, v_max = limits
    frames = footage(20, shape, noise=noise, flicker=20)
    model = SigmaDelta(amplification=amplification, v_min=v_min, v_max=v_max)
    for frame, (mask, score, m, v) in zip(frames, sigma_delta(frames, amplification, v_min, v_max), strict=True):
        np.testing.assert_array_equal(model.apply(frame), mask)
        np.testing.assert_allclose(model.score(), score, rtol=1e-6)
        np.testing.assert_array_equal(model.background(), m)
        np.testing.assert_array_equal(model.state()["deviation"], v)


def test_the_background_follows_one_grey_level_a_frame():
    model = SigmaDelta()
    for grey in (100, *[110] * 4):
        model.apply(np.full((1, 1), grey, np.uint8))
    assert model.background()[0, 0] == 104


def test_flicker_raises_the_deviation_until_it_is_background():
    model, masks = SigmaDelta(v_min=5), []
    for i in range(200):
        frame = np.full((2, 2), 100, np.uint8)
        frame[0] = 100 + 30 * (i % 2)
        masks.append(model.apply(frame))
    deviation = model.state()["deviation"]
    assert (deviation[0] > 40).all()
    assert (deviation[1] == 5).all()
    assert masks[5][0].any() or masks[6][0].any()
    assert not masks[-1].any()
    assert not masks[-2].any()


def test_a_rate_spaces_the_steps():
    model = SigmaDelta()
    model.apply(np.full((1, 1), 100, np.uint8))
    for _ in range(12):
        model.apply(np.full((1, 1), 200, np.uint8), learning_rate=0.25)
    assert model.background()[0, 0] == 103


@pytest.mark.parametrize(
    "bad", [{"amplification": 0}, {"amplification": 2.5}, {"v_min": 0}, {"v_max": 256}, {"v_max": 3}]
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        SigmaDelta(**bad)
