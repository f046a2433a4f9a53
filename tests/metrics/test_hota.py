import numpy as np
import pytest

from motionseg.metrics.hota import HOTACounts, count_hota
from motionseg.metrics.tracking import pair_similarities


def same(truth, found, similarity=1.0):
    return [truth], [found], [[similarity]]


def test_a_track_in_two_pieces_with_a_miss_and_a_false_alarm():
    frames = [same(1, 1), same(1, 1), same(1, 1), same(1, 2), ([1], [], []), ([], [9], [])]
    counts = count_hota(pair_similarities(frames))
    assert (counts.tp[0], counts.fn[0], counts.fp[0]) == (4, 1, 1)
    assert counts.det_a == pytest.approx(4 / 6)
    assert counts.ass_a == pytest.approx((3 * 3 / 5 + 1 / 5) / 4)
    assert counts.ass_re == pytest.approx((3 * 3 / 5 + 1 / 5) / 4)
    assert counts.ass_pr == pytest.approx(1)
    assert counts.hota == pytest.approx(np.sqrt(4 / 6 * 0.5))


def test_a_found_track_that_runs_over_two():
    counts = count_hota(pair_similarities([same(1, 1), same(1, 1), same(2, 1)]))
    assert counts.ass_re == pytest.approx(1)
    assert counts.ass_pr == pytest.approx((2 * 2 / 3 + 1 / 3) / 3)


def test_similarity_decides_at_how_many_alphas_a_pair_counts():
    counts = count_hota(pair_similarities([same(1, 1, 0.5)]))
    assert counts.tp.tolist() == [1] * 10 + [0] * 9
    assert counts.curves["LocA"].tolist() == [0.5] * 10 + [1.0] * 9
    assert (counts.hota, counts.hota_0, counts.loc_a_0) == pytest.approx((10 / 19, 1, 0.5))
    assert count_hota(pair_similarities([same(1, 1, 0.049)])).tp.tolist() == [0] * 19


def test_of_rivals_the_one_with_the_longer_common_life_is_matched():
    frames = [same(1, 1, 0.6)] * 5 + [([1], [1, 2], [[0.6, 0.7]])]
    assert count_hota(pair_similarities(frames)).curves["AssRe"][0] == 1


def test_a_perfect_result_is_one_and_nothing_is_zero():
    counts = count_hota(pair_similarities([([1, 2], [5, 6], np.eye(2))] * 3))
    assert all((curve == 1).all() for curve in counts.curves.values())
    nothing = HOTACounts()
    assert (nothing.hota, nothing.det_a, nothing.ass_a, nothing.loc_a) == (0, 0, 0, 1)


def test_metrics_have_the_usual_names():
    ones = np.ones(19, np.int64)
    counts = HOTACounts(tp=3 * ones, fn=ones, similarity=2.4 * ones, association=3.0 * ones)
    assert list(counts.metrics()) == ["HOTA", "DetA", "AssA", "LocA", "DetRe", "DetPr", "AssRe", "AssPr"]
    assert counts.metrics()["DetA"] == pytest.approx(counts.det_a) == pytest.approx(0.75)
