import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionseg.core.errors import FrameError, ParameterError
from motionseg.metrics.events import EventCounts, count_events

quarters = st.integers(0, 40).map(lambda n: n / 4)
events = st.lists(st.tuples(quarters, quarters).map(lambda pair: (min(pair), max(pair))), max_size=4)


def best_pairing(found, truth, min_iou):
    """Try every way to pair; (number, overlap) of the best, and all delays that it may have."""
    best, delays = (0, 0.0), {0.0}
    for n in range(1, min(len(found), len(truth)) + 1):
        for rows in itertools.combinations(found, n):
            for columns in itertools.permutations(truth, n):
                pairs = list(zip(rows, columns, strict=True))
                common = [min(a[1], b[1]) - max(a[0], b[0]) for a, b in pairs]
                either = [max(a[1], b[1]) - min(a[0], b[0]) for a, b in pairs]
                if any(c < 0 or (c / e if e else 1) < min_iou for c, e in zip(common, either, strict=True)):
                    continue
                value, delay = (n, sum(common)), sum(max(0, a[0] - b[0]) for a, b in pairs)
                if value > best:
                    best, delays = value, set()
                if value == best:
                    delays.add(delay)
    return best, delays


@given(events, events, st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_no_pairing_is_better(found, truth, min_iou):
    (n, _), delays = best_pairing(found, truth, min_iou)
    counts = count_events(found, truth, duration=10, min_iou=min_iou)
    assert (counts.tp, counts.fp, counts.fn) == (n, len(found) - n, len(truth) - n)
    assert counts.delay in delays


def test_by_hand():
    truth = [(10, 20), (30, 40), (50, 60)]
    found = [(12, 25), (29, 31), (33, 39), (70, 71)]
    counts = count_events(found, truth, duration=7200)
    # (30, 40) was found in two pieces, the longer overlaps more: 3 s late; (10, 20) 2 s late; (50, 60) missed
    assert counts == EventCounts(tp=2, fp=2, fn=1, delay=5, duration=7200)
    assert counts.metrics() == {"Re": 2 / 3, "Pr": 0.5, "F": 4 / 7, "delay": 2.5, "false alarms/h": 1.0}


def test_two_events_found_as_one_are_one_hit_and_one_miss():
    assert count_events([(0, 10)], [(1, 3), (5, 9)], duration=20) == EventCounts(1, 0, 1, 0.0, 20.0)


def test_number_comes_before_overlap():
    """The long overlap of (0, 9) with (0, 8) would leave (8, 9) without a partner."""
    assert count_events([(0, 9), (0, 1)], [(0, 8), (8, 9)], duration=20).tp == 2


def test_least_overlap():
    found, truth = [(5, 15)], [(0, 10)]  # 5 of 15 s in common
    assert count_events(found, truth, duration=20, min_iou=0.33).tp == 1
    assert count_events(found, truth, duration=20, min_iou=0.34).tp == 0


def test_instants():
    assert count_events([(3, 3)], [(3, 3)], duration=9, min_iou=1).tp == 1
    assert count_events([(3, 3)], [(2, 3)], duration=9).delay == 1
    assert count_events([(3.1, 3.1)], [(2, 3)], duration=9).tp == 0


def test_parts_add():
    a, b = count_events([(0, 1)], [], duration=1800), count_events([], [(2, 3)], duration=1800)
    assert a + b == EventCounts(fp=1, fn=1, duration=3600)
    assert (a + b).false_alarms_per_hour == 1
    assert (a + b).metrics()["F"] == 0
    assert math.isnan(a.mean_delay)
    assert math.isnan(EventCounts().false_alarms_per_hour)


def test_bad_input_is_refused():
    with pytest.raises(ParameterError, match=r"event 1 of found runs from 5.0 s to 4.0 s"):
        count_events([(0, 1), (5, 4)], [], duration=9)
    with pytest.raises(ParameterError, match="event 0 of truth"):
        count_events([], [(0, math.nan)], duration=9)
    with pytest.raises(FrameError, match="shape"):
        count_events([1, 2, 3], [], duration=9)
    with pytest.raises(ParameterError, match="duration"):
        count_events([], [], duration=0)
    with pytest.raises(ParameterError, match="min_iou"):
        count_events([], [], duration=9, min_iou=1.5)
