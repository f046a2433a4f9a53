"""What tracks did: lengths that jitter does not stretch, tables, other names, gaps that are filled."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from motionseg.core.errors import ParameterError, StateError
from motionseg.core.types import Regions, Tracks, TrackState
from motionseg.track import TrackHistory

FPS, HALF = 25, np.array([10, 20])


def tracks_at(index, rows):
    """Tracks of rows (id, x, y, state), their boxes 20 x 40 about x, y; row i is in region i + 1 where seen."""
    n = len(rows)
    ids, xs, ys, states = (np.array(column) for column in zip(*rows, strict=True)) if n else (np.zeros(0),) * 4
    centres = np.stack([xs, ys], axis=1)
    unseen = np.isin(states, (TrackState.OCCLUDED, TrackState.GONE, TrackState.TENTATIVE))
    return Tracks(
        index / FPS,
        ids.astype(np.int64),
        np.concatenate([centres - HALF, centres + HALF], axis=1).astype(np.float32),
        np.where(unseen, 0, np.arange(n) + 1).astype(np.int32),
        np.full(n, 800),
        np.full(n, 0.75, np.float32),
        np.zeros((n, 2), np.float32),
        states.astype(np.uint8),
    )


def regions_of(tracks, color=(10, 20, 30)):
    n = int(tracks.labels.max(initial=0))
    columns = np.zeros((n, 4), np.float32), np.ones(n, np.int64), np.zeros((n, 2), np.float32), np.ones(n, np.float32)
    return Regions(*columns, np.tile(np.float32(color), (n, 1)), features=np.tile(np.float32([0.6, 0.8]), (n, 1)))


def history_of(frames, **options):
    """From {frame: rows}."""
    history = TrackHistory()
    for index, rows in frames.items():
        tracks = tracks_at(index, rows)
        history.add(index, tracks, regions_of(tracks, **options))
    return history


def walk(n=50, speed=2.0, angle=0.0, id=1, start=(100.0, 100.0), noise=0.0, first=0, state=1, seed=0):
    """{frame: [row]} of somebody who goes `speed` pixels a frame."""
    rng = np.random.default_rng(seed)
    dx, dy = speed * np.cos(np.radians(angle)), -speed * np.sin(np.radians(angle))
    jitter = rng.normal(0, noise, (n, 2)) if noise else np.zeros((n, 2))
    return {
        first + i: [(id, start[0] + i * dx + jitter[i, 0], start[1] + i * dy + jitter[i, 1], state)] for i in range(n)
    }


def together(*walks):
    frames = {}
    for one in walks:
        for index, rows in one.items():
            frames.setdefault(index, []).extend(rows)
    return dict(sorted(frames.items()))


# --- the table ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [100, 1000, 10_000])
def test_who_stands_and_trembles_goes_nowhere(n):
    table = history_of(walk(n, speed=0, noise=1.2)).table()
    assert table.paths.tolist() == [0]
    assert table.speeds.tolist() == [0]
    assert np.isnan(table.headings).all()
    assert table.displacements[0] < 6


@pytest.mark.parametrize(("angle", "heading"), [(0, 0), (90, 90), (180, 180), (270, 270), (33, 33)])
@pytest.mark.parametrize("speed", [0.3, 2.0, 30.0])
def test_a_straight_walk_is_as_long_as_it_is(angle, heading, speed):
    table = history_of(walk(speed=speed, angle=angle)).table()
    np.testing.assert_allclose(table.paths, 49 * speed, rtol=1e-5)
    np.testing.assert_allclose(table.displacements, 49 * speed, rtol=1e-5)
    np.testing.assert_allclose(table.speeds, FPS * speed, rtol=1e-5)
    np.testing.assert_allclose(table.headings, heading, atol=1e-3)


def test_jitter_stretches_a_walk_by_little_only():
    table = history_of(walk(400, speed=1.5, noise=0.8)).table()
    np.testing.assert_allclose(table.paths, 399 * 1.5, rtol=0.06)


def test_there_and_back_is_a_way_and_no_displacement():
    there = walk(40, speed=3)
    back = walk(40, speed=3, angle=180, start=(217, 100), first=40)
    table = history_of(there | back).table()
    np.testing.assert_allclose(table.paths, 2 * 39 * 3, rtol=0.02)
    np.testing.assert_allclose(table.displacements, 0, atol=1e-3)


def test_every_column():
    stood = {i: [(7, 150.0, 100.0, TrackState.STOPPED)] for i in range(20, 45)}
    lost = {i: [(7, 150.0, 100.0, TrackState.OCCLUDED)] for i in range(45, 50)}
    frames = walk(20, id=7, start=(112, 100), speed=2) | stood | lost | {50: [(7, 150.0, 100.0, TrackState.GONE)]}
    frames = together(frames, walk(10, id=9, first=3, state=TrackState.TENTATIVE))
    table = history_of(frames).table()
    assert len(table) == 1
    assert (table.ids[0], table.parents[0], table.first_frames[0], table.last_frames[0]) == (7, 0, 0, 44)
    assert (table.first_times[0], table.last_times[0]) == (0, 44 / FPS)
    assert (table.seen[0], table.areas[0], table.scores[0]) == (45, 800, 0.75)
    np.testing.assert_allclose(table.standing, 1.0)
    np.testing.assert_array_equal(table.colors, [[10, 20, 30]])
    assert TrackState(table.states[0]) is TrackState.GONE
    columns = table.columns()
    assert {len(column) for column in columns.values()} == {1}
    assert columns["state"].tolist() == ["gone"]
    assert (columns["b"][0], columns["g"][0], columns["r"][0]) == (10, 20, 30)


def test_as_a_dataframe():
    pytest.importorskip("pandas")
    frame = history_of(together(walk(id=2), walk(id=5, angle=90, start=(400, 300)))).table().to_dataframe()
    assert frame["id"].tolist() == [2, 5]
    assert list(frame)[:3] == ["id", "parent", "first_frame"]


def test_the_colour_of_a_group_is_nobodys():
    frames = walk(10, state=TrackState.MERGED) | walk(5, first=10)
    history, colors = TrackHistory(), []
    for index, rows in frames.items():
        tracks = tracks_at(index, rows)
        colors.append((0, 0, 200) if index < 10 else (90, 0, 0))
        history.add(index, tracks, regions_of(tracks, colors[-1]))
    np.testing.assert_array_equal(history.table().colors, [[90, 0, 0]])
    assert np.isnan(history_of(walk(3, state=TrackState.MERGED)).table().colors).all()


def test_nothing_is_a_table_too():
    table = TrackHistory().table()
    assert len(table) == 0
    assert all(len(column) == 0 for column in table.columns().values())
    history = history_of({0: [], 1: []})
    assert (len(history), history.n_frames, len(history.table())) == (0, 2, 0)
    assert [(index, len(tracks)) for index, tracks in history.frames()] == [(0, 0), (1, 0)]
    assert len(history.renamed({1: 2}).interpolated().table()) == 0


# --- what is kept ------------------------------------------------------------------------------


def test_frames_and_trajectories_come_back():
    frames = together(walk(30, id=3), walk(30, id=4, angle=90, start=(50, 200), first=10))
    history = history_of(frames)
    told = dict(history.frames())
    assert list(told) == list(frames)
    for index, rows in frames.items():
        tracks = tracks_at(index, rows)
        for name in ("ids", "boxes", "areas", "scores", "velocities", "states", "parents"):
            np.testing.assert_array_equal(getattr(told[index], name), getattr(tracks, name))
        assert told[index].time == index / FPS
    times, centres, feet = history.trajectory(4)
    np.testing.assert_allclose(times, np.arange(10, 40) / FPS)
    np.testing.assert_allclose(centres[:, 1], 200 - 2.0 * np.arange(30), rtol=1e-6)
    np.testing.assert_allclose(feet, centres + HALF * (0, 1), rtol=1e-6)
    assert history.ids.tolist() == [3, 4]
    np.testing.assert_allclose(history.feature(3), [0.6, 0.8], rtol=1e-6)
    assert history.feature(99) is None


def test_what_cannot_be_is_refused_and_nothing_remembered():
    history = history_of(walk(5))
    for index, time in ((4, 1.0), (3, 1.0), (9, 4 / FPS), (9, float("nan"))):
        with pytest.raises(ParameterError, match="increase"):
            history.add(index, dataclasses.replace(tracks_at(0, []), time=time))
    with pytest.raises(ParameterError, match="label 1, and there are 0"):
        history.add(9, tracks_at(9, [(1, 0, 0, 1)]), Regions())
    with pytest.raises(ParameterError, match="index"):
        history.add(-1, Tracks())
    assert (len(history), history.n_frames) == (5, 5)
    with pytest.raises(ParameterError, match="no track 8"):
        history.trajectory(8)


def test_state_goes_on():
    frames = together(walk(300, id=3, speed=0.5), walk(200, id=4, angle=90, first=50))
    whole, begun, other = history_of(frames), TrackHistory(), TrackHistory()
    for index, rows in frames.items():
        if index == 120:
            other.load_state({name: array.copy() for name, array in begun.state().items()})
            begun = other
        tracks = tracks_at(index, rows)
        begun.add(index, tracks, regions_of(tracks))
    np.testing.assert_array_equal(begun.rows(), whole.rows())
    np.testing.assert_allclose(begun.feature(4), whole.feature(4))
    for name in whole.state():
        with pytest.raises(StateError, match=name):
            TrackHistory().load_state({k: v for k, v in whole.state().items() if k != name})


@pytest.mark.parametrize("frames", [{}, {3: []}, {3: [(1, 5, 5, TrackState.TENTATIVE)]}])
def test_the_state_of_nothing_goes_on(frames):
    begun, other = history_of(frames), TrackHistory()
    other.load_state(begun.state())
    assert (len(other), other.n_frames) == (0, len(frames))
    tracks = tracks_at(9, [(1, 5, 5, 1)])
    other.add(9, tracks, regions_of(tracks))
    assert other.ids.tolist() == [1]


def test_a_row_takes_what_the_documentation_says():
    history = history_of(walk(1000))
    assert history.state()["rows"].itemsize == 81


# --- other names -------------------------------------------------------------------------------


def broken():
    """Track 5 is lost in frame 20, predicted until 29 and gone in 30; track 8 goes on for it from 26."""
    lost = {i: [(5, 100.0 + 2 * i, 100.0, TrackState.OCCLUDED)] for i in range(20, 30)}
    gone = {30: [(5, 160.0, 100.0, TrackState.GONE)]}
    first = walk(20, id=5) | lost | gone
    return together(first, walk(20, id=8, start=(152, 100), first=26))


def test_a_joined_track_is_one():
    history = history_of(broken()).renamed({8: 5})
    assert history.ids.tolist() == [5]
    frames = [index for index, tracks in history.frames() for _ in tracks.ids]
    assert len(frames) == len(set(frames))
    assert frames == list(range(46))  # predicted until the other begins
    states = {index: TrackState(tracks.states[0]) for index, tracks in history.frames()}
    assert [i for i, state in states.items() if state is TrackState.OCCLUDED] == list(range(20, 26))
    table = history.table()
    assert (table.first_frames[0], table.last_frames[0], table.seen[0]) == (0, 45, 40)
    np.testing.assert_allclose(table.paths, 90, rtol=1e-5)


def test_parents_are_renamed_and_nobody_is_his_own():
    history = TrackHistory()
    for index, rows in together(walk(10, id=1), walk(10, id=2, first=20), walk(10, id=3, first=20)).items():
        tracks = tracks_at(index, rows)
        history.add(index, dataclasses.replace(tracks, parents=np.where(tracks.ids == 1, 0, tracks.ids - 1)))
    assert history.table().parents.tolist() == [0, 1, 2]
    joined = history.renamed({2: 1})
    assert (joined.table().ids.tolist(), joined.table().parents.tolist()) == ([1, 3], [0, 1])


def test_tracks_at_one_time_cannot_be_one():
    history = history_of(together(walk(20, id=1), walk(20, id=2, first=19)))
    with pytest.raises(ParameterError, match="1 is seen until frame 19, and 2 from frame 19 on"):
        history.renamed({2: 1})
    assert history.renamed({2: 7, 99: 1}).ids.tolist() == [1, 7]


def test_gaps_are_filled_straight():
    history = history_of(broken()).renamed({8: 5}).interpolated()
    assert len(history.trajectory(5).times) == 40  # where it was seen, and no more
    boxes = {index: tracks.boxes[0] for index, tracks in history.frames()}
    for index in range(46):
        np.testing.assert_allclose(boxes[index], [90 + 2 * index, 80, 110 + 2 * index, 120], rtol=1e-5)
    filled = [tracks for index, tracks in history.frames() if 20 <= index < 26]
    assert all(tracks.states.tolist() == [TrackState.OCCLUDED] for tracks in filled)
    np.testing.assert_allclose([tracks.velocities[0] for tracks in filled], [[50, 0]] * 6, rtol=1e-4)
    assert [tracks.areas[0] for tracks in filled] == [800] * 6


def test_predicted_rows_give_way_and_long_gaps_stay():
    frames = together(walk(10), {i: [(1, 0.0, 0.0, TrackState.OCCLUDED)] for i in range(10, 20)},
                      walk(10, first=20, start=(140, 100)), walk(10, first=80, start=(260, 100)))  # fmt: skip
    frames |= {i: [] for i in range(30, 80)}
    history = history_of(dict(sorted(frames.items())))
    filled = history.interpolated(max_gap=1.0)
    assert len(filled) == 40
    assert filled.rows()["box"][10:20, 0].tolist() == [110 + 2 * k for k in range(10)]
    assert len(history.interpolated()) == 90
    assert len(history.interpolated(max_gap=0)) == len(history)
    with pytest.raises(ParameterError, match="max_gap"):
        history.interpolated(max_gap=-1)
