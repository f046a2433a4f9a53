"""Broken tracks are joined where one can be the other, and left where it cannot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionseg.core.errors import ParameterError
from motionseg.core.types import Regions, Tracks
from motionseg.track import TrackHistory, stitch

FPS, GREY, HALF = 25, (120.0, 120.0, 120.0), np.array([8, 18])


def history_of(*tracks, features=None):
    """Tracks (id, {frame: (x, y)}, color); boxes are 16 x 36."""
    history = TrackHistory()
    for index in range(max(max(places) for _, places, _ in tracks) + 1):
        there = [(id, places[index], color) for id, places, color in tracks if index in places]
        n = len(there)
        ids = np.array([id for id, _, _ in there], np.int64)
        centres = np.array([place for _, place, _ in there], np.float32).reshape(n, 2)
        boxes = np.concatenate([centres - HALF, centres + HALF], axis=1).astype(np.float32)
        labels, ones = np.arange(1, n + 1, dtype=np.int32), np.ones(n, np.float32)
        colors = np.array([color for _, _, color in there], np.float32).reshape(n, 3)
        looks = np.array([() if features is None else features[id] for id in ids.tolist()], np.float32)
        looks = looks.reshape(n, 0 if features is None else 2)
        regions = Regions(boxes, np.full(n, 500), centres, ones, colors, looks)
        states = np.ones(n, np.uint8)
        history.add(
            index, Tracks(index / FPS, ids, boxes, labels, np.full(n, 500), ones, np.zeros((n, 2)), states), regions
        )
    return history


def line(start, stop, origin, velocity, seed=0, noise=0.5):
    """{frame: place} of somebody who is at `origin` in frame 0, with a detector's noise."""
    rng = np.random.default_rng(seed)
    origin, velocity = np.array(origin, float), np.array(velocity, float)
    return {i: tuple(origin + i * velocity + rng.normal(0, noise, 2)) for i in range(start, stop)}


def test_two_cross_and_one_is_broken():
    right = (20, 100), (2, 0)
    left = (220, 102), (-2, 0)
    history = history_of(
        (1, line(0, 100, *right, 1), (200, 60, 60)),
        (2, line(0, 42, *left, 2), (60, 60, 200)),
        (3, line(58, 100, *left, 3), (60, 60, 200)),
    )
    assert stitch(history) == {3: 2}


def test_two_cross_both_are_broken_and_direction_tells_them_apart():
    right, left = ((20, 100), (2, 0)), ((220, 102), (-2, 0))
    history = history_of(
        (1, line(0, 44, *right, 1), GREY),
        (2, line(0, 43, *left, 2), GREY),
        (3, line(56, 100, *left, 3), GREY),
        (4, line(57, 100, *right, 4), GREY),
    )
    assert stitch(history) == {3: 2, 4: 1}


def test_one_is_hidden_for_two_seconds():
    way = (20, 80), (1.6, 0.4)
    history = history_of((1, line(0, 40, *way, 1), GREY), (2, line(90, 130, *way, 2), GREY))
    assert stitch(history) == {2: 1}
    assert stitch(history, max_gap=1.5) == {}


def test_one_stops_behind_an_obstacle():
    before = line(0, 40, (20, 80), (2, 0), 1)  # last seen at 98; comes to stand at 120, for a second
    after = line(85, 130, (130 - 85 * 2, 80), (2, 0), 2)
    assert stitch(history_of((1, before, GREY), (2, after, GREY))) == {2: 1}


def test_one_stands_in_a_gap_of_detection():
    still = (60, 80), (0, 0)
    assert stitch(history_of((1, line(0, 30, *still, 1), GREY), (2, line(70, 99, *still, 2), GREY))) == {2: 1}


def test_chains_go_back_to_the_first():
    way = (20, 80), (2, 0)
    parts = [(id, line(40 * k, 40 * k + 25, *way, id), GREY) for k, id in enumerate((4, 2, 9, 7))]
    assert stitch(history_of(*parts)) == {2: 4, 9: 4, 7: 4}


def test_who_comes_from_elsewhere_is_another():
    gone = (1, line(0, 40, (20, 80), (2, 0), 1), GREY)
    elsewhere = line(60, 99, (20, 250), (2, 0), 2)
    backwards = line(60, 99, (20 + 2 * 120, 80), (-2, 0), 2)
    assert stitch(history_of(gone, (2, elsewhere, GREY))) == {}
    assert stitch(history_of(gone, (2, backwards, GREY))) == {}


def test_who_looks_different_is_another():
    way = (20, 80), (2, 0)
    first, second = line(0, 40, *way, 1), line(60, 99, *way, 2)
    assert stitch(history_of((1, first, (200, 40, 40)), (2, second, (40, 40, 200)))) == {}
    alike, unlike = {1: (1, 0), 2: (0.96, 0.28)}, {1: (1, 0), 2: (0, 1)}
    assert stitch(history_of((1, first, (200, 40, 40)), (2, second, (40, 40, 200)), features=alike)) == {2: 1}
    assert stitch(history_of((1, first, GREY), (2, second, GREY), features=unlike)) == {}


def test_a_better_pair_goes_first():
    way = (20, 80), (2, 0)
    near = line(50, 90, (20, 98), (2, 0), 3)  # also a possible end, half a body lower
    history = history_of((1, line(0, 40, *way, 1), GREY), (2, line(50, 90, *way, 2), GREY), (3, near, GREY))
    assert stitch(history) == {2: 1}


places = st.tuples(st.integers(0, 80), st.integers(2, 40), st.integers(0, 120), st.integers(0, 60), st.integers(-3, 3))


@given(st.lists(places, min_size=1, max_size=9))
def test_what_is_joined_never_overlaps_in_time(rows):
    history = history_of(*((k + 1, line(start, start + n, (x, y), (v, 0), k), GREY)
                           for k, (start, n, x, y, v) in enumerate(rows)))  # fmt: skip
    mapping = stitch(history, max_gap=10, max_cost=1e6)
    table = history.table()
    spans = dict(zip(table.ids.tolist(), zip(table.first_frames, table.last_frames, strict=True), strict=True))
    assert all(spans[first][1] < spans[later][0] for later, first in mapping.items())
    assert not set(mapping) & set(mapping.values())
    joined = history.renamed(mapping)  # which refuses two at one time
    assert len(joined.ids) == len(rows) - len(mapping)
    filled = joined.interpolated()
    assert filled.ids.tolist() == joined.ids.tolist()


def test_nothing_is_joined_to_nothing():
    assert stitch(TrackHistory()) == {}
    assert stitch(history_of((3, {4: (5, 5)}, GREY))) == {}


@pytest.mark.parametrize("options", [{"max_gap": 0}, {"window": -1}, {"max_cost": float("nan")}])
def test_numbers_are_checked(options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        stitch(TrackHistory(), **options)


def test_many_tracks_at_once():
    """A hundred walkers on lanes of their own, each broken twice."""
    parts, truth = [], {}
    for lane in range(100):
        way = (20, 60 * lane), (1 + lane % 3, 0)
        ids = [lane + 1, 101 + lane, 201 + lane]
        parts += [(id, line(45 * k, 45 * k + 25, *way, id), GREY) for k, id in enumerate(ids)]
        truth |= {ids[1]: ids[0], ids[2]: ids[0]}
    assert stitch(history_of(*parts)) == truth
