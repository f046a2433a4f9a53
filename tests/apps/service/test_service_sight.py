"""One camera's understanding: dates, gaps, sizes, and what is kept over restarts."""

import numpy as np
import pytest

from motionseg import MotionSegmenter
from motionseg.apps.service.calendar import Calendar
from motionseg.apps.service.sight import LiveClock, Sight
from motionseg.background import GaussianMixture, RunningAverage
from motionseg.core.errors import StateError
from motionseg.events import Enter, EventDetector, Linger, Zone

SHAPE = (96, 128, 3)
YARD = Zone("yard", [(0, 0), (64, 0), (64, 96), (0, 96)])
DAY = 1_800_000_000.0  # seconds since 1970


def ground(shape=SHAPE):
    return np.random.default_rng(0).integers(90, 110, shape).astype(np.uint8)


def picture(index, *, at=None, shape=SHAPE):
    """A box of 20x40 whose left edge is at(index), if anywhere."""
    frame = ground(shape)
    x = None if at is None else at(index)
    if x is not None:
        frame[40:80, max(x, 0) : x + 20] = (30, 60, 200)
    return frame


ENTER = Enter(zones="yard")


def new_sight(*, rules=(ENTER,), model=RunningAverage, number=1):
    detector = EventDetector(rules, [YARD], camera="door", first_number=number)
    return Sight(MotionSegmenter(background=model()), detector)


def watch(sight, frames, *, start=0.0, wall=DAY, fps=10):
    """Events as told, of frames from stream second `start` on."""
    told = []
    for i, frame in enumerate(frames):
        told += sight.look(frame, start + i / fps, wall + i / fps)[1]
    return told


def walker(index):
    return 110 - 4 * (index - 20) if 20 <= index < 45 else None


def stander(index):
    return max(110 - 4 * (index - 20), 20) if index >= 20 else None


def test_events_are_told_by_the_wall_clock():
    sight = new_sight()
    told = watch(sight, [picture(i, at=walker) for i in range(80)], start=5.0)
    assert [event.is_open for event in told] == [True, False]
    begun, ended = told
    assert begun.id == ended.id
    assert begun.start == ended.start
    assert DAY + 2 < begun.start < DAY + 5
    assert begun.start < ended.end < DAY + 8


def test_a_clock_that_is_set_changes_no_duration():
    plain, jumpy = new_sight(), new_sight()
    frames = [picture(i, at=walker) for i in range(80)]
    (begun, ended) = watch(plain, frames)
    told = []
    for i, frame in enumerate(frames):
        told += jumpy.look(frame, i / 10, DAY + i / 10 - (3600 if i > 36 else 0))[1]
    assert told[0].id == told[1].id
    assert told[0].start == pytest.approx(begun.start)
    assert told[1].end - told[1].start == pytest.approx(ended.end - ended.start)
    later = jumpy.look(frames[0], 8.1, DAY - 3000)[1] + watch(jumpy, frames, start=9, wall=DAY - 3000)
    assert later[0].start < DAY - 2990  # the next one is told by the clock as it is now


def test_times_that_stand_still_are_moved_on():
    sight = new_sight()
    for _ in range(3):
        sight.look(ground(), 7.0, DAY)
    assert sight.time == pytest.approx(7.002)


def test_who_stands_keeps_the_id_over_blind_seconds():
    sight = new_sight(rules=[Enter(zones="yard"), Linger(zones="yard", seconds=1)])
    told = watch(sight, [picture(i, at=stander) for i in range(70)])
    assert [(event.rule, event.is_open) for event in told] == [("enter", True), ("linger", True)]
    told = watch(sight, [picture(60, at=stander) for _ in range(30)], start=30.0, wall=DAY + 30)
    assert [(e.rule, e.is_open) for e in told] == [("enter", False), ("linger", False), ("linger", True)]
    assert len({event.track_ids for event in told}) == 1
    assert told[0].end == pytest.approx(DAY + 6.9)  # seen last before the gap


def test_another_size_begins_anew_with_new_ids():
    sight = new_sight()
    first = watch(sight, [picture(i, at=walker) for i in range(80)])
    wide = [picture(i, at=walker, shape=(128, 160, 3)) for i in range(80)]
    second = watch(sight, wide, start=9, wall=DAY + 9)
    assert [event.is_open for event in second] == [True, False]
    assert second[0].track_ids > first[0].track_ids
    assert second[0].id != first[0].id


def test_goes_on_after_a_restart(tmp_path):
    frames = [picture(i, at=walker) for i in range(80)]
    whole, first, second = new_sight(), new_sight(), new_sight()
    told = watch(whole, frames)
    part = watch(first, frames[:38])
    assert len(part) == 1
    first.save(tmp_path / "door.npz")
    assert second.load(tmp_path / "door.npz") == []
    part += watch(second, frames[38:], start=3.8, wall=DAY + 3.8)
    assert part == told


def test_other_rules_and_another_model_take_what_they_can(tmp_path):
    frames = [picture(i, at=walker) for i in range(38)]
    sight = new_sight()
    (begun,) = watch(sight, frames)
    sight.save(tmp_path / "door.npz")
    other = new_sight(rules=[Enter(zones="yard", name="in")])
    (misfit,) = other.load(tmp_path / "door.npz")
    assert "rules" in misfit
    other = new_sight(model=GaussianMixture)
    (misfit,) = other.load(tmp_path / "door.npz")
    assert "anew" in misfit
    (event,) = other.detector.open_events
    assert event.id == begun.id
    told = watch(other, [ground()] * 30 + frames, start=20, wall=DAY + 20)
    assert told[-1].track_ids > begun.track_ids  # no id is given twice


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"x" * 100])
def test_a_damaged_state_is_refused_whole(tmp_path, damage):
    sight = new_sight()
    watch(sight, [ground()] * 3)
    path = tmp_path / "door.npz"
    sight.save(path)
    path.write_bytes(damage(path.read_bytes()))
    other = new_sight()
    with pytest.raises(StateError, match=r"door\.npz"):
        other.load(path)
    assert other.time is None


def test_changes_while_it_runs():
    frames = [picture(i, at=walker) for i in range(38)]
    sight = new_sight()
    (begun,) = watch(sight, frames)
    number = sight.detector.next_number
    (ended,) = sight.change_detector(EventDetector([Enter()], camera="door", first_number=number))
    assert ended.id == begun.id
    assert ended.end is not None
    assert sight.change_segmenter(MotionSegmenter(background=RunningAverage(threshold=30)))
    assert not sight.change_segmenter(MotionSegmenter(background=GaussianMixture()))
    told = watch(sight, [ground()] * 30 + frames, start=9, wall=DAY + 9)
    assert told[0].id.startswith("door-2-")
    assert told[-1].track_ids > begun.track_ids


def test_numbers_and_ids_go_on_behind_the_store():
    sight = new_sight()
    sight.go_on_from(number=12, track=40)
    told = watch(sight, [picture(i, at=walker) for i in range(80)])
    assert told[0].id.startswith("door-12-")
    assert told[0].track_ids == (40,)


def test_a_live_clock_never_goes_back(monkeypatch):
    now = {"time": DAY, "monotonic": 50.0}
    for name in now:
        monkeypatch.setattr(f"motionseg.apps.service.sight.clock.{name}", lambda name=name: now[name])
    clock = LiveClock()
    assert clock.read(50.0) == (DAY, DAY)
    now.update(time=DAY - 3600, monotonic=51.0)  # somebody sets it back
    assert clock.read(51.0) == (DAY + 1, DAY - 3600)
    assert LiveClock(DAY + 1).read(51.0) == (DAY + 1, DAY - 3600)


def test_a_calendar_follows_leaps_slowly(monkeypatch):
    now = {"time": DAY, "monotonic": 50.0}
    for name in now:
        monkeypatch.setattr(f"motionseg.apps.service.calendar.time.{name}", lambda name=name: now[name])
    calendar = Calendar()
    now.update(time=DAY + 100 * 86400, monotonic=60.0)  # set a hundred days ahead
    assert calendar.now() == DAY + 20
    now.update(time=DAY + 30, monotonic=80.0)  # and back
    assert calendar.now() == DAY + 30


def test_a_frame_that_fails_half_way_stops_none_after_it(monkeypatch):
    sight = new_sight()
    watch(sight, [picture(i, at=stander) for i in range(40)], fps=100)
    held = sight.segmenter._held
    real, calls = held.update, []

    def update(*facts):
        calls.append(facts)
        if len(calls) == 1:
            raise MemoryError
        return real(*facts)

    monkeypatch.setattr(held, "update", update)
    with pytest.raises(MemoryError):  # the linker has been told of this time already
        sight.look(picture(40, at=stander), 60.0, DAY + 60)
    watch(sight, [picture(i, at=stander) for i in range(41, 50)], start=60.1, wall=DAY + 60.1)
    assert len(calls) == 10


def test_a_state_from_before_the_first_frame_of_a_new_scene_is_whole(tmp_path):
    sight, other = new_sight(), new_sight()
    (begun,) = watch(sight, [picture(i, at=stander) for i in range(50)])
    sight.forget_scene()
    sight.save(tmp_path / "s.npz")
    assert other.load(tmp_path / "s.npz") == []
    assert [event.id for event in other.detector.open_events] == [begun.id]
    watch(other, [picture(i, at=stander, shape=(128, 160, 3)) for i in range(3)], start=9, wall=DAY + 9)


def test_a_state_does_not_change_while_it_is_written():
    sight = new_sight()
    watch(sight, [picture(i, at=stander) for i in range(50)], wall=DAY + 7)
    _, head = sight.state()
    before = dict(head["offsets"])
    assert before
    sight.close()
    assert head["offsets"] == before


def test_what_waited_when_the_state_was_kept_is_not_told_as_of_then(tmp_path):
    rules = [Linger(zones="yard", seconds=4)]
    first, second = new_sight(rules=rules), new_sight(rules=rules)
    assert watch(first, [picture(i, at=stander) for i in range(60)]) == []
    first.save(tmp_path / "s.npz")
    told = watch(first, [picture(60, at=stander)] * 30, start=6)  # and then it was killed
    second.load(tmp_path / "s.npz")
    again = watch(second, [picture(60, at=stander)] * 30, start=10, wall=DAY + 10)
    assert [event.rule for event in told + again] == ["linger", "linger"]
    assert told[0].start < DAY + 6
    assert again[0].start == pytest.approx(DAY + 10)
