"""Parts keep their numbers from frame to frame."""

import numpy as np
import pytest

from motionseg.cluster import LabelIdentity
from motionseg.core.errors import FrameError, ParameterError

SHAPE = (60, 80)
STILL = np.zeros((*SHAPE, 2), np.float32)


def squares(*places, side=10):
    """Label i + 1 at the i-th (x, y); None leaves its number out."""
    labels = np.zeros(SHAPE, np.int32)
    for i, place in enumerate(places):
        if place is not None:
            labels[place[1] : place[1] + side, place[0] : place[0] + side] = i + 1
    return labels


def moving(labels, **motions):
    flow = STILL.copy()
    for number, motion in motions.items():
        flow[labels == int(number[1:])] = motion
    return flow


def test_numbers_stay_though_labels_are_permuted_and_parts_move_far():
    identity = LabelIdentity()
    first = squares((5, 5), (40, 20))
    assert np.array_equal(identity.update(first, moving(first, p1=(12, 3), p2=(-15, 0))), first)
    second = squares((25, 20), (17, 8))  # the other way round
    result = identity.update(second, STILL)
    assert result[22, 27] == 2
    assert result[10, 20] == 1
    assert result.dtype == np.int32


def test_without_the_flow_it_would_be_another():
    identity = LabelIdentity()
    identity.update(squares((5, 5)), STILL)
    assert identity.update(squares((17, 8)), STILL).max() == 2


def test_the_best_sum_of_overlaps_decides():
    identity = LabelIdentity(min_overlap=0.01)
    identity.update(squares((10, 10), (18, 10)), STILL)
    result = identity.update(squares((14, 10), None, (3, 10)), STILL)
    assert result[12, 5] == 1  # the left piece overlaps 1 alone; so that in the middle is 2
    assert result[12, 20] == 2


def test_a_missing_part_is_carried_for_some_frames():
    for gap, expected in ((3, 1), (4, 2)):
        identity = LabelIdentity(max_gap=3)
        labels = squares((5, 5))
        flow = STILL.copy()
        flow[..., 0] = 4
        identity.update(labels, flow)
        for _ in range(gap):
            assert not identity.update(np.zeros(SHAPE, np.int32), flow).any()
        assert identity.update(squares((9 + 4 * gap, 5)), flow).max() == expected


def test_numbers_are_never_used_twice_but_after_reset():
    identity = LabelIdentity(max_gap=0)
    for expected in (1, 2, 3):
        assert identity.update(squares((5, 5)), STILL).max() == expected
        assert not identity.update(np.zeros(SHAPE, np.int32), STILL).any()
    identity.reset()
    assert identity.update(squares((5, 5)), STILL).max() == 1


def test_two_pieces_of_one_part_get_two_numbers():
    identity = LabelIdentity()
    identity.update(squares((10, 10), side=20), STILL)
    result = identity.update(squares((10, 10), (20, 12), side=10), STILL)
    assert sorted(np.unique(result)) == [0, 1, 2]
    assert result[12, 12] == 1


def test_what_leaves_the_picture_is_gone_and_input_is_not_kept():
    identity = LabelIdentity()
    labels = squares((70, 5))
    flow = moving(labels, p1=(30, 0))
    copies = labels.copy(), flow.copy()
    result = identity.update(labels, flow)
    assert np.array_equal(labels, copies[0])
    assert np.array_equal(flow, copies[1])
    result[:], labels[:], flow[:] = 9, 9, 9
    assert identity.update(squares((5, 5)), STILL).max() == 2


def test_bad_input_changes_nothing():
    identity = LabelIdentity()
    good = squares((5, 5))
    identity.update(good, STILL)
    for labels, flow in (
        (good.astype(np.uint8), STILL),
        (good[None], STILL),
        (good - 1, STILL),
        (None, STILL),
        (good, STILL[:-1]),
        (good, None),
        (good[:-1], STILL[:-1]),
    ):
        with pytest.raises(FrameError):
            identity.update(labels, flow)
    assert identity.update(good, STILL).max() == 1
    with pytest.raises(ParameterError, match="min_overlap"):
        LabelIdentity(min_overlap=0)
    with pytest.raises(ParameterError, match="max_gap"):
        LabelIdentity(max_gap=-1)
