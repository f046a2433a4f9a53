"""Maps of passages and of seconds."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg.core.errors import FrameError, ParameterError, StateError
from motionseg.core.types import Tracks, TrackState
from motionseg.track import Occupancy


def tracks(time, *rows):
    """Of rows (id, box, state)."""
    n = len(rows)
    ids, boxes, states = zip(*rows, strict=True) if n else ((), np.zeros((0, 4)), ())
    facts = np.ones(n, np.int32), np.ones(n, np.int64), np.ones(n, np.float32), np.zeros((n, 2), np.float32)
    return Tracks(time, np.array(ids, np.int64), np.array(boxes, np.float32), *facts, np.array(states, np.uint8))


def walked(maps, start, n, id=1, fps=10, y=2):
    """Somebody 4 pixels wide and 3 tall goes right, a pixel a frame."""
    for i in range(n):
        maps.update(tracks(start + i / fps, (id, (i, y, i + 4, y + 3), TrackState.CONFIRMED)))


def test_a_walk_is_one_passage_and_its_seconds():
    maps = Occupancy(8, 30)
    walked(maps, 0, 20)
    heat, dwell = np.zeros((8, 30)), np.zeros((8, 30))
    heat[2:5, :23] = 1
    for i in range(1, 20):  # the first frame has no frame before it
        dwell[2:5, i : i + 4] += 0.1
    np.testing.assert_array_equal(maps.heat, heat)
    np.testing.assert_allclose(maps.dwell, dwell, rtol=1e-6)
    assert maps.heat.dtype == maps.dwell.dtype == np.float32


def test_visits_of_one_and_of_others_count():
    maps = Occupancy(8, 30)
    walked(maps, 0, 20, id=1)
    walked(maps, 10, 20, id=1)  # comes again
    walked(maps, 20, 20, id=2)
    assert maps.heat[3, 10] == 3
    assert maps.heat[6, 10] == 0


def test_a_trembling_border_is_no_new_visit():
    maps = Occupancy(4, 10)
    for i in range(100):
        row = np.array([1] * (5 - i % 2) + [2] * (5 + i % 2), np.int32)
        maps.update(tracks(i / 10, (1, (0, 0, 1, 1), 3), (2, (0, 0, 1, 1), 3)), np.tile(row, (4, 1)))
    assert maps.heat.tolist() == [[1, 1, 1, 1, 2, 1, 1, 1, 1, 1]] * 4
    np.testing.assert_allclose(maps.dwell, 9.9, rtol=1e-6)


@pytest.mark.parametrize(("gap", "visits"), [(0.9, 1), (1.0, 1), (1.2, 2)])
def test_who_is_away_for_long_comes_anew(gap, visits):
    maps = Occupancy(8, 30)
    for time in (0, 0.1, 0.1 + gap):
        maps.update(tracks(time, (4, (0, 0, 9, 9), 1)))
    assert maps.heat[3, 3] == visits
    np.testing.assert_allclose(maps.dwell[3, 3], 0.1 + min(gap, 1.0), rtol=1e-5)


@pytest.mark.parametrize("state", [TrackState.TENTATIVE, TrackState.OCCLUDED, TrackState.GONE])
def test_only_what_is_seen_counts(state):
    maps = Occupancy(8, 30)
    pixels = np.full((8, 30), 4, np.int32)
    for time in (0, 1, 2):
        maps.update(tracks(time, (4, (0, 0, 9, 9), state)), pixels)
    assert not maps.heat.any()
    assert not maps.dwell.any()


def test_the_nearer_box_wins_and_far_ones_do_no_harm():
    maps = Occupancy(10, 10)
    for time in (0, 1):
        maps.update(tracks(time, (1, (0, 0, 10, 9), 1), (2, (0, 0, 10, 5), 1), (3, (50, 50, 60, 60), 1)))
    assert maps.heat[:9].tolist() == [[1] * 10] * 9
    assert maps._visitors[:, 0].tolist() == [1, 0]


def test_state_goes_on():
    whole, begun, other = (Occupancy(8, 30) for _ in range(3))
    walked(whole, 0, 20)
    walked(begun, 0, 20)
    other.load_state(begun.state())
    for maps in (whole, other):
        walked(maps, 2.05, 9, id=2)
    np.testing.assert_array_equal(whole.heat, other.heat)
    np.testing.assert_array_equal(whole.dwell, other.dwell)
    for name in whole.state():
        with pytest.raises(StateError, match=name):
            other.load_state({k: v for k, v in whole.state().items() if k != name})
    with pytest.raises(StateError, match="heat"):
        Occupancy(8, 31).load_state(whole.state())


def test_bad_input_changes_nothing():
    maps = Occupancy(8, 30)
    walked(maps, 0, 20)
    before = maps.state()
    for time in (1.9, 0.0):
        with pytest.raises(ParameterError, match="time"):
            maps.update(tracks(time))
    with pytest.raises(FrameError, match=r"\(8, 29\)"):
        maps.update(tracks(5), np.zeros((8, 29), np.int32))
    for name, array in maps.state().items():
        np.testing.assert_array_equal(array, before[name])
    for options in ({"height": 0}, {"width": 1.5}, {"max_gap": 0}):
        with pytest.raises(ParameterError, match=next(iter(options))):
            Occupancy(**{"height": 3, "width": 3} | options)
