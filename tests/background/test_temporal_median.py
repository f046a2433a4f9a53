"""TemporalMedian is its twin, and keeps passers-by out of its picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.footage import footage
from reference.temporal_median import temporal_median

from motionseg.background import TemporalMedian
from motionseg.core.errors import ParameterError


@given(
    shape=st.sampled_from([(1, 1, 3), (23, 37, 3), (29, 31), (16, 32)]),
    history=st.integers(1, 9),
    period=st.integers(1, 4),
)
def test_it_is_its_twin(shape, history, period):
    frames = footage(25, shape, noise=15)
    model = TemporalMedian(history=history, period=period, threshold=18)
    for frame, (mask, score, median) in zip(frames, temporal_median(frames, history, period, 18), strict=True):
        np.testing.assert_array_equal(model.apply(frame), mask)
        np.testing.assert_allclose(model.score(), score, rtol=1e-6)
        np.testing.assert_array_equal(model.background(), median)


def test_the_longest_history_is_exact():
    frames = footage(260, (3, 5), noise=40, block_from=999)
    model = TemporalMedian(history=255, period=1)
    for frame in frames:
        model.apply(frame)
    np.testing.assert_array_equal(model.background(), np.sort(frames[-255:], axis=0)[127])


def test_passers_by_leave_no_trace():
    model, wall = TemporalMedian(history=9, period=1), np.full((6, 40, 3), 90, np.uint8)
    for i in range(60):
        frame = wall.copy()
        frame[:, i % 40 : i % 40 + 4] = 250
        model.apply(frame)
    np.testing.assert_array_equal(model.background(), wall)


def test_a_rate_takes_a_frame_every_so_often():
    model = TemporalMedian(history=1, period=1)
    pictures = []
    for grey in range(100, 109):
        model.apply(np.full((1, 1), grey, np.uint8), learning_rate=0.25)
        pictures.append(int(model.background()[0, 0]))
    assert pictures == [100, 100, 100, 100, 104, 104, 104, 104, 108]


@pytest.mark.parametrize("bad", [{"history": 0}, {"history": 256}, {"period": 0}, {"period": 1.5}, {"threshold": 255}])
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        TemporalMedian(**bad)
