import numpy as np
import pytest

from motionseg.core.errors import ParameterError
from motionseg.metrics.identity import IdentityCounts, count_identity
from motionseg.metrics.tracking import pair_similarities


def same(truth, found, similarity=0.8):
    return [truth], [found], [[similarity]]


def test_each_track_belongs_to_one():
    frames = [same(1, 1)] * 3 + [same(1, 2)] * 2 + [same(2, 2)] + [same(1, 1, 0.4)] + [([1], [], [])]
    counts = count_identity(pair_similarities(frames))
    assert counts == IdentityCounts(idtp=4, idfn=4, idfp=3)  # 1 with 1 and 2 with 2
    assert (counts.idr, counts.idp, counts.idf1) == pytest.approx((4 / 8, 4 / 7, 8 / 15))


def test_pairs_are_chosen_together():
    frames = [same(1, 1)] * 3 + [same(1, 2)] * 2 + [same(2, 1)] * 2
    assert count_identity(pair_similarities(frames)).idtp == 4  # not the 3 of the longest pair alone


def test_nothing_is_zero():
    nothing = count_identity(pair_similarities([]))
    assert (nothing, nothing.idf1, nothing.idr, nothing.idp) == (IdentityCounts(), 0, 0, 0)


def test_threshold():
    assert count_identity(pair_similarities([same(1, 1, 0.4)]), threshold=0.4).idtp == 1
    assert count_identity(pair_similarities([same(1, 1, np.nextafter(0.5, 0))])).idtp == 0, "no rounding is forgiven"
    with pytest.raises(ParameterError, match="threshold"):
        count_identity(pair_similarities([]), threshold=0)


def test_metrics_have_the_usual_names():
    assert IdentityCounts(idtp=6, idfn=2, idfp=6).metrics() == pytest.approx({"IDF1": 0.6, "IDR": 0.75, "IDP": 0.5})
