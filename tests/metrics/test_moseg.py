import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError
from motionseg.metrics.moseg import RegionCounts, count_regions


def row(*runs):
    """An int32 (1, W) array of runs (value, length)."""
    return np.repeat(*np.array(runs, np.int32).T)[None]


def facts(counts):
    ratios = counts.density, counts.precision, counts.recall, counts.f_measure, counts.extracted
    return (*ratios, counts.common.tolist(), counts.unlabelled.tolist())


def test_by_hand():
    # 10 background, 4 + 4 of two objects, 2 not judged.
    truth = row((0, 10), (1, 4), (2, 4), (-1, 2))
    labels = row((7, 8), (-1, 1), (9, 1), (9, 3), (-1, 1), (4, 1), (5, 3), (6, 2))
    counts = count_regions(labels, truth)
    assert counts.cluster_ids.tolist() == [4, 5, 7, 9]  # 6 is only where nothing is judged
    assert counts.region_ids.tolist() == [0, 1, 2]
    assert counts.common.tolist() == [[0, 0, 1], [0, 0, 3], [8, 0, 0], [1, 3, 0]]
    assert counts.unlabelled.tolist() == [1, 1, 0]
    assert counts.density == 16 / 18
    # Pairs: 7 - background, 9 - object 1, 5 - object 2; cluster 4 is left over. Unlabelled pixels do not count.
    assert counts.precision == pytest.approx((8 / 8 + 3 / 4 + 3 / 3) / 3)
    assert counts.recall == pytest.approx((8 / 9 + 3 / 3 + 3 / 4) / 3)
    precision, recall = 11 / 12, (8 / 9 + 7 / 4) / 3
    assert counts.f_measure == pytest.approx(2 * precision * recall / (precision + recall))
    assert counts.extracted == 2  # both with F = 6 / 7; the background is no object
    rates = {"density": 16 / 18, "Pr": counts.precision, "Re": counts.recall, "F": counts.f_measure}
    assert counts.metrics() == {**rates, "extracted": 2}


def test_the_sum_of_f_decides_and_not_the_overlap():
    # Cluster 1 with region 0 would have 20 pixels and F = 40 / 58, but nothing would be left for region 1. The other
    # way round it is 10 + 8 pixels, and F = 20 / 40 and 16 / 36.
    counts = count_regions(row((1, 20), (2, 8), (1, 10)), row((0, 28), (1, 10)))
    assert counts.precision == pytest.approx((8 / 8 + 10 / 30) / 2)
    assert counts.recall == pytest.approx((8 / 28 + 10 / 10) / 2)
    assert counts.extracted == 0


def test_three_quarters_are_enough():
    truth = row((0, 10), (1, 10))
    assert count_regions(row((0, 10), (1, 6), (2, 4)), truth).extracted == 1  # F = 12 / 16
    assert count_regions(row((0, 10), (1, 5), (2, 5)), truth).extracted == 0  # F = 10 / 15


def test_a_region_without_a_cluster_counts_as_missed():
    counts = count_regions(row((0, 12)), row((0, 6), (1, 6)))
    assert (counts.precision, counts.recall) == (0.5 / 2, 1 / 2)
    unseen = count_regions(row((0, 6), (-1, 6)), row((0, 6), (1, 6)))
    assert facts(unseen) == (0.5, 0.5, 0.5, 0.5, 0, [[6, 0]], [0, 6])


def test_zero_may_mean_unlabelled():
    truth = row((0, 4), (1, 4))
    labels = row((0, 4), (1, 4))
    assert count_regions(labels, truth).density == 1
    sparse = count_regions(labels, truth, unlabelled=0)
    assert (sparse.density, sparse.cluster_ids.tolist(), sparse.extracted) == (0.5, [1], 1)


def test_frames_with_other_numbers_add_up():
    first = count_regions(row((10, 3), (20, 2)), row((0, 3), (5, 2)))
    second = count_regions(row((20, 4), (15, 1), (-1, 1)), row((5, 4), (3, 2)))
    both = first + second
    assert both.cluster_ids.tolist() == [10, 15, 20]
    assert both.region_ids.tolist() == [0, 3, 5]
    assert both.common.tolist() == [[3, 0, 0], [0, 1, 0], [0, 0, 6]]
    assert both.unlabelled.tolist() == [0, 1, 0]
    assert facts(RegionCounts() + both) == facts(both + RegionCounts()) == facts(both)
    assert facts(first)[5] == [[3, 0], [0, 2]]  # as it was


clusters = hnp.arrays(np.int32, (6, 8), elements=st.sampled_from([-1, 0, 1, 2, 2**31 - 1]))
regions = hnp.arrays(np.int32, (6, 8), elements=st.sampled_from([-1, 0, 3, 70000]))


@given(clusters, regions, st.integers(1, 5))
def test_a_sequence_is_the_sum_of_its_frames(labels, truth, cut):
    whole = count_regions(labels, truth)
    parts = count_regions(labels[:cut], truth[:cut]) + count_regions(labels[cut:], truth[cut:])
    assert facts(parts) == facts(whole)
    for i, cluster in enumerate(whole.cluster_ids):
        for j, region in enumerate(whole.region_ids):
            assert whole.common[i, j] == ((labels == cluster) & (truth == region)).sum()
    judged = truth != -1
    assert whole.common.sum() == (judged & (labels != -1)).sum()
    assert whole.density == ((labels != -1) & judged).sum() / max(judged.sum(), 1)


@given(clusters, regions)
def test_no_assignment_has_a_greater_sum_of_f(labels, truth):
    counts = count_regions(labels, truth)
    sizes = [counts.common.sum(axis=axis) for axis in (1, 0)]
    n, m = counts.common.shape
    slots = max(n, m)
    best = 0
    for order in itertools.permutations(range(slots), m):
        pairs = [(i, j) for j, i in enumerate(order) if i < n]
        best = max(best, sum(2 * counts.common[i, j] / (sizes[0][i] + sizes[1][j]) for i, j in pairs))
    assert counts._regions[:, 2].sum() == pytest.approx(best)


def test_nothing_at_all():
    empty = RegionCounts()
    assert facts(empty) == (0, 0, 0, 0, 0, [], [])
    void = count_regions(row((1, 4)), row((-1, 4)))
    assert facts(void) == facts(empty)
    unlabelled = count_regions(row((-1, 4)), row((1, 4)))
    assert facts(unlabelled) == (0, 0, 0, 0, 0, [], [4])


def test_bad_arrays():
    labels = np.zeros((2, 3), np.int32)
    with pytest.raises(FrameError, match="differ"):
        count_regions(labels, labels.T)
    with pytest.raises(FrameError, match="labels holds integers"):
        count_regions(labels.astype(float), labels)
    with pytest.raises(FrameError, match="truth holds integers, not bool"):
        count_regions(labels, labels > 0)
