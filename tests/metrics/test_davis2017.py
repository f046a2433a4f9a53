import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from reference import davis as slow

from motionseg.core.errors import FrameError, ParameterError
from motionseg.metrics.davis import Statistics
from motionseg.metrics.davis2017 import ObjectScores, judge_objects


def film(n_frames, n_objects, seed, *, shape=(30, 140), void=0.0):
    """Labels (n_frames, H, W) of rectangles that wander, hide one another and are sometimes away."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((n_frames, *shape), np.int32)
    corners, sizes = rng.integers(-5, shape, (n_objects, 2)), rng.integers(3, 20, (n_objects, 2))
    for frame in labels:
        corners += rng.integers(-3, 4, corners.shape)
        for value in np.flatnonzero(rng.random(n_objects) < 0.8):
            (top, left), (height, width) = np.maximum(corners[value], 0), sizes[value]
            frame[top : top + height, left : left + width] = value + 1
    labels[rng.random(labels.shape) < void] = -1
    return labels


def slow_scores(found, truth):
    """J and F of every proposal and object, (n_proposals, n_objects, n_frames), frame by frame in whole masks."""
    values = [np.unique(labels[labels > 0]) for labels in (found, truth)]
    scores = np.zeros((2, len(values[0]), len(values[1]), len(truth)))
    for (i, a), (j, b), t in itertools.product(enumerate(values[0]), enumerate(values[1]), range(len(truth))):
        judged = truth[t] >= 0
        pair = (found[t] == a) & judged, (truth[t] == b) & judged
        scores[:, i, j, t] = slow.region_similarity(*pair), slow.contour_accuracy(*pair)
    return scores


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(0, 3))
def test_best_matching_of_the_slow_twin(seed, n_objects, more):
    truth, found = film(6, n_objects, seed, void=0.02), film(6, n_objects + more, seed + more % 2)
    n = len(np.unique(truth[truth > 0]))
    assume(0 < n <= len(np.unique(found[found > 0])))  # left-over objects have a test of their own
    similarity, accuracy = slow_scores(found, truth)
    scores = judge_objects(found, truth)
    values = similarity.mean(axis=-1) + accuracy.mean(axis=-1)
    best = max(values[rows, range(n)].sum() for rows in itertools.permutations(range(len(values)), n))
    assert scores.J.mean(axis=1).sum() + scores.F.mean(axis=1).sum() == pytest.approx(best)
    places = np.searchsorted(np.unique(found[found > 0]), scores.found_ids)
    assert len(set(places)) == n
    for row, place in enumerate(places):
        assert np.array_equal(scores.J[row], similarity[place, row])
        assert np.array_equal(scores.F[row], accuracy[place, row])


def test_found_under_other_numbers_is_found():
    truth = film(5, 4, seed=3)
    ids = np.unique(truth[truth > 0])
    found = np.where(truth > 0, 1000 - truth, 0)
    scores = judge_objects(iter(found), iter(truth))
    assert scores.truth_ids.tolist() == ids.tolist()
    assert scores.found_ids.tolist() == (1000 - ids).tolist()
    assert scores.J.shape == scores.F.shape == (len(ids), 5)
    assert scores.region_similarity == scores.contour_accuracy == Statistics(1, 1, 0)
    assert scores.mean == 1


def test_an_object_without_a_proposal_has_an_empty_one():
    truth = np.zeros((4, 20, 30), np.int32)
    truth[:, 2:8, 2:8] = 1
    truth[:3, 12:18, 12:18] = 2  # not in the last frame
    scores = judge_objects(np.where(truth == 1, 5, 0), truth)
    assert scores.found_ids.tolist() == [5, -1]
    assert scores.J.tolist() == scores.F.tolist() == [[1, 1, 1, 1], [0, 0, 0, 1]]
    nothing = judge_objects(np.zeros_like(truth), truth)
    assert nothing.found_ids.tolist() == [-1, -1]
    assert nothing.J.tolist() == [[0, 0, 0, 0], [0, 0, 0, 1]]


def test_contours_that_do_not_overlap_may_be_near():
    truth, found = np.zeros((2, 1, 60, 80), np.int32)
    truth[0, 10:20, 10:20], found[0, 10:20, 20:30] = 1, 1  # side by side; the tolerance is 1 px
    scores = judge_objects(found, truth)
    assert scores.J.tolist() == [[0]]
    assert scores.F[0, 0] == slow.contour_accuracy(found[0] > 0, truth[0] > 0) > 0


def test_void_pixels_are_not_judged():
    truth = np.zeros((1, 20, 30), np.int32)
    truth[0, 5:15, 5:15] = 1
    found = truth.copy()
    found[0, 5:15, 15:18], truth[0, 5:15, 15:18] = 1, -1  # more than the object, but only where it is void
    found[0, 5:15, 17] = 2  # a proposal within the void
    scores = judge_objects(found, truth)
    assert (scores.found_ids.tolist(), scores.mean) == ([1], 1)


def test_statistics_are_averaged_over_the_objects():
    values = np.array([[1.0, 0.6, 0.4, 0.2, 0.0], [0.5, 0.5, 0.5, 0.5, 1.0]])
    scores = ObjectScores(values, values / 2, np.array([1, 2]), np.array([1, 2]))
    told = scores.region_similarity
    assert told.mean == pytest.approx((0.44 + 0.6) / 2)
    assert told.recall == pytest.approx((2 / 5 + 1 / 5) / 2)
    assert told.decay == pytest.approx(((0.8 - 0.1) + (0.5 - 0.75)) / 2)
    assert scores.contour_accuracy.mean == pytest.approx(told.mean / 2)
    assert scores.mean == pytest.approx(0.75 * told.mean)
    contour = scores.contour_accuracy
    by_name = {"J": told.mean, "J-recall": told.recall, "J-decay": told.decay}
    by_name |= {"F": contour.mean, "F-recall": contour.recall, "F-decay": contour.decay}
    assert scores.metrics() == {"J&F": scores.mean, **by_name}


def test_a_second_quarter_of_a_thousand_frames_decays_right():
    truth = np.zeros((600, 4, 6), np.int32)
    truth[:, 1:3, 1:4] = 1
    found = truth.copy()
    found[300:] = 0
    assert judge_objects(found, truth).region_similarity == Statistics(0.5, 0.5, 1)


def test_too_many_proposals():
    truth = np.ones((2, 3, 30), np.int32)
    found = np.zeros_like(truth)
    found[0, 0, :20] = np.arange(1, 21)
    assert math.isfinite(judge_objects(found, truth).mean)
    found[1, 0, 0] = 21  # a number more, in another frame
    with pytest.raises(ParameterError, match="21 proposals, at most 20"):
        judge_objects(found, truth)
    assert math.isfinite(judge_objects(found, truth, max_proposals=21).mean)
    with pytest.raises(ParameterError, match="max_proposals"):
        judge_objects(found, truth, max_proposals=0)


def test_bad_films():
    truth = np.ones((3, 4, 5), np.int32)
    with pytest.raises(ParameterError, match="found ends after 2 frames, truth goes on"):
        judge_objects(truth[:2], truth)
    with pytest.raises(ParameterError, match="truth ends after 2 frames, found goes on"):
        judge_objects(truth, truth[:2])
    for empty in (np.zeros_like(truth), np.full_like(truth, -1), truth[:0]):
        with pytest.raises(ParameterError, match="no object"):
            judge_objects(truth[: len(empty)], empty)
    with pytest.raises(FrameError, match=r"frame 0: found .* differ"):
        judge_objects(truth[:, :2], truth)
    with pytest.raises(FrameError, match=r"truth\[0\] holds integers, not float64"):
        judge_objects(truth, truth.astype(float))
