import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import davis as slow

from motionseg.core.errors import FrameError
from motionseg.metrics import temporal_stability
from motionseg.metrics.stability import (
    _MOST_POINTS,
    _compare,
    _match,
    _matched,
    _one_to_one,
    _outline,
    _shape_contexts,
)

ANGLES = np.linspace(0, 2 * np.pi, 400, endpoint=False)
BODY = 60 * (1 + 0.25 * np.cos(2 * ANGLES) + 0.15 * np.sin(3 * ANGLES))  # px; like a walker seen from afar


def blob(radii=BODY, centre=(150, 120), shape=(240, 320)):
    points = np.array(centre) + radii[:, None] * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [points.round().astype(np.int32)], 255)
    return mask


def trembling(amplitude, seed):
    """The blob with an outline off by smooth noise of `amplitude` pixels (standard deviation)."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(1, 1200)), (0, 0), 3)[0, 400:800]
    return blob(BODY + amplitude * noise / noise.std())


def test_equal_masks_are_stable():
    assert temporal_stability(blob(), blob()) == 0
    assert temporal_stability(blob() > 0, np.where(blob() > 0, 255, 127).astype(np.uint8)) == 0  # 127 is shadow


@given(st.integers(-40, 40), st.integers(-30, 30))
def test_where_the_masks_are_does_not_matter(dx, dy):
    first, second = trembling(2, seed=1), trembling(2, seed=2)
    moved = np.roll(second, (dy, dx), axis=(0, 1))
    assert np.array_equal(_outline(moved > 0), _outline(second > 0))
    assert temporal_stability(first, moved) == temporal_stability(first, second) > 0


def test_size_matters_little():
    bigger = blob(BODY * 1.5)
    assert temporal_stability(blob(), bigger) < temporal_stability(blob(), trembling(2, seed=0)) / 2


def test_t_grows_with_the_trembling():
    means = [
        np.mean([temporal_stability(trembling(amplitude, seed), trembling(amplitude, seed + 100)) for seed in range(8)])
        for amplitude in (0, 0.5, 1, 2, 4, 8)
    ]
    assert means[0] == 0
    assert (np.diff(means) > 0).all()
    assert 0.05 < means[2] < means[4] < 3


@given(st.integers(0, 10**6), st.integers(0, 150))
def test_where_the_contours_are_cut_does_not_matter(seed, shift):
    a, b = (_outline(trembling(3, seed + i) > 0) for i in range(2))
    totals = []
    for points in (b, np.roll(b, shift, axis=0)):
        rows, columns, costs = _matched(_shape_contexts(a), _shape_contexts(points))
        totals.append(costs[rows, columns].sum())
    assert totals[0] == pytest.approx(totals[1], rel=0.02)


def test_the_longest_contour_counts():
    first, second = blob(), blob()
    second[5:20, 5:20] = 255  # another, smaller object
    second[115:125, 145:155] = 0  # a hole
    assert temporal_stability(first, second) == 0


def test_masks_without_an_outline():
    nothing, dot, line = (np.zeros((240, 320), np.uint8) for _ in range(3))
    dot[5, 5] = line[7, 10:90] = 255
    for mask in (nothing, dot, line):
        assert math.isnan(temporal_stability(blob(), mask))
        assert math.isnan(temporal_stability(mask, blob()))


def test_outline_is_sampled_evenly():
    square = np.zeros((40, 40), bool)
    square[10:31, 10:31] = True
    points = _outline(square)
    assert len(points) == 4 * 7  # 20 px a side, at most 3 px apart
    assert np.hypot(*(points - np.roll(points, 1, axis=0)).T) == pytest.approx(20 / 7)
    comb = np.ones((700, 400), bool)
    comb[10:, np.arange(400) % 20 < 10] = False  # its outline is 28000 px long
    assert _MOST_POINTS / 2 < len(_outline(comb)) <= _MOST_POINTS


@given(st.integers(0, 10**6), st.integers(3, 40))
def test_shape_contexts_are_those_of_the_slow_twin(seed, n):
    points = np.random.default_rng(seed).permutation(900)[:n, None] // [1, 30] % 30.0
    assert _shape_contexts(points) == pytest.approx(slow.shape_contexts(points), abs=1e-6)


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 12))
def test_costs_and_walk_are_those_of_the_slow_twin(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(0, 3, (rows, 60)).astype(np.float32) / 60 for rows in (n, m))
    costs = np.zeros((n, m), np.float32)
    _compare(a, np.ascontiguousarray(b.T), costs)
    assert costs == pytest.approx(np.array([[slow.chi_square(x, y) for y in b] for x in a]), abs=1e-5)
    row, column = int(rng.integers(n)), int(rng.integers(m))
    totals, path = np.empty((n, m)), np.empty((n + m, 2), np.int64)
    path = path[: _match(costs, row, column, totals, path)][::-1]
    unrolled = (path - (row, column)) % (n, m)
    assert unrolled[0].tolist() == [0, 0]
    assert unrolled[-1].tolist() == [n - 1, m - 1]
    assert {tuple(step) for step in np.diff(unrolled, axis=0).tolist()} <= {(0, 1), (1, 0), (1, 1)}
    cheapest = slow.cheapest_walk(np.roll(costs, (-row, -column), axis=(0, 1)).astype(float))
    assert costs[path[:, 0], path[:, 1]].astype(float).sum() == pytest.approx(cheapest)


def test_pairs_become_one_to_one():
    rows, columns = np.array([0, 0, 1, 2, 2, 3]), np.array([0, 1, 2, 2, 3, 3])
    costs = np.array([5, 1, 4, 2, 7, 3], np.float32)
    # Row 0 keeps column 1, row 2 keeps column 2, row 3 column 3; row 1 then loses column 2 to row 2.
    assert sorted(_one_to_one(rows, columns, costs)) == [1, 2, 3]


def test_bad_arrays():
    good = np.zeros((4, 5), bool)
    with pytest.raises(FrameError, match=r"previous_mask .*float"):
        temporal_stability(good.astype(float), good)
    with pytest.raises(FrameError, match=r"mask has shape .*\(5,\)"):
        temporal_stability(good, good[0])
    with pytest.raises(FrameError, match="differ"):
        temporal_stability(good, good.T)
