import numpy as np
import pytest

from motionseg.core.errors import ParameterError
from motionseg.metrics.clear import CLEARCounts, count_clear
from motionseg.metrics.tracking import Trajectories, pair_boxes, pair_similarities

HIT, OTHER, MISS, BLIND = ([1], [1], [[0.8]]), ([1], [2], [[0.8]]), ([1], [1], [[0.4]]), ([1], [], [])


def counted(*frames, **options):
    return count_clear(pair_similarities(frames), **options)


def test_ratios():
    counts = CLEARCounts(tp=6, fn=4, fp=2, id_switches=1, frames=4, similarity=4.5)
    assert (counts.mota, counts.moda, counts.smota) == pytest.approx((0.3, 0.4, 0.15))
    assert (counts.recall, counts.precision, counts.motp) == pytest.approx((0.6, 0.75, 0.75))
    assert counts.false_alarm_rate == 0.5
    nothing = CLEARCounts()
    assert (nothing.mota, nothing.moda, nothing.smota, nothing.motp, nothing.false_alarm_rate) == (0, 0, 0, 0, 0)
    assert (nothing.recall, nothing.precision) == (0, 0)


def test_frames_without_boxes_have_no_false_alarm():
    found = Trajectories([3], [1], [[0, 0, 2, 2]])
    assert count_clear(pair_boxes(Trajectories([], [], []), found, n_frames=10)).false_alarm_rate == 0.1


def test_a_switch_is_remembered_over_a_miss():
    counts = counted(HIT, MISS, OTHER, OTHER, HIT)
    assert (counts.tp, counts.fn, counts.fp, counts.id_switches) == (4, 1, 1, 2)
    assert counts.similarity == pytest.approx(3.2)


def test_a_track_is_broken_by_a_miss_but_not_by_a_frame_without_boxes():
    assert counted(HIT, MISS, HIT, MISS).fragmentations == 1
    assert counted(HIT, BLIND, HIT).fragmentations == 0
    assert counted(HIT, ([], [], []), HIT).fragmentations == 0
    assert counted(MISS, HIT).fragmentations == 0


def test_a_match_is_kept_while_it_is_similar_enough():
    better = ([1], [1, 2], [[0.6, 0.9]])
    assert counted(HIT, better).id_switches == 0
    assert counted(MISS, better, OTHER).id_switches == 0
    assert counted(HIT, ([1], [1, 2], [[0.4, 0.9]])).id_switches == 1


@pytest.mark.parametrize(
    ("hits", "tracked"), [(9, "mostly_tracked"), (8, "partly_tracked"), (2, "partly_tracked"), (1, "mostly_lost")]
)
def test_how_much_of_a_track_was_found(hits, tracked):
    counts = counted(*[HIT] * hits, *[BLIND] * (10 - hits))
    expected = {"mostly_tracked": 0, "partly_tracked": 0, "mostly_lost": 0, tracked: 1}
    assert {name: getattr(counts, name) for name in expected} == expected


def test_threshold():
    assert counted(MISS, threshold=0.4).tp == 1
    assert counted(([1], [1], [[np.nextafter(0.5, 0)]])).tp == 1, "a rounding is forgiven"
    for threshold in (0, 1.1, float("nan")):
        with pytest.raises(ParameterError, match="threshold"):
            counted(MISS, threshold=threshold)


def test_metrics_have_the_usual_names():
    measures = CLEARCounts(tp=8, fn=2, fp=1, id_switches=1, mostly_lost=3, frames=5, similarity=6.4).metrics()
    assert {name: measures[name] for name in ("MOTA", "MOTP", "Re", "IDSW", "ML", "FAR")} == pytest.approx(
        {"MOTA": 0.6, "MOTP": 0.8, "Re": 0.8, "IDSW": 1, "ML": 3, "FAR": 0.2}
    )
