"""Judges what a store holds against what is known to have passed the camera."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _live_source import Passage

# The longest that an event of the drawn camera is rightly open: a passage, 0.5 s of delay, and time to be told.
LONGEST = 6.0
SLACK = 1.0  # seconds that an event may be beside its passage
_SAME = 0.05  # seconds for which two events have to be at once to be told twice


@dataclass(frozen=True)
class Stored:
    """An event as a store or a sink has it."""

    id: str
    start: float
    end: float | None
    track_ids: tuple[int, ...] = ()


@dataclass
class Findings:
    """What is wrong; each list says of what."""

    judged: int = 0
    """Passages wholly inside the time in which everything was up."""
    excused: int = 0
    """Passages that a fault has touched."""
    lost: list[str] = field(default_factory=list)
    """Judged passages without a closed event."""
    duplicated: list[str] = field(default_factory=list)
    """Passages with two closed events at once, or with more than a fault explains; ids that are there twice."""
    split: list[str] = field(default_factory=list)
    """Judged passages with two events, one after the other."""
    open: list[str] = field(default_factory=list)
    """Events that should have ended."""
    stray: list[str] = field(default_factory=list)
    """Events where nothing passed and nothing was wrong."""
    ghosts: int = 0
    """Passages, excused, that were told as several tracks, as the picture was spoilt or the scene learned anew."""

    @property
    def are_good(self) -> bool:
        return self.judged > 0 and not (self.lost or self.duplicated or self.split or self.open or self.stray)

    def row(self) -> dict[str, Any]:
        """Numbers, and in `list` all that is wrong."""
        kinds = ("lost", "duplicated", "split", "open", "stray")
        counts = {"passages": self.judged, "excused": self.excused, "ghosts": self.ghosts} | {
            kind: len(getattr(self, kind)) for kind in kinds
        }
        return {**counts, "list": [f"{kind}: {what}" for kind in kinds for what in getattr(self, kind)]}


def up_between(
    begin: float, end: float, down: Iterable[tuple[float, float]], *, before: float = 1.5, after: float = 3.0
) -> list[tuple[float, float]]:
    """The time from `begin` to `end` without what is `down`, and without seconds `before` and `after` each of it.

    Examples
    --------
    >>> up_between(0, 100, [(20, 30), (31, 40)])
    [(0, 18.5), (43.0, 100)]
    """
    up = []
    for first, last in sorted(down):
        if first - before > begin:
            up.append((begin, min(first - before, end)))
        begin = max(begin, last + after)
    return [*up, (begin, end)] if begin < end else up


def judge(
    passages: Sequence[Passage],
    events: Sequence[Stored],
    up: Sequence[tuple[float, float]],
    until: float,
    *,
    learns: bool = False,
) -> Findings:
    """Compare passages with events.

    Parameters
    ----------
    passages : sequence of Passage
        All that there was, also what faults have touched.
    events : sequence of Stored
        Of one rule that gives each passage one event.
    up : sequence of (begin, end)
        When camera and service were well, with margins: see :func:`up_between`.
    until : float
        When the events were read.
    learns : bool
        Faults spoil pictures, or make the service learn the scene anew, when who stands in it is seen twice, as itself
        and as the hole that it left: events of several tracks are then no duplicates.
    """
    found = Findings()
    for id, n in Counter(event.id for event in events).items():
        if n > 1:
            found.duplicated.append(f"{id} is there {n} times")
    of: dict[int, list[Stored]] = {passage.number: [] for passage in passages}
    for event in events:
        if event.end is None and event.start < until - LONGEST:
            found.open.append(f"{event.id} since {until - event.start:.1f} s")
        near = [(_common(passage, event, until), passage.number) for passage in passages]
        overlap, number = max(near, default=(-1.0, -1))
        if overlap >= 0:
            of[number].append(event)
        elif any(a <= event.start and (until if event.end is None else event.end) <= b for a, b in up):
            found.stray.append(f"{event.id} {_span(event)}")
    for passage in passages:
        closed = sorted((e for e in of[passage.number] if e.end is not None), key=lambda e: (e.start, e.id))
        is_judged = any(a <= passage.enter and passage.leave <= b for a, b in up)
        found.judged += is_judged
        found.excused += not is_judged
        what = f"passage {passage.number} at {passage.enter:.1f}"
        told = ", ".join(f"{event.id} {_span(event)}" for event in closed)
        tracks = [track for event in closed for track in event.track_ids]
        is_twice = _at_once(closed) or len(closed) > 2
        if is_twice and learns and not is_judged and len(set(tracks)) == len(tracks):
            found.ghosts += 1
        elif is_twice:
            found.duplicated.append(f"{what}: {told}")
        elif is_judged and not closed:
            found.lost.append(what)
        elif is_judged and len(closed) > 1:
            found.split.append(f"{what}: {told}")
    return found


def _common(passage: Passage, event: Stored, until: float) -> float:
    """Seconds for which an event is in the time of a passage; below 0 where it is beyond the slack."""
    end = until if event.end is None else event.end
    common = min(passage.leave, end) - max(passage.enter, event.start)
    return max(common + SLACK, 0.0) if common >= -SLACK else -1.0


def _at_once(closed: Sequence[Stored]) -> bool:
    """Whether two of these closed events have a time in common, or begin together."""
    spans = [(event.start, event.end or event.start) for event in closed]
    pairs = [(a, b) for i, a in enumerate(spans) for b in spans[:i]]
    return any(min(a[1], b[1]) - max(a[0], b[0]) > _SAME or abs(a[0] - b[0]) < _SAME for a, b in pairs)


def _span(event: Stored) -> str:
    return f"{event.start:.1f}-{'' if event.end is None else format(event.end, '.1f')}"


# --- where events are ------------------------------------------------------------------------

_EVENTS = "SELECT id, start_time, end_time, facts FROM events WHERE rule = 'enter'"
_LOG = "SELECT event_id, phase, facts FROM log"


def read_store(address: str | Path) -> tuple[list[Stored], list[str]]:
    """Events of the rule "enter" in a SQLite file or, by its address, in PostgreSQL; and what is wrong in its log.

    In the log each event begins once and ends once, with the start that it began with.
    """
    if str(address).startswith("postgresql:"):
        import psycopg

        with psycopg.connect(str(address), connect_timeout=5) as connection:
            rows, log = connection.execute(_EVENTS).fetchall(), connection.execute(_LOG).fetchall()
    else:
        with sqlite3.connect(f"file:{address}?mode=ro", uri=True, timeout=5) as connection:
            rows, log = connection.execute(_EVENTS).fetchall(), connection.execute(_LOG).fetchall()
        connection.close()
    events = [Stored(id, start, end, tuple(json.loads(facts)["track_ids"])) for id, start, end, facts in rows]
    problems = [f"{id} {phase}s {n} times" for (id, phase), n in Counter((i, p) for i, p, _ in log).items() if n > 1]
    starts: dict[str, set[float]] = {}
    for id, _, facts in log:
        starts.setdefault(id, set()).add(round(json.loads(facts)["start"], 3))
    problems += [f"{id} starts at {sorted(times)}" for id, times in starts.items() if len(times) > 1]
    return events, problems


def changed(before: Iterable[Stored], after: Iterable[Stored]) -> list[str]:
    """Closed events that are not there any more, or are another time."""
    now = {event.id: event for event in after}
    wrong = []
    for event in before:
        if event.end is not None and (event.id not in now or now[event.id] != event):
            wrong.append(f"{event.id} {_span(event)}, now {_span(now[event.id]) if event.id in now else 'gone'}")
    return wrong


def shared_tracks(events: Iterable[Stored], passages: Sequence[Passage]) -> list[str]:
    """Track ids that two passages have."""
    owners: dict[int, set[int]] = {}
    for event in events:
        if event.end is None:
            continue
        overlap, number = max(((_common(p, event, event.end), p.number) for p in passages), default=(-1.0, -1))
        if overlap >= 0:
            for track in event.track_ids:
                owners.setdefault(track, set()).add(number)
    return [f"track {track} in passages {sorted(numbers)}" for track, numbers in owners.items() if len(numbers) > 1]
