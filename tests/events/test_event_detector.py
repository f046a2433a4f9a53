"""The detector: times, pixels against a slow twin, state, refusals, memory."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from events.drawn_tracks import SHAPE, begun, box, ended, picture, run, tracks
from hypothesis import given
from hypothesis import strategies as st

from motionseg.core.errors import FrameError, OutputError, ParameterError, StateError
from motionseg.core.types import Event, Tracks, TrackState
from motionseg.events import (
    AnyMotion,
    Cross,
    CrowdCount,
    Enter,
    EventDetector,
    Leave,
    Line,
    Linger,
    Speed,
    Zone,
)
from motionseg.events._view import Places, View

LEFT = Zone("left", [(0, 0), (50, 0), (50, 60), (0, 60)])
CORNER = Zone("corner", [(1, 0.5), (1, 0.9), (0.6, 1), (0.3, 0.7)], relative=True)
SKY = Zone("sky", [(0, 0), (100, 0), (100, 10), (0, 10)], kind="preclusive", limit=0.3)
GATE = Line("gate", [(50, 0), (55, 30), (50, 60)])
OUT, IN = box(70, 40), box(20, 40)


def detector(*rules, zones=(LEFT, GATE), **words):
    return EventDetector(rules, zones, **{"camera": "cam", "shape": SHAPE, **words})


def everything(**words):
    rules = [Enter(zones=("left", "corner"), end_delay=0.2), Leave(zones="left"), Linger(seconds=0.5), Cross()]
    rules += [CrowdCount(at_least=2, min_duration=0.2), AnyMotion(share=0.02, cool_down=0.3), Speed(above=30)]
    return detector(*rules, zones=(LEFT, CORNER, SKY, GATE), max_gap=1.0, **words)


# --- times ---------------------------------------------------------------------------------


def test_cool_down_is_of_the_rule_in_the_zone():
    frames = [*[{1: IN}] * 3, *[{}] * 7, *[{2: IN}] * 5, {}]
    one = run(detector(Enter(zones="left", cool_down=1.0)), frames)
    assert [event.track_ids for event in begun(one)] == [(1,), (2,)]  # told as soon as it is over
    assert begun(one)[1].start == pytest.approx(1.0)
    assert [event.track_ids for event in begun(run(detector(Enter(zones="left", cool_down=2.0)), frames))] == [(1,)]
    lines = run(detector(Cross(cool_down=5)), [{1: box(x, 40)} for x in (70, 30, 70, 30)])
    assert len(begun(lines)) == 1


def test_a_gap_is_no_duration():
    d = detector(Linger(seconds=2), Enter(zones="left"), AnyMotion(min_duration=0.5), max_gap=3)
    events = run(d, [{1: IN}] * 11)  # until 1.0
    assert sorted(event.rule for event in events) == ["any_motion", "enter"]
    events = run(d, [{1: IN}] * 10, start=3600)
    assert [(event.rule, event.end) for event in events[:2]] == [
        ("enter", pytest.approx(1.0)),
        ("any_motion", pytest.approx(1.0)),
    ]
    assert {event.reason["ended"] for event in events[:2]} == {"gap"}
    assert [(event.rule, event.start) for event in events[2:]] == [("any_motion", 3600)]  # nobody has entered
    events = run(d, [{1: IN}] * 2, start=3601)
    assert [(event.rule, event.start) for event in events] == [("linger", 3600)]  # 1.0 s before, and 1.0 s after
    events = run(d, [{}], start=3601.3)
    assert all(event.end <= 3601.2 and event.end - event.start < 2 for event in ended(events))


def test_looking_away_is_a_gap_before_it_is_over():
    rules = Linger(seconds=2), Enter(zones="left"), AnyMotion(min_duration=0.5)
    one, two = detector(*rules, max_gap=3), detector(*rules, max_gap=3)
    before = [{1: IN}] * 30, [{1: IN}] * 40
    told = run(one, before[0]), run(two, before[0])
    assert told[0] == told[1]
    assert two.look_away(5.0) == []  # not long yet
    at_once = [event for time in (6.0, 6.2, 20.0) for event in two.look_away(time)]
    after = run(one, before[1], start=60.0), run(two, before[1], start=60.0)
    assert {event.reason["ended"] for event in at_once} == {"gap"}
    assert after[0] == at_once + after[1]


def test_what_has_ended_elsewhere_begins_anew_and_nobody_enters_twice():
    rules = Enter(zones="left"), AnyMotion(min_duration=0.5), Linger(seconds=2)
    d = detector(*rules)
    told = run(d, [{1: IN}] * 15)
    assert sorted(event.rule for event in told) == ["any_motion", "enter"]
    d.disown({event.id for event in told})
    assert d.open_events == []
    after = run(d, [{1: IN}] * 20, start=1.5)
    assert [(event.rule, event.is_open) for event in after] == [("any_motion", True), ("linger", True)]
    assert after[0].start == 1.5
    assert after[0].id != told[1].id
    d.disown({"cam-99-0"})
    assert len(d.open_events) == 2
    assert {event.rule for event in run(d, [{}] * 30, start=3.5)} == {"any_motion", "linger"}


def test_what_waits_in_a_state_is_postponed():
    rules = Linger(seconds=2), Enter(zones="left"), Leave(zones="left")
    d, other = detector(*rules, max_gap=9), detector(*rules, max_gap=9)
    (entered,) = run(d, [{1: IN}] * 15)
    other.load_state(d.state())
    other.postpone(4.0)
    told = run(other, [{1: IN}] * 30, start=4.0)
    assert [(event.rule, event.start) for event in told] == [("linger", 4.0)]
    assert entered.id in {event.id for event in other.open_events}


def test_a_verdict_ends_with_a_gap():
    d = detector(Enter(), max_gap=1)
    run(d, [({1: IN}, {"verdict": "covered"})] * 3)
    events = run(d, [{1: IN}], start=60)
    assert [(event.rule, event.end) for event in events] == [("camera_covered", pytest.approx(0.2))]


def test_rates_may_vary():
    times = np.cumsum(np.random.default_rng(2).uniform(0.01, 0.4, 100))
    events, d = [], detector(Linger(zones="left", seconds=5))
    for time in times:
        events += [(time, event) for event in d.update(tracks(time, {1: IN}), time)]
    ((told, event),) = events
    assert event.start == times[0]
    assert told == times[np.flatnonzero(times - times[0] >= 5)[0]]


@pytest.mark.parametrize("time", [1.0, 0.5, math.nan, math.inf, "2", None])
def test_bad_times_change_nothing(time):
    d = detector(Enter(zones="left"))
    run(d, [{1: OUT}], start=1.0)
    before = d.state()
    with pytest.raises(ParameterError, match="time"):
        d.update(tracks(0, {1: IN}), time)
    assert same(before, d.state())


def test_close_ends_what_is_open():
    d = detector(Enter(zones="left"), Leave(zones="left"))
    run(d, [{1: IN}] * 5)
    assert [event.is_open for event in d.open_events] == [True]
    with pytest.raises(ParameterError, match="time increases"):
        d.close(0.1)
    (event,) = d.close(0.4)
    assert (event.end, event.reason["ended"]) == (pytest.approx(0.4), "closed")
    assert d.open_events == []
    assert d.close(9.0) == []
    assert run(d, [{1: IN}], start=10)[0].id == "cam-2-10000"


def test_another_size_ends_what_is_open():
    d = detector(Enter(zones="left"), zones=(Zone("left", [(0, 0), (0.5, 0), (0.5, 1), (0, 1)], relative=True),))
    run(d, [{1: IN}] * 5)
    large = {1: box(90, 40)}
    events = run(d, [(large, {"identities": picture(large, (120, 200))})], start=1.0)
    assert [event.is_open for event in events] == [False, True]
    assert events[0].reason["ended"] == "size"
    assert d.shape == (120, 200)


# --- pixels against a slow twin ------------------------------------------------------------


@given(st.integers(0, 2**31), st.booleans())
def test_areas_and_shares_are_exact(seed, with_pixels):
    rng = np.random.default_rng(seed)
    hole = Zone("hole", [(0.1, 0.2), (0.6, 0.3), (0.3, 0.8)], kind="exclude", relative=True)
    places = Places([LEFT, CORNER, hole], SHAPE)
    identities = np.kron(rng.integers(0, 5, (12, 20)), np.ones((5, 5), int)).astype(np.int32) if with_pixels else None
    corners = rng.uniform(-10, 80, (3, 2)) if not with_pixels else np.zeros((3, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0, 40, (3, 2))], axis=1)
    shown = tracks(0, {i + 1: tuple(b) for i, b in enumerate(boxes)})
    boxes = shown.boxes.astype(float)
    view = View(places, shown, identities, "none", {})
    excluded = hole.pixels(SHAPE)
    for name, zone in (("", np.ones(SHAPE, bool)), ("left", LEFT.pixels(SHAPE)), ("corner", CORNER.pixels(SHAPE))):
        zone = zone & ~excluded
        for row in range(3):
            area = common = 0.0
            if with_pixels and (identities == row + 1).any():
                area, common = np.sum(identities == row + 1), np.sum((identities == row + 1) & zone)
            else:
                x0, y0, x1, y1 = boxes[row]
                area = (x1 - x0) * (y1 - y0)
                for y, x in np.argwhere(zone):
                    common += max(0, min(x1, x + 1) - max(x0, x)) * max(0, min(y1, y + 1) - max(y0, y))
            assert view.areas(name)[row] == pytest.approx(common, abs=1e-3)
            assert view.shares(name)[row] == pytest.approx(common / area if area else 0, abs=1e-4)
            assert 0 <= view.shares(name)[row] <= 1
        if with_pixels:
            assert view.covered(name, np.array([True, False, True])) == np.sum(np.isin(identities, (1, 3)) & zone)


# --- properties ----------------------------------------------------------------------------


@st.composite
def films(draw):
    """Frames with some tracks that jump about and hide, a verdict now and then, and times with gaps."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    time, film = 0.0, []
    where = {i: rng.uniform(5, 90, 2) for i in range(1, 6)}
    for _ in range(draw(st.integers(5, 60))):
        time += float(rng.choice([0.04, 0.1, 0.3, 2.5], p=[0.5, 0.3, 0.18, 0.02]))
        boxes, states, velocities = {}, {}, {}
        for i in where:
            step = rng.normal(0, 3, 2)
            where[i] = np.clip(where[i] + step, 0, (99, 59))
            if rng.random() < 0.93:
                boxes[i] = box(*where[i])
                states[i] = rng.choice(len(TrackState), p=[0.05, 0.6, 0.15, 0.04, 0.04, 0.04, 0.04, 0.03, 0.01])
                velocities[i] = tuple(step / 0.1)
        verdict = rng.choice(["none", "switch", "camera_moved"], p=[0.97, 0.02, 0.01])
        pixels = picture({i: np.clip(b, 0, 100) for i, b in boxes.items()}) if rng.random() < 0.5 else None
        film.append((time, boxes, states, velocities, str(verdict), pixels))
    return film


def play(d, film, order=None):
    told = []
    for time, boxes, states, velocities, verdict, pixels in film:
        shown = tracks(time, boxes, states=states, velocities=velocities)
        if order is not None:
            shown = shown[order.permutation(len(shown))]
        told += d.update(shown, time, identities=pixels, verdict=verdict)
    return told


@given(films())
def test_every_event_begins_and_ends_once(film):
    d = everything()
    told = play(d, film) + d.close(film[-1][0])
    begins, ends = begun(told), ended(told)
    assert len({event.id for event in begins}) == len(begins)
    assert sorted(event.id for event in begins) == sorted(event.id for event in ends)
    first = {}
    times = [0.0, *(frame[0] for frame in film)]
    for event in told:
        if event.is_open:
            first[event.id] = event
        else:
            began = first.pop(event.id)  # which has come before
            assert (began.rule, began.zone, began.start) == (event.rule, event.zone, event.start)
            assert set(began.track_ids) <= set(event.track_ids)
            assert event.end >= event.start
            assert event.peak_area >= began.peak_area
            assert not any(b - a > d.max_gap and event.start <= a and b <= event.end for a, b in pairwise(times))
        assert 0 <= event.score <= 1
        assert Event.from_dict(json.loads(json.dumps(event.to_dict(), allow_nan=False))) == event


@given(films(), st.data())
def test_a_restart_changes_nothing(film, data):
    cut = data.draw(st.integers(0, len(film)))
    whole, first, second = everything(), everything(), everything()
    told = play(first, film[:cut])
    second.load_state(first.state())
    assert same(first.state(), second.state())
    assert play(whole, film) == told + play(second, film[cut:])
    assert same(whole.state(), second.state())


@given(films(), st.integers(0, 99))
def test_the_order_of_tracks_does_not_matter(film, seed):
    assert play(everything(), film) == play(everything(), film, np.random.default_rng(seed))


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a)


# --- reasons, state, refusals --------------------------------------------------------------


def test_reasons_hold_the_cues_where_the_track_is():
    boxes = {1: IN, 2: box(80, 40)}
    cue = np.zeros(SHAPE, np.float32)
    cue[picture(boxes) == 1], cue[picture(boxes) == 2] = 2.0, 8.0
    words = {"evidence": {"flow": cue, "change": 0.5, "void": np.full(SHAPE, np.nan, np.float32)}}
    for pixels in ({}, {"identities": picture(boxes)}):
        (event,) = run(detector(Enter(zones="left")), [(boxes, {**words, **pixels})])
        assert event.reason["evidence"] == {"change": 0.5, "flow": 2.0}
        assert event.reason["verdict"] == "none"
    (event,) = run(detector(CrowdCount(at_least=2, min_duration=0)), [(boxes, words)])
    assert event.reason["evidence"]["flow"] == 5.0


def test_what_cannot_be_is_refused_and_changes_nothing():
    d = detector(Enter(zones="left"))
    run(d, [{1: OUT}])
    before = d.state()
    bad = tracks(1, {1: IN})
    cases = [
        (lambda: d.update(None, 1), ParameterError, "tracks are a Tracks object"),
        (lambda: d.update(bad.plus(bad), 1), ParameterError, "an id of its own"),
        (lambda: d.update(tracks(1, {7: (0, 0, math.nan, 5)}, areas={7: 9}), 1), ParameterError, "track 7: its boxes"),
        (lambda: d.update(tracks(1, {7: IN}, velocities={7: (0, math.inf)}), 1), ParameterError, "velocities"),
        (lambda: d.update(bad, 1, verdict="dark"), ParameterError, "verdict is one of none, blurred"),
        (lambda: d.update(bad, 1, identities=np.zeros(SHAPE)), FrameError, "identities"),
        (lambda: d.update(bad, 1, identities=np.zeros((30, 40), np.int32)), ParameterError, "zone 'left' leaves"),
        (lambda: d.update(bad, 1, evidence={"a": np.zeros((3, 3))}), FrameError, "evidence 'a' has shape"),
        (lambda: d.update(bad, 1, evidence={"a": math.nan}), ParameterError, "evidence 'a'"),
    ]
    for call, error, says in cases:
        with pytest.raises(error, match=says):
            call()
        assert same(before, d.state())
    with pytest.raises(ParameterError, match="how large are frames"):
        EventDetector([Enter()]).update(Tracks(), 0.0)
    wholly = [LEFT, Zone("all", [(0, 0), (60, 0), (60, 60), (0, 60)], kind="exclude")]
    with pytest.raises(ParameterError, match="zone 'left' lies wholly"):
        EventDetector([], wholly, shape=SHAPE)


def test_only_its_own_state_is_loaded(tmp_path):
    d = everything()
    run(d, [{1: IN}] * 5)
    before = d.state()
    others = [detector(Enter()).state(), {**before, "memory": before["memory"][:-2]}, {}]
    others += [{k: v for k, v in before.items() if k != lost} for lost in before]
    others += [{**before, "times": np.array([math.nan, 0, 0])}, {**before, "setup": np.array([255], np.uint8)}]
    for state in others:
        with pytest.raises(StateError):
            d.load_state(state)
        assert same(before, d.state())
    d.save(tmp_path / "events.npz")
    again = EventDetector.load(tmp_path / "events.npz")
    assert again.rules == d.rules
    assert again.places == d.places
    assert same(before, again.state())
    frames = [{1: OUT, 2: IN}] * 20
    assert run(d, frames, start=1) == run(again, frames, start=1)
    (tmp_path / "bad.npz").write_bytes(b"no")
    with pytest.raises(StateError, match=r"bad\.npz"):
        EventDetector.load(tmp_path / "bad.npz")
    with pytest.raises(OutputError):
        d.save(tmp_path / "no" / "events.npz")


def test_reset_is_a_new_beginning():
    d = everything(first_number=5)
    frames = [*[{1: IN}] * 5, {1: OUT}, {}]
    first = run(d, frames)
    assert first[0].id == "cam-5-0"
    number = d.next_number
    d.reset()
    assert run(d, frames) == first
    assert d.next_number == number


def test_rules_may_be_changed_under_way():
    old = detector(Enter(zones="left"))
    told = run(old, [{1: IN}] * 3) + old.close(0.2)
    new = detector(Linger(zones="left", seconds=0), first_number=old.next_number)
    told += run(new, [{1: IN}], start=0.0)
    assert [event.id for event in told] == ["cam-1-0", "cam-1-0", "cam-2-0"]


@pytest.mark.parametrize("n", [2_500, pytest.param(50_000, marks=pytest.mark.slow)])
def test_memory_does_not_grow(n):
    """People walk through, under new ids each."""
    d, sizes = everything(), []
    for number in range(n):
        who = number // 20
        boxes = {1 + who: box(90 - 4 * (number % 20), 40), 2 + who: box(90, 20)}
        d.update(tracks(number * 0.1, boxes), number * 0.1)
        if number % 400 == 219:
            state = d.state()
            sizes.append(sum(array.nbytes for array in state.values()))
    assert max(sizes) < 1.5 * sizes[0]  # numbers grow longer
    assert d.next_number > n / 5
    assert len(d._tracks) == 2


def test_an_event_names_a_hundred_tracks_at_most():
    d = detector(AnyMotion(min_duration=0))
    frames = [{1 + i: IN, 2 + i: OUT} for i in range(300)]
    run(d, frames)
    (event,) = d.close(30)
    assert event.track_ids == tuple(range(1, 101))
