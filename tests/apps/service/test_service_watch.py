"""motionseg.watch: events in three lines, from threads, iterators and asyncio."""

import asyncio
import threading

import numpy as np
import pytest

import motionseg
from motionseg.core.errors import ParameterError, SourceError
from motionseg.events import Line, Linger, Zone
from motionseg.io import VideoWriter

FPS = 10
YARD = {"yard": [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]}
PLAIN = {"model": "running_average", "width": None}


def picture(index):
    """A box walks from right to left between frames 20 and 50."""
    frame = np.random.default_rng(0).integers(90, 110, (96, 128, 3)).astype(np.uint8)
    x = 118 - 4 * (index - 20)
    if 20 <= index < 50:
        frame[40:80, max(x, 0) : max(x + 20, 0)] = (30, 60, 200)
    return frame


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "walk.mp4"
    with VideoWriter(path, fps=FPS) as writer:
        for i in range(80):
            writer.write(picture(i), i / FPS)
    return path


def test_a_film_by_iteration(film):
    with motionseg.watch(film, zones=YARD, camera="door", **PLAIN) as watch:
        begun, ended = list(watch)
    assert (begun.rule, begun.zone, begun.camera) == ("enter", "yard", "door")
    assert begun.id == ended.id
    assert 2.5 < begun.start < ended.end < 5.5
    assert not watch.is_running


def test_a_film_by_callbacks(film):
    told, frames = [], []
    watch = motionseg.watch(
        film, zones=YARD, on_event=told.append, on_frame=lambda frame, seen: frames.append(seen.index), **PLAIN
    )
    assert watch.join(60)
    assert frames == list(range(80))
    assert [event.is_open for event in told] == [True, False]
    with pytest.raises(ParameterError, match="on_event"):
        next(iter(watch))


def test_a_film_by_async_for(film):
    async def collect():
        return [event async for event in motionseg.watch(film, zones=YARD, **PLAIN)]

    assert [event.is_open for event in asyncio.run(collect())] == [True, False]


def test_a_task_that_is_cancelled_while_it_waits_loses_nothing(film):
    async def collect():
        watch, events = motionseg.watch(film, zones=YARD, **PLAIN), []
        while True:
            try:
                events.append(await asyncio.wait_for(anext(aiter(watch)), 0.001))
            except asyncio.TimeoutError:
                continue
            except StopAsyncIteration:
                return events

    assert [event.is_open for event in asyncio.run(collect())] == [True, False]


def test_a_film_needs_no_feed(film, monkeypatch):
    monkeypatch.setattr("motionseg.apps.watch.Feed", None)  # as where the extra is not installed
    assert len(list(motionseg.watch(film, zones=YARD, **PLAIN))) == 2


def test_several_rules_and_lines(film):
    places = [Line("gate", [(64, 0), (64, 96)], sides=("out", "in")), Zone("yard", [(0, 0), (64, 0), (64, 96)])]
    events = list(motionseg.watch(film, zones=places, **PLAIN))
    assert {event.rule for event in events} == {"cross", "enter"}
    assert not list(motionseg.watch(film, zones=YARD, rules=[Linger(zones="yard", seconds=60)], **PLAIN))


def test_the_whole_picture_by_default(film):
    assert {event.zone for event in motionseg.watch(film, **PLAIN)} == {""}


def test_a_looped_film_goes_on_until_it_is_stopped(film):
    told, is_there = [], threading.Event()

    def on_event(event):
        told.append(event)
        is_there.set()

    with motionseg.watch(film, zones=YARD, on_event=on_event, loop=True, **PLAIN) as watch:
        assert is_there.wait(60)
        assert watch.is_running
        assert watch.status()["state"] == "running"
    assert not watch.is_running
    assert told[0].start > 1.7e9  # seconds since 1970
    assert {event.id for event in told if event.is_open} == {event.id for event in told if not event.is_open}


def test_stopping_from_a_callback(film):
    box = {}

    def on_event(event):
        box["watch"].stop()

    ready = threading.Event()
    box["watch"] = motionseg.watch(film, zones=YARD, on_event=on_event, on_frame=lambda *_: ready.wait(10), **PLAIN)
    ready.set()
    assert box["watch"].join(60)


def test_errors_reach_whoever_waits(film, tmp_path):
    with pytest.raises(SourceError, match=r"nothing\.mp4"):
        motionseg.watch(tmp_path / "nothing.mp4", **PLAIN).join(60)
    with pytest.raises(SourceError, match=r"nothing\.mp4"):
        list(motionseg.watch(tmp_path / "nothing.mp4", **PLAIN))
    with pytest.raises(ZeroDivisionError), motionseg.watch(film, on_frame=lambda *_: 1 / 0, **PLAIN) as watch:
        list(watch)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(film.read_bytes()[:-2000])
    events = []
    with pytest.raises(SourceError):
        events.extend(motionseg.watch(cut, zones=YARD, **PLAIN))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"zones": {"yard": [(0, 0), (1, 0)]}}, "yard.*corners"),
        ({"zones": {"yard": "abc"}}, "yard"),
        ({"zones": {"yard": [(0, 0), (2000, 0), (2000, 9)]}, "rules": [Linger(zones="lawn")]}, "lawn"),
        ({"model": "nonsense"}, "nonsense"),
        ({"settings": {"nonsense": 1}}, "nonsense"),
    ],
)
def test_what_is_wrong_is_said_at_once(film, wrong, why):
    with pytest.raises(ParameterError, match=why):
        motionseg.watch(film, **{**PLAIN, **wrong})
