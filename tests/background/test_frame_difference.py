"""FrameDifference is its twin, and the OpenCV pipeline bit for bit."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from reference.footage import footage
from reference.frame_difference import frame_difference

from motionseg.background import FrameDifference
from motionseg.core.errors import ParameterError, StateError


@pytest.mark.parametrize("shape", [(1, 1, 3), (33, 47, 3), (41, 50), (32, 32), (64, 65, 3)])
def test_it_is_its_twin(shape):
    frames, model = footage(12, shape, noise=15), FrameDifference(threshold=20)
    for frame, (mask, score) in zip(frames, frame_difference(frames, 20), strict=True):
        np.testing.assert_array_equal(model.apply(frame), mask)
        np.testing.assert_allclose(model.score(), score, rtol=1e-6)


@given(data=st.data(), threshold=st.integers(0, 254), colored=st.booleans())
def test_it_is_the_opencv_pipeline(data, threshold, colored):
    shape = (*data.draw(st.tuples(st.integers(1, 40), st.integers(1, 60))), *([3] if colored else []))
    first, second = (data.draw(arrays(np.uint8, shape)) for _ in range(2))
    difference = cv2.absdiff(second, first)
    grey = cv2.cvtColor(difference, cv2.COLOR_BGR2GRAY) if colored else difference
    model = FrameDifference(threshold=threshold)
    assert not model.apply(first).any()
    expected = cv2.threshold(grey, threshold, 255, cv2.THRESH_BINARY)[1].reshape(shape[:2])
    np.testing.assert_array_equal(model.apply(second), expected)


def test_all_lumas_are_opencvs():
    values = np.arange(0, 256, 3, dtype=np.uint8)
    colors = np.stack(np.meshgrid(values, values, values), axis=-1).reshape(len(values), -1, 3)
    model = FrameDifference(threshold=0)
    model.apply(np.zeros_like(colors))
    model.apply(colors)
    np.testing.assert_array_equal(model._luma, cv2.cvtColor(colors, cv2.COLOR_BGR2GRAY))


def test_a_frozen_model_compares_with_the_same_frame():
    frames, model = footage(3, (20, 30), noise=20), FrameDifference()
    model.apply(frames[0])
    first = model.apply(frames[1], learning_rate=0)
    model.apply(frames[2], learning_rate=0)
    np.testing.assert_array_equal(model.apply(frames[1], learning_rate=0), first)
    np.testing.assert_array_equal(model.background(), frames[0])


def test_known_foreground_scores_one_and_is_not_compared_with():
    frames, model = footage(2, (20, 30)), FrameDifference()
    model.apply(frames[0])
    known = np.zeros((20, 30), bool)
    known[3:7, 5:9] = True
    assert (model.apply(frames[1], known_foreground=known)[known] == 255).all()
    assert (model.score()[known] == 1).all()
    np.testing.assert_array_equal(model.background()[known], frames[0][known])
    np.testing.assert_array_equal(model.background()[~known], frames[1][~known])


def test_reset_forgets_the_score():
    model = FrameDifference()
    model.apply(np.zeros((2, 2), np.uint8))
    model.reset()
    with pytest.raises(StateError):
        model.score()


@pytest.mark.parametrize("threshold", [-1, 255, "20", None, True, float("nan")])
def test_bad_threshold(threshold):
    with pytest.raises(ParameterError, match="threshold"):
        FrameDifference(threshold=threshold)
