import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from motionseg.metrics.ranking import CDNET_METRICS, rank, rank_methods

NAN = math.nan


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, math.inf]), max_size=8))
def test_ranks_are_those_of_scipy(numbers):
    values = {str(i): number for i, number in enumerate(numbers)}
    assert list(rank(values, higher_is_better=False).values()) == rankdata(numbers).tolist()
    assert list(rank(values, higher_is_better=True).values()) == rankdata(-np.array(numbers)).tolist()


def test_missing_values_share_the_last_places():
    assert rank({"a": NAN, "b": 0.1, "c": NAN}, higher_is_better=True) == {"a": 2.5, "b": 1, "c": 2.5}


def test_by_hand():
    """Three methods, two categories, two metrics."""
    results = {
        "x": {"night": {"F": 0.6, "PWC": 2.0}, "PTZ": {"F": 0.2, "PWC": 9.0}},
        "y": {"night": {"F": 0.5, "PWC": 1.0}, "PTZ": {"F": 0.4, "PWC": 3.0}},
        "z": {"night": {"F": 0.6, "PWC": 3.0}, "PTZ": {"F": 0.1, "PWC": 4.0}},
    }
    ranking = rank_methods(results, {"F": True, "PWC": False})
    # night: F ranks x 1.5, y 3, z 1.5 and PWC ranks x 2, y 1, z 3; PTZ: F x 2, y 1, z 3 and PWC x 3, y 1, z 2
    assert ranking.categories == {
        "x": {"night": 1.75, "PTZ": 2.5}, "y": {"night": 2.0, "PTZ": 1.0}, "z": {"night": 2.25, "PTZ": 2.5}
    }  # fmt: skip
    assert ranking.across_categories == {"x": 2.125, "y": 1.5, "z": 2.375}
    # overall means: F x 0.4, y 0.45, z 0.35 and PWC x 5.5, y 2, z 3.5
    assert ranking.overall == {"x": {"F": 2, "PWC": 3}, "y": {"F": 1, "PWC": 1}, "z": {"F": 3, "PWC": 2}}
    assert ranking.average == {"x": 2.5, "y": 1, "z": 2.5}


def test_leaving_out_the_hard_category_does_not_pay():
    results = {"whole": {"easy": {"F": 0.9}, "hard": {"F": 0.1}}, "choosy": {"easy": {"F": 0.8}}}
    ranking = rank_methods(results, {"F": True})
    assert ranking.average == {"whole": 1, "choosy": 2}
    assert ranking.categories["choosy"] == {"easy": 2, "hard": 2}


def test_what_nobody_has_decides_nothing():
    results = {"a": {"x": {"F": 0.9}, "y": {"F": NAN}}, "b": {"x": {"F": 0.8}, "y": {}}}
    assert rank_methods(results, {"F": True}).average == {"a": 1, "b": 2}
    assert rank_methods({}).average == {}


def test_cdnet_ranks_by_seven_metrics():
    better = {"Re": 0.9, "Sp": 0.9, "FPR": 0.1, "FNR": 0.1, "PWC": 1.0, "F": 0.9, "Pr": 0.9, "FPR-S": 0.9}
    worse = {"Re": 0.8, "Sp": 0.8, "FPR": 0.2, "FNR": 0.2, "PWC": 2.0, "F": 0.8, "Pr": 0.8, "FPR-S": 0.1}
    ranking = rank_methods({"worse": {"c": worse}, "better": {"c": better}})
    assert len(CDNET_METRICS) == 7
    assert set(ranking.overall["better"].values()) == {1}
    assert ranking.across_categories == {"worse": 2, "better": 1}
