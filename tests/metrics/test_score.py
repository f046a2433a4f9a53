import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError, ParameterError
from motionseg.metrics.change import count_change
from motionseg.metrics.score import ScoreCounts, count_scores

shapes = st.just((6, 7))
scores = hnp.arrays(np.float32, shapes, elements=st.floats(0, 1, width=32))
truths = hnp.arrays(np.uint8, shapes, elements=st.sampled_from([0, 50, 85, 170, 255]))
rois = hnp.arrays(np.bool_, shapes) | st.none()


def judged(score, truth, roi):
    inside = (truth != 85) & (truth != 170) & (True if roi is None else roi)
    return score[inside].astype(float), truth[inside] == 255


@given(scores, truths, rois)
def test_average_precision_is_that_of_scikit_learn(score, truth, roi):
    metrics = pytest.importorskip("sklearn.metrics")
    counts = count_scores(score, truth, roi)
    values, moving = judged(score, truth, roi)
    if not moving.any():
        assert math.isnan(counts.average_precision)
        return
    rounded = np.minimum(np.floor(values * 3840), 3839) / 3840
    assert counts.average_precision == pytest.approx(metrics.average_precision_score(moving, rounded), abs=1e-12)


@given(scores, truths, rois)
def test_the_curve_is_the_decision_at_each_threshold(score, truth, roi):
    values, moving = judged(score, truth, roi)
    assume(moving.any())
    precision, recall, thresholds = count_scores(score, truth, roi).precision_recall_curve()
    for k in (0, 1, 960, 1920, 1921, 3839):
        found = values >= thresholds[k]
        assert recall[k] == pytest.approx((found & moving).sum() / moving.sum())
        assert precision[k] == pytest.approx((found & moving).sum() / found.sum() if found.any() else 1)


@given(scores, truths, rois)
def test_best_f_is_reached_at_its_threshold_and_nowhere_beaten(score, truth, roi):
    counts = count_scores(score, truth, roi)
    f, threshold = counts.best_f
    every = [count_change(255 * (score >= t).astype(np.uint8), truth, roi).f_measure for t in np.arange(0, 1, 1 / 60)]
    assert count_change(255 * (score >= threshold).astype(np.uint8), truth, roi).f_measure == pytest.approx(f)
    assert f >= max(every) - 1e-12


def test_the_decision_at_one_half_is_exact():
    below = np.nextafter(np.float32(0.5), np.float32(0))
    counts = count_scores(np.array([[0.5, below, 1, 0]], np.float32), np.full((1, 4), 255, np.uint8))
    assert np.flatnonzero(counts.positives).tolist() == [0, 1919, 1920, 3839]
    _, recall, thresholds = counts.precision_recall_curve()
    assert (thresholds[1920], recall[1920], recall[1919]) == (0.5, 0.5, 0.75)


def test_by_hand():
    """Found in falling order: a hit, a miss, a hit; recall 1/2 at precision 1, then 1 at precision 2/3."""
    score = np.array([[0.875, 0.75, 0.5, 0.25]], np.float32)
    counts = count_scores(score, np.array([[255, 0, 255, 50]], np.uint8))
    assert counts.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert counts.best_f == (pytest.approx(0.8), 961 / 3840)  # anything above the score of 0.25
    assert counts.metrics() == {
        "AP": counts.average_precision, "best F": 0.8, "best threshold": 961 / 3840, "ECE": counts.calibration_error()
    }  # fmt: skip


def test_calibration_by_hand():
    """Two bins: four scores near 0.2 of which one moves, four near 0.9 of which all move: (0.05 + 0.1) / 2."""
    score = np.array([[0.2, 0.2, 0.2, 0.2], [0.9, 0.9, 0.9, 0.9]], np.float32)
    truth = np.array([[255, 0, 0, 0], [255, 255, 255, 255]], np.uint8)
    counts = count_scores(score, truth)
    assert counts.calibration_error(2) == pytest.approx(0.075, abs=1 / 7680)
    assert counts.calibration_error(1) == pytest.approx(5 / 8 - 0.55, abs=1 / 7680)  # one bin sees the mean only


@given(scores, truths, st.sampled_from([1, 2, 15, 64]))
def test_calibration_is_that_of_the_scores(score, truth, n_bins):
    values, moving = judged(score, truth, None)
    assume(len(values))
    bins = np.minimum(np.floor(values * n_bins), n_bins - 1)
    parts = [(values[bins == k].mean(), moving[bins == k].mean(), (bins == k).sum()) for k in np.unique(bins)]
    expected = sum(abs(mean - share) * n for mean, share, n in parts) / len(values)
    assert count_scores(score, truth).calibration_error(n_bins) == pytest.approx(expected, abs=1 / 7680 + 1e-9)


def test_parts_add_to_the_whole():
    random = np.random.default_rng(3)
    score, truth = random.random((20, 30), np.float32), random.choice(np.uint8([0, 50, 85, 170, 255]), (20, 30))
    parts = count_scores(score[::2, ::-1], truth[::2, ::-1]) + count_scores(score[1::2], truth[1::2]) + ScoreCounts()
    whole = count_scores(score, truth)
    assert (parts.positives == whole.positives).all()
    assert (parts.negatives == whole.negatives).all()
    assert whole.positives.sum() == (truth == 255).sum()


def test_nothing_counted():
    counts = ScoreCounts()
    assert math.isnan(counts.average_precision)
    assert math.isnan(counts.calibration_error())
    assert counts.best_f[0] == 0


def test_bad_input_is_refused():
    truth = np.zeros((2, 2), np.uint8)
    with pytest.raises(FrameError, match="2 of 4 scores are not in"):
        count_scores(np.array([[0.5, np.nan], [1.01, 1]], np.float32), truth)
    with pytest.raises(FrameError, match="float32"):
        count_scores(np.zeros((2, 2)), truth)
    with pytest.raises(FrameError, match="shape"):
        count_scores(np.zeros((2, 3), np.float32), truth)
    with pytest.raises(FrameError, match="roi"):
        count_scores(np.zeros((2, 2), np.float32), truth, np.ones((3, 2), bool))
    with pytest.raises(ParameterError, match="divides 3840"):
        ScoreCounts().calibration_error(7)
