import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError, ParameterError
from motionseg.metrics.change import ChangeCounts, count_change, summarize

shapes = st.just((5, 6))
masks = hnp.arrays(np.uint8, shapes, elements=st.sampled_from([0, 127, 255]))
truths = hnp.arrays(np.uint8, shapes, elements=st.sampled_from([0, 50, 85, 170, 255]))
rois = hnp.arrays(np.bool_, shapes) | st.none()
close = partial(pytest.approx, abs=1e-12)


@given(masks, truths, rois)
def test_pixel_by_pixel(mask, truth, roi):
    tp = fp = fn = tn = errors = shadows = 0
    for y in range(5):
        for x in range(6):
            if truth[y, x] in (85, 170) or (roi is not None and not roi[y, x]):
                continue
            found, moving, shadow = mask[y, x] == 255, truth[y, x] == 255, truth[y, x] == 50
            tp, fp, fn, tn = (
                tp + (found & moving),
                fp + (found & ~moving),
                fn + (~found & moving),
                tn + (~found & ~moving),
            )
            errors, shadows = errors + (found & shadow), shadows + shadow
    assert count_change(mask, truth, roi) == ChangeCounts(tp, fp, fn, tn, errors, shadows)


def counted_by_numpy(mask, truth, roi):
    judged = (truth != 85) & (truth != 170) & roi
    found, moving, shadow = mask[judged] == 255, truth[judged] == 255, truth[judged] == 50
    four = [found & moving, found & ~moving, ~found & moving, ~found & ~moving]
    return ChangeCounts(*(int(part.sum()) for part in [*four, found & shadow, shadow]))


@pytest.mark.parametrize("shape", [(1, 1), (1, 127), (8, 16), (3, 43), (255, 128), (301, 333)])
def test_sizes_around_those_of_the_kernel(shape):
    random = np.random.default_rng(1)
    mask, roi = random.choice(np.uint8([0, 127, 255]), shape), random.random(shape) < 0.7
    truth = random.choice(np.uint8([0, 50, 85, 170, 255]), shape)
    assert count_change(mask, truth, roi) == counted_by_numpy(mask, truth, roi)
    assert count_change(mask, truth) == counted_by_numpy(mask, truth, np.ones(shape, bool))


def test_counters_do_not_overflow():
    ones = np.full((400, 500), 255, np.uint8)
    assert count_change(ones, ones) == ChangeCounts(tp=200_000)


def test_arrays_may_be_views():
    random = np.random.default_rng(2)
    mask, truth, roi = (random.choice(np.uint8([0, 255]), (60, 80)) for _ in range(3))
    views = mask[::2, ::-1], truth[::2, ::-1], (roi == 0)[::2, ::-1]
    before = [view.copy() for view in views]
    assert count_change(*views) == counted_by_numpy(*views)
    assert all((view == old).all() for view, old in zip(views, before, strict=True))


def test_counts_add():
    assert ChangeCounts(1, 2, 3, 4, 5, 6) + ChangeCounts(10, 20, 30, 40, 50, 60) == ChangeCounts(11, 22, 33, 44, 55, 66)


def test_ratios():
    counts = ChangeCounts(tp=6, fp=2, fn=6, tn=86, shadow_errors=1, shadows=5)
    assert (counts.precision, counts.recall) == (0.75, 0.5)
    assert counts.f_measure == pytest.approx(2 * 0.75 * 0.5 / 1.25)
    expected = {"Re": 0.5, "Sp": 86 / 88, "FPR": 2 / 88, "FNR": 0.5, "PWC": 8.0, "F": 0.6, "Pr": 0.75, "FPR-S": 0.2}
    assert counts.metrics() == close(expected)
    assert list(counts.metrics()) == list(expected)


def test_ratios_of_nothing():
    empty = ChangeCounts().metrics()
    assert [empty[name] for name in ("Re", "Pr", "F")] == [0, 0, 0]
    assert all(math.isnan(empty[name]) for name in ("Sp", "FPR", "FNR", "PWC", "FPR-S"))


def test_bad_arrays_are_refused():
    with pytest.raises(FrameError, match="differ"):
        count_change(np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8))
    with pytest.raises(FrameError, match="roi"):
        count_change(np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.uint8), np.ones((2, 2), bool))
    with pytest.raises(FrameError, match="uint8"):
        count_change(np.zeros((3, 4), bool), np.zeros((3, 4), np.uint8))


def test_a_table_made_by_hand():
    """Four videos of two categories; every number below was worked out with pencil and paper."""
    rows = [
        # TP 60, FP 40, FN 20, TN 880 of 1000: Re 0.75, Pr 0.6, F 120 / 180, Sp 880 / 920, PWC 6
        ("baseline", "a", ChangeCounts(tp=60, fp=40, fn=20, tn=880).metrics()),
        # Re 0.25, Pr 1, F 20 / 50, Sp 1, PWC 3
        ("baseline", "b", ChangeCounts(tp=10, fp=0, fn=30, tn=960).metrics()),
        # Re 0.5, Pr 0.1, F 10 / 60, Sp 445 / 490, PWC 10, FPR-S 0.3
        ("shadow", "c", ChangeCounts(tp=5, fp=45, fn=5, tn=445, shadow_errors=6, shadows=20).metrics()),
        # nothing moved: Re, Pr and F are 0 and count, FNR is left out; Sp 1, PWC 0, FPR-S 0
        ("shadow", "d", ChangeCounts(tn=500, shadows=10).metrics()),
    ]
    categories, overall = summarize(rows)
    assert list(categories) == ["baseline", "shadow"]
    assert categories["baseline"]["Re"] == close(0.5)
    assert categories["baseline"]["Pr"] == close(0.8)
    assert categories["baseline"]["F"] == close(8 / 15)  # (2/3 + 2/5) / 2
    assert categories["baseline"]["Sp"] == close(45 / 46)  # (22/23 + 1) / 2
    assert categories["baseline"]["PWC"] == close(4.5)
    assert math.isnan(categories["baseline"]["FPR-S"])
    assert categories["shadow"] == close(
        {"Re": 0.25, "Sp": 187 / 196, "FPR": 9 / 196, "FNR": 0.5, "PWC": 5, "F": 1 / 12, "Pr": 0.05, "FPR-S": 0.15}
    )
    assert overall == close(
        {"Re": 0.375, "Sp": (45 / 46 + 187 / 196) / 2, "FPR": (1 / 46 + 9 / 196) / 2, "FNR": 0.5, "PWC": 4.75,
         "F": 37 / 120, "Pr": 0.425, "FPR-S": 0.15}
    )  # fmt: skip
    assert overall["F"] != pytest.approx(2 * overall["Pr"] * overall["Re"] / (overall["Pr"] + overall["Re"]), abs=0.05)


def test_categories_weigh_the_same_whatever_their_videos():
    rows = [("a", str(i), {"J": 1.0}) for i in range(9)] + [("b", "x", {"J": 0.0, "T": 2.0})]
    assert summarize(iter(rows)) == ({"a": {"J": 1.0}, "b": {"J": 0.0, "T": 2.0}}, {"J": 0.5, "T": 2.0})
    assert summarize([]) == ({}, {})


def test_a_video_counts_once():
    with pytest.raises(ParameterError, match="night/a comes twice"):
        summarize([("night", "a", {"F": 1.0}), ("PTZ", "a", {"F": 1.0}), ("night", "a", {"F": 0.5})])
