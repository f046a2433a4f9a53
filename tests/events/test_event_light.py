"""Verdicts on the whole picture: light, clouds, and a camera that is touched."""

import pytest
from events.drawn_tracks import SHAPE, begun, box, picture, run

from motionseg.core.types import TrackState
from motionseg.events import (
    AnyMotion,
    CameraCovered,
    Cross,
    CrowdCount,
    Enter,
    EventDetector,
    LightChange,
    Line,
    Linger,
    Zone,
)

LEFT = Zone("left", [(0, 0), (50, 0), (50, 60), (0, 60)])
SKY = Zone("sky", [(0, 0), (100, 0), (100, 10), (0, 10)], kind="preclusive", limit=0.3)
GATE = Line("gate", [(50, 0), (55, 30), (50, 60)])
OUT, IN = box(70, 40), box(20, 40)


def detector(*rules, zones=(LEFT, GATE), **words):
    return EventDetector(rules, zones, **{"camera": "cam", "shape": SHAPE, **words})


@pytest.mark.parametrize(
    ("word", "rule"),
    [
        ("switch", "light"),
        ("illumination", "light"),
        ("camera_covered", "camera_covered"),
        ("covered", "camera_covered"),
        ("camera_moved", "camera_moved"),
        ("shot_change", "camera_moved"),
        ("blurred", "camera_blurred"),
    ],
)
def test_a_verdict_is_one_event_and_no_motion(word, rule):
    boxes = {1: IN, 2: box(40, 40)}
    said = boxes, {"verdict": word}
    frames = [{}, {}, *[said] * 5, *[boxes] * 3, *[said] * 5, *[boxes] * 60, {}]
    events = run(detector(Enter(zones="left"), AnyMotion(min_duration=0), CrowdCount(at_least=2)), frames)
    assert [(event.rule, event.is_open) for event in events] == [(rule, True), (rule, False)]
    assert events[0].start == pytest.approx(0.2)
    assert events[1].end == pytest.approx(1.4)
    assert events[0].reason["verdict"] == word


def test_a_cloud_is_one_event_and_motion_goes_on():
    slow = {1: IN}, {"verdict": "gradual"}
    frames = [{}, {}, *[slow] * 40, *[{1: IN}] * 50, *[slow] * 30, *[{1: IN}] * 310]
    events = run(detector(Enter(zones="left")), frames)
    assert [(event.rule, event.is_open) for event in events] == [
        ("enter", True),
        ("light_drift", True),
        ("light_drift", False),
    ]
    assert events[1].start == pytest.approx(0.2)
    assert events[2].end == pytest.approx(12.1)
    assert events[1].reason["verdict"] == "gradual"
    assert not run(detector(), [{}, *[({}, {"verdict": "gradual"})] * 20, *[{}] * 310]), "too short"


@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("word", ["switch", "camera_covered"])
def test_light_that_is_learned_after_a_switch_is_part_of_it(word, before):
    slow = {}, {"verdict": "gradual"}
    frames = [{}, {}, *[slow] * before, *[({}, {"verdict": word})] * 5, *[slow] * 90, *[{}] * 310]
    assert len(run(detector(), frames)) == 2
    frames += [*[slow] * 40, *[{}] * 310]
    assert [event.rule for event in run(detector(), frames)][2:] == ["light_drift"] * 2


@pytest.mark.parametrize("settle", [0.5, 1.0])
def test_motion_is_told_again_when_it_has_settled(settle):
    """Who was known before the light changed comes in after it: he is told of, from when it has settled on."""
    frames = [{1: OUT}, ({1: OUT}, {"verdict": "switch"}), *[{1: OUT}] * 2, *[{1: IN}] * 30]
    events = begun(run(detector(Enter(zones="left"), LightChange(settle=settle)), frames))
    assert [event.rule for event in events] == ["light", "enter"]
    assert events[1].start == pytest.approx(0.1 + settle)


def test_what_came_with_the_light_has_to_move_first():
    said = {}, {"verdict": "switch"}
    ghost = [said, *[{9: IN}] * 60]
    assert [event.rule for event in begun(run(detector(Enter()), ghost))] == ["light"]
    thief = [said, *[{9: box(20 + x / 2, 40)} for x in range(60)]]
    events = begun(run(detector(Enter()), thief))
    assert [event.rule for event in events] == ["light", "enter"]


def test_what_goes_on_outlasts_a_verdict():
    frames = [{1: IN}, *[({1: IN}, {"verdict": "switch"})] * 5, *[{1: IN}] * 40, {}]
    events = [event for event in run(detector(Enter(zones="left")), frames) if event.rule == "enter"]
    assert len(events) == 2
    assert events[1].end == pytest.approx(4.5)
    # durations do not grow meanwhile: 2.5 s of 4.5 are not counted
    assert not [event for event in run(detector(Linger(seconds=2.2)), frames) if event.rule == "linger"]
    assert [event for event in run(detector(Linger(seconds=2.0)), frames) if event.rule == "linger"]


def test_a_line_crossed_in_the_light_is_not_crossed():
    def frames(*verdicts):
        return [({1: box(x, 40)}, {"verdict": word}) for x, word in zip((70, 60, 40, 30), verdicts, strict=True)]

    rules = Cross(), LightChange(settle=0.05)
    assert [e.rule for e in begun(run(detector(*rules), frames("none", "none", "none", "none")))] == ["cross"]
    assert [e.rule for e in begun(run(detector(*rules), frames("none", "none", "switch", "none")))] == ["light"]


@pytest.mark.parametrize("with_pixels", [True, False])
def test_preclusive_zones_mean_light(with_pixels):
    def frames(height, n=40):
        boxes = {1: (0.0, 0.0, 50.0, float(height)), 2: (10.0, 30.0, 20.0, 45.0)}
        return [(boxes, {"identities": picture(boxes)} if with_pixels else {})] * n

    rules = Enter(zones="left"), AnyMotion(min_duration=0)
    calm = run(detector(*rules, zones=(LEFT, SKY)), frames(6))  # 300 of 1000 pixels are not above the limit
    assert {event.rule for event in calm} == {"enter", "any_motion"}
    light = run(detector(*rules, zones=(LEFT, SKY)), [*frames(7), *[{}] * 30])
    assert [(event.rule, event.zone, event.is_open) for event in light] == [
        ("light", "sky", True),
        ("light", "sky", False),
    ]
    assert light[0].reason["value"] == pytest.approx(0.35)
    assert light[0].peak_area == 350


def test_tentative_foreground_in_a_preclusive_zone_is_light_too():
    boxes = {1: (0.0, 0.0, 90.0, 10.0)}
    events = run(detector(Enter(), zones=(SKY,)), [(boxes, {"states": {1: TrackState.TENTATIVE}})])
    assert [event.rule for event in events] == ["light"]


def test_verdicts_may_have_to_last():
    rule = CameraCovered(min_duration=0.5, name="hood")
    said = {}, {"verdict": "covered"}
    assert not run(detector(rule), [*[said] * 5, *[{}] * 40])
    assert [event.rule for event in run(detector(rule), [said] * 6)] == ["hood"]
    motion = run(detector(rule, Enter()), [said, *[({1: IN}, {})] * 3])
    assert not motion  # suppressed from the first frame on
