"""Each rule with drawn tracks: what it tells, what it does not, and where exactly it begins to."""

import numpy as np
import pytest
from events.drawn_tracks import SHAPE, begun, box, ended, picture, run

from motionseg.core.errors import ParameterError
from motionseg.core.types import TrackState
from motionseg.events import (
    AnyMotion,
    Cross,
    CrowdCount,
    Enter,
    EventDetector,
    Leave,
    LeftObject,
    Line,
    Linger,
    RemovedObject,
    Speed,
    Stopped,
    WrongWay,
    Zone,
)

LEFT = Zone("left", [(0, 0), (50, 0), (50, 60), (0, 60)])
RIGHT = Zone("right", [(50, 0), (100, 0), (100, 60), (50, 60)])
GATE = Line("gate", [(50, 0), (50, 60)], sides=("yard", "street"))  # down the picture: the yard is at the right
OUT, IN = box(70, 40), box(20, 40)


def detector(*rules, zones=(LEFT, RIGHT, GATE), **words):
    return EventDetector(rules, zones, camera="cam", shape=SHAPE, **words)


def walk(start, stop, y=40, step=5, number=1):
    return [{number: box(x, y)} for x in range(start, stop, step if stop > start else -step)]


# --- enter and leave -----------------------------------------------------------------------


def test_enter_lasts_as_long_as_the_visit():
    frames = [*walk(80, 20), *walk(20, 80), *[{1: OUT}] * 10]
    first, last = run(detector(Enter(zones="left")), frames)
    assert first.id == last.id
    assert (first.rule, first.zone, first.track_ids, first.end) == ("enter", "left", (1,), None)
    assert first.start == pytest.approx(0.7)  # x = 45; at 50 its feet are in pixel 50, on the right
    assert last.end == pytest.approx(1.7)  # x = 45, on the way back
    assert (last.peak_area, last.reason["ended"]) == (72, "over")
    assert last.score == pytest.approx(0.9)
    assert first.reason["tracks"][0]["id"] == 1


def test_enter_may_ask_to_be_seen_coming():
    rule = Enter(zones="left", appearing=False)
    assert not run(detector(rule), [{1: IN}] * 10)
    assert len(begun(run(detector(rule), [{1: OUT}, *[{1: IN}] * 10]))) == 1
    again = [*[{1: IN}] * 3, *[{1: OUT}] * 10, *[{1: IN}] * 3]  # it was there, left, and comes back
    assert [event.start for event in run(detector(rule), again)] == pytest.approx([1.3])
    assert len(begun(run(detector(Enter(zones="left")), [{1: IN}]))) == 1


def test_going_out_for_less_than_the_delay_is_one_visit():
    def events(n):
        return run(detector(Enter(zones="left", end_delay=0.5)), [{1: IN}, *[{1: OUT}] * n, *[{1: IN}] * 3])

    assert len(begun(events(4))) == 1
    assert len(begun(events(5))) == 2  # out at 0.1 to 0.5: 0.5 s since it was in
    assert len(ended(events(5))) == 1


def test_leave_tells_when_it_was_inside_last():
    first, last = run(detector(Leave(zones="left")), [*[{1: IN}] * 5, *[{1: OUT}] * 10])
    assert first.start == last.start == last.end == pytest.approx(0.4)
    assert first.reason["how"] == "out"
    assert not run(detector(Leave(zones="left")), [{1: OUT}] * 20)
    assert not run(detector(Leave(zones="left", min_duration=0.5)), [*[{1: IN}] * 5, *[{1: OUT}] * 10])
    assert run(detector(Leave(zones="left", min_duration=0.4)), [*[{1: IN}] * 5, *[{1: OUT}] * 10])


def test_leave_may_leave_out_who_vanishes():
    frames = [*[{1: IN}] * 5, {}]
    assert begun(run(detector(Leave(zones="left")), frames))[0].reason["how"] == "gone"
    assert not run(detector(Leave(zones="left", vanishing=False)), frames)
    out_then_gone = [*[{1: IN}] * 5, {1: OUT}, {}]
    assert begun(run(detector(Leave(zones="left", vanishing=False)), out_then_gone))[0].reason["how"] == "out"


def test_the_whole_picture_is_a_zone():
    events = run(detector(Enter(), Leave()), [{}, *[{1: IN}] * 3, {}])
    assert [(event.rule, event.zone, event.is_open) for event in events] == [
        ("enter", "", True),
        ("enter", "", False),
        ("leave", "", True),
        ("leave", "", False),
    ]


# --- where a track is ----------------------------------------------------------------------


def test_feet_and_shares_differ():
    lying = {1: (40.0, 30.0, 56.0, 34.0)}  # its feet at x = 48, on the left; 10 of its 16 columns there
    for rule, told in (
        (Enter(zones="left"), 1),
        (Enter(zones="right"), 0),
        (Enter(zones="left", position="share", min_share=0.625), 1),
        (Enter(zones="left", position="share", min_share=0.63), 0),
        (Enter(zones="right", position="share", min_share=0.375), 1),
    ):
        assert len(run(detector(rule), [lying])) == told
        found = run(detector(rule), [(lying, {"identities": picture(lying)})])
        assert len(found) == told


def test_feet_are_in_the_last_row_of_the_box():
    above = Zone("above", [(0, 0), (100, 0), (100, 40), (0, 40)])
    below = Zone("below", [(0, 40), (100, 40), (100, 60), (0, 60)])
    for y, zone in ((40, "above"), (40.1, "below"), (60, "below"), (70, "below")):  # boxes may reach out of the picture
        events = run(detector(Enter(zones=("above", "below")), zones=(above, below)), [{1: box(20, y)}])
        assert [event.zone for event in events] == [zone]


def test_shares_are_of_pixels_where_these_are_known():
    boxes = {1: (40.0, 30.0, 60.0, 40.0)}
    pixels = picture({1: (40, 30, 42, 40)})  # of the box only its left edge is the track
    rule = Enter(zones="left", position="share", min_share=0.9)
    event = run(detector(rule), [(boxes, {"identities": pixels})])[0]
    assert event.reason["tracks"][0]["share"] == 1
    assert event.peak_area == 20
    assert not run(detector(rule), [boxes])


def test_min_area_in_pixels_and_as_a_share_of_the_zone():
    zone = 50 * 60
    for area, told in ((72, 1), (73, 0), (72 / zone, 1), (72.5 / zone, 0)):
        assert len(run(detector(Enter(zones="left", min_area=area)), [{1: IN}])) == told


def test_what_is_excluded_is_in_no_zone():
    hole = Zone("hole", [(10, 30), (30, 30), (30, 50), (10, 50)], kind="exclude")
    for rule in (Enter(zones="left"), Enter(), AnyMotion(zones="left", min_duration=0), CrowdCount(at_least=1)):
        assert not run(detector(rule, zones=(LEFT, hole)), [{1: box(20, 45)}] * 20)
    assert run(detector(Enter(zones="left"), zones=(LEFT, hole)), [{1: box(40, 45)}])


# --- time in a zone ------------------------------------------------------------------------


def test_linger_needs_its_seconds():
    assert not run(detector(Linger(zones="left", seconds=1)), [{1: IN}] * 10)
    event = run(detector(Linger(zones="left", seconds=1)), [{1: OUT}, *[{1: IN}] * 11])[0]
    assert event.start == pytest.approx(0.1)
    assert len(run(detector(Linger(zones="left", seconds=1)), [{1: IN}] * 10 + [{1: OUT}] * 6 + [{1: IN}] * 10)) == 0


def test_who_is_hidden_is_where_he_was():
    hidden = ({1: IN}, {"states": {1: TrackState.OCCLUDED}})
    events = run(detector(Linger(zones="left", seconds=2)), [*[{1: IN}] * 3, *[hidden] * 17, {1: IN}, {}])
    assert [event.end for event in events] == [None, pytest.approx(2.0)]
    assert not run(detector(Linger(zones="left", seconds=2)), [*[{1: IN}] * 3, *[hidden] * 30])  # told when seen


def test_hidden_time_is_no_time_outside():
    hidden = ({1: IN}, {"states": {1: TrackState.OCCLUDED}})
    frames = [{1: IN}, *[hidden] * 10, {1: OUT}, *[{1: IN}] * 3]
    assert len(run(detector(Enter(zones="left", end_delay=0.5)), frames)) == 1
    frames = [{1: IN}, *[hidden] * 10, *[{1: OUT}] * 6]
    assert run(detector(Leave(zones="left")), frames)[0].reason["stayed"] == pytest.approx(1.0)


def test_tracks_that_are_not_believed_do_not_count():
    for state in (TrackState.TENTATIVE, TrackState.GONE):
        frames = [({1: IN}, {"states": {1: state}})] * 20
        assert not run(detector(Enter(), CrowdCount(at_least=1), AnyMotion(), Linger(seconds=1)), frames)


@pytest.mark.parametrize(
    ("rule", "state"),
    [(Stopped, TrackState.STOPPED), (LeftObject, TrackState.LEFT), (RemovedObject, TrackState.REMOVED)],
)
def test_states_are_told_where_they_are(rule, state):
    stands = [({1: IN}, {"states": {1: state}})]
    begins, ends = run(detector(rule(zones="left", min_duration=0.5)), [*[{1: IN}] * 5, *stands * 6, *[{1: IN}] * 9])
    assert (begins.start, begins.reason["tracks"][0]["state"]) == (pytest.approx(0.5), state.name.lower())
    assert ends.end == pytest.approx(1.0)
    assert not run(detector(rule(zones="left", min_duration=0.5)), stands * 5)
    assert not run(detector(rule(zones="right")), stands * 20)
    assert not run(detector(rule(zones="left")), [({1: IN}, {"states": {1: TrackState.MERGED}})] * 20)


# --- how it moves --------------------------------------------------------------------------


def moving(u, v):
    return {1: IN}, {"velocities": {1: (u, v)}}


def test_speed_has_hysteresis():
    rule = Speed(above=50, hysteresis=0.2, end_delay=0, min_duration=0)
    speeds = [49, 50, 41, 40, 39, 41, 49, 51]
    events = run(detector(rule), [moving(0, speed) for speed in speeds])
    assert [(round(e.start, 1), e.end and round(e.end, 1)) for e in events] == [(0.1, None), (0.1, 0.3), (0.7, None)]
    assert events[0].reason["value"] == pytest.approx(50)
    assert not run(detector(Speed(above=50, zones="right")), [moving(0, 90)] * 9)


def test_wrong_way_is_a_sector():
    for angle, told in ((180, 1), (180 + 44, 1), (180 - 44, 1), (180 + 46, 0), (180 - 46, 0), (0, 0), (90, 0)):
        u, v = 20 * np.cos(np.radians(angle)), 20 * np.sin(np.radians(angle))
        for direction in (180, -180):
            rule = WrongWay(direction=direction, tolerance=45, min_duration=0.3)
            assert len(run(detector(rule), [moving(u, v)] * 4)) == told
    assert not run(detector(WrongWay(direction=180, min_speed=21)), [moving(-20, 0)] * 20)
    assert run(detector(WrongWay(direction=90)), [moving(0, 20)] * 20)[0].rule == "wrong_way"  # down


# --- many at once --------------------------------------------------------------------------


def test_crowds_are_counted():
    def crowd(n):
        return {i: box(5 + 8 * i, 40) for i in range(1, n + 1)}

    rule = CrowdCount(zones="left", at_least=3, min_duration=0.5)
    assert not run(detector(rule), [crowd(2)] * 20)
    assert not run(detector(rule), [crowd(3)] * 5)
    begins, ends = run(detector(rule), [*[crowd(3)] * 6, *[crowd(4)] * 3, *[crowd(2)] * 9])
    assert (begins.track_ids, ends.track_ids, begins.reason["value"]) == ((1, 2, 3), (1, 2, 3, 4), 3)
    assert ends.end == pytest.approx(0.8)
    assert ends.peak_area == 4 * 72
    hidden = ({i: box(5 + 8 * i, 40) for i in range(1, 4)}, {"states": {2: TrackState.OCCLUDED}})
    assert not run(detector(rule), [hidden] * 20)


def test_any_motion_is_a_share_of_the_zone():
    boxes = {1: (10.0, 10.0, 20.0, 20.0), 2: (15.0, 10.0, 25.0, 20.0)}  # 150 pixels together, 5 % of the zone
    for share, told in ((0.05, 1), (0.0501, 0)):
        rule = AnyMotion(zones="left", share=share, min_duration=0.2)
        assert len(run(detector(rule), [boxes] * 3)) == told
        found = run(detector(rule), [(boxes, {"identities": picture(boxes)})] * 3)
        assert len(found) == told
    event = run(detector(AnyMotion(share=0.01)), [(boxes, {"identities": picture(boxes)})] * 6)[0]
    assert (event.peak_area, event.track_ids, event.reason["value"]) == (150, (1, 2), 150 / 6000)
    assert not run(detector(AnyMotion(zones="left", share=0.05, min_area=101, min_duration=0)), [boxes])


# --- lines ---------------------------------------------------------------------------------


def test_a_walk_across_is_one_crossing():
    for rule, told in ((Cross(), 1), (Cross(direction="yard->street"), 1), (Cross(direction="street->yard"), 0)):
        events = run(detector(rule), walk(80, 20))
        assert len(begun(events)) == len(ended(events)) == told
    begins, ends = run(detector(Cross(lines="gate")), walk(80, 20))
    assert (begins.zone, begins.reason["direction"]) == ("gate", "yard->street")
    assert begins.start == ends.end == pytest.approx(0.7)
    assert run(detector(Cross()), walk(20, 80))[0].reason["direction"] == "street->yard"
    assert len(begun(run(detector(Cross()), [*walk(80, 20), *walk(20, 80)]))) == 2


def test_jitter_on_the_line_is_no_crossing():
    rng = np.random.default_rng(1)
    jitter = [{1: box(50 + x, 40)} for x in rng.uniform(-0.9, 0.9, 300)]
    assert not run(detector(Cross()), jitter)
    assert not run(detector(Cross()), [{1: box(60, 40)}, *jitter, {1: box(60, 40)}])
    assert len(begun(run(detector(Cross()), [{1: box(60, 40)}, *jitter, {1: box(40, 40)}]))) == 1
    wide = [{1: box(50 + x, 40)} for x in rng.uniform(-4.9, 4.9, 300)]
    assert not run(detector(Cross(margin=5)), wide)
    assert len(run(detector(Cross(margin=1)), wide)) > 20
    on_it = [{1: box(50, 40)}] * 5
    assert len(begun(run(detector(Cross()), [{1: box(60, 40)}, *on_it, {1: box(40, 40)}]))) == 1
    assert not run(detector(Cross()), [{1: box(60, 40)}, *on_it, {1: box(60, 40)}])


def test_beside_the_line_there_is_nothing_to_cross():
    short = Line("gate", [(50, 0), (50, 20)])
    assert not run(detector(Cross(), zones=[short]), walk(80, 20, y=40))
    assert run(detector(Cross(), zones=[short]), walk(80, 20, y=15))
    assert run(detector(Cross(position="middle"), zones=[short]), walk(80, 20, y=22))
    assert not run(detector(Cross(), zones=[short]), walk(80, 20, y=22))


def test_who_is_hidden_on_the_line_counts_when_found():
    hidden = ({1: box(50, 40)}, {"states": {1: TrackState.OCCLUDED}})
    events = run(detector(Cross()), [{1: box(60, 40)}, *[hidden] * 5, {1: box(40, 40)}])
    assert [event.start for event in events] == pytest.approx([0.6, 0.6])
    assert not run(detector(Cross()), [{1: box(60, 40)}, *[hidden] * 5, {1: box(60, 40)}])


def test_a_bent_line_is_crossed_once_through_its_corner():
    bent = Line("gate", [(0, 10), (50, 30), (100, 10)])
    for x in (49, 50, 51):
        events = begun(run(detector(Cross(), zones=[bent]), [{1: box(x, y)} for y in range(15, 56, 5)]))
        assert [event.reason["direction"] for event in events] == ["a->b"]


def test_small_things_may_cross():
    assert not run(detector(Cross(min_area=73)), walk(80, 20))
    assert run(detector(Cross(min_area=72)), walk(80, 20))


# --- parameters ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Linger(name="loiter", seconds=-1), "rule 'loiter': seconds"),
        (lambda: Speed(above=0), "rule 'speed': above"),
        (lambda: Enter(min_area=float("nan")), "rule 'enter': min_area"),
        (lambda: Enter(hysteresis=1.5), "rule 'enter': hysteresis"),
        (lambda: Enter(zones=["a", "a"]), "rule 'enter': zones has a name twice"),
        (lambda: Enter(zones=7), "rule 'enter': zones are names"),
        (lambda: Enter(position="head"), "rule 'enter': position is one of 'feet', 'share'"),
        (lambda: Enter(appearing=3), "rule 'enter': appearing"),
        (lambda: Enter(name=3), "the name is a text"),
        (lambda: Cross(direction=90), "rule 'cross': direction is a text"),
        (lambda: Cross(position="share"), "rule 'cross': position"),
        (lambda: CrowdCount(at_least=0), "rule 'crowd_count': at_least"),
        (lambda: CrowdCount(at_least=2, min_share=0), "rule 'crowd_count': min_share"),
        (lambda: WrongWay(direction=500), "rule 'wrong_way': direction"),
        (lambda: AnyMotion(share=2), "rule 'any_motion': share"),
        (lambda: AnyMotion(cool_down="1"), "rule 'any_motion': cool_down"),
        (lambda: detector(Enter(zones="pool")), "rule 'enter': there is no zone 'pool'"),
        (lambda: detector(Enter(zones="gate")), "rule 'enter': there is no zone 'gate'"),
        (lambda: detector(Cross(lines="left")), "rule 'cross': there is no line 'left', but gate"),
        (lambda: detector(Cross(), zones=[LEFT]), "rule 'cross': there is no line to cross"),
        (lambda: detector(Cross(direction="a->b")), "rule 'cross': direction is one of"),
        (lambda: detector(Enter(), Enter(zones="left")), "two rules are called 'enter'"),
        (lambda: detector(zones=[LEFT, LEFT]), "two zones and lines are called 'left'"),
        (lambda: detector("enter"), "rules are such as Enter"),
        (lambda: detector(zones=None), "zones are Zone and Line objects, not None"),
        (lambda: detector(zones=["left"]), "zones are Zone and Line objects"),
        (lambda: detector(max_gap=0), "max_gap"),
        (lambda: EventDetector([], camera=""), "camera is a name"),
        (lambda: EventDetector([], shape=(0, 5)), "shape: height"),
        (lambda: EventDetector([], shape=5), "shape is"),
        (lambda: EventDetector([], [LEFT], shape=(60, 40)), "zone 'left' leaves the picture"),
    ],
)
def test_wrong_parameters_are_refused_by_name(make, says):
    with pytest.raises(ParameterError) as caught:
        make()
    assert says in str(caught.value)
