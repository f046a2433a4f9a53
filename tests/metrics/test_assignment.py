import numpy as np
import pytest
from hypothesis import given
from reference.tracking import sequences
from scipy.optimize import linear_sum_assignment

from motionseg.metrics import _assignment
from motionseg.metrics._assignment import assign
from motionseg.metrics.tracking import pair_similarities


@given(sequences(size=7))
def test_the_greatest_sum_with_nobody_chosen_twice(frames):
    pairs = pair_similarities(frames)
    chosen = assign(pairs, pairs.similarity, least=0.0)
    for side in (pairs.pair_truth, pairs.pair_found):
        assert np.bincount(side[chosen]).max(initial=0) <= 1
    for f, (_, _, table) in enumerate(frames):
        part = slice(pairs.pair_start[f], pairs.pair_start[f + 1])
        best = table[linear_sum_assignment(table, maximize=True)].sum()
        assert pairs.similarity[part][chosen[part]].sum() == pytest.approx(best, abs=1e-12)


def solved(frames, monkeypatch, **options):
    """The pairs chosen, and the frames that went to the solver."""
    pairs, asked, solve = pair_similarities(frames), [], _assignment._solve
    monkeypatch.setattr(_assignment, "_solve", lambda frame, *rest: (asked.append(frame), solve(frame, *rest)))
    return assign(pairs, pairs.similarity, **{"least": 0.05, **options}).tolist(), asked


def test_the_solver_is_asked_only_where_it_is_needed(monkeypatch):
    plain = ([1, 2], [1, 2], [[0.9, 0.2], [0.3, 0.8]])
    one_after_the_other = ([1, 2], [1, 2], [[0.9, 0.4], [0.4, 0.3]])
    greedy_is_wrong = ([1, 2], [1, 2], [[0.5, 0.4], [0.4, 0.0]])
    tie = ([1], [1, 2], [[0.7, 0.7]])
    nobody_asks = ([1], [1, 2], [[0.04, 0.04]])
    chosen, asked = solved([plain, one_after_the_other, greedy_is_wrong, tie, nobody_asks], monkeypatch)
    assert asked == [2, 3]
    assert chosen[:4] == [True, False, False, True]
    assert chosen[4:8] == [True, False, False, True]
    assert chosen[8:11] == [False, True, True]
    assert sum(chosen[11:13]) == 1


def test_loyalty_outlasts_frames_without_one_side_and_ends_with_a_miss(monkeypatch):
    first, better, empty = ([1], [8], [[0.6]]), ([1], [8, 9], [[0.6, 0.9]]), ([1], [], [])
    other = ([2], [3], [[0.0]])
    assert solved([first, better], monkeypatch, loyalty=1000.0)[0] == [True, True, False]
    assert solved([first, empty, better], monkeypatch, loyalty=1000.0)[0] == [True, True, False]
    assert solved([first, other, better], monkeypatch, loyalty=1000.0)[0] == [True, False, True]
    assert solved([first, better], monkeypatch)[0] == [True, False, True]


def test_loyalty_to_what_the_solver_chose(monkeypatch):
    tie, after = ([1], [1, 2], [[0.7, 0.7]]), ([1], [1, 2], [[0.6, 0.8]])
    chosen, asked = solved([tie, after], monkeypatch, loyalty=1000.0)
    assert asked == [0]
    assert chosen[:2] == chosen[2:]
