"""A camera of which all is known before a service, and what is found in its store: where the faults are played."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from _live_source import OTHER_SIZE, SIZE, ZONE, Film, LiveSource, Passage
from _oracle import LONGEST, Stored, changed, judge, read_store, shared_tracks, up_between
from _served import Served
from _shared import Row

LEARNING = 8.0  # seconds in which a scene is learned anew
TOLD = 2.5  # seconds after which a passage is in the store
STALL = 4.0
_MOST = 20  # findings in a row

CAMERA = """
[[camera]]
name = "gate"
source = "{url}"
stall = {stall}
[[camera.zone]]
name = "gate"
points = {zone}
relative = true
[[camera.rule]]
kind = "enter"
name = "enter"
zones = ["gate"]
"""


@cache
def films() -> tuple[Film, Film]:
    return Film(SIZE), Film(OTHER_SIZE)


class Stage:
    """The camera, the service that looks at it, and what is to be found in its store.

    Parameters
    ----------
    folder : Path
    config : str
        More sections.
    store : str, optional
        Address of the store; by default the service's own file.
    **served
        As :class:`Served` takes it.

    Attributes
    ----------
    down : list of (begin, end)
        Seconds since 1970 in which camera or service were not well.
    problems : list of str
        What was found besides.
    """

    def __init__(self, folder: Path, config: str = "", *, store: str = "", **served: Any) -> None:
        self.camera = LiveSource(films())
        zone = json.dumps([list(point) for point in ZONE])
        section = CAMERA.format(url=self.camera.url, stall=STALL, zone=zone)
        self.served = Served(folder, config + section, **served)
        self.store = store or self.served.state_dir / "events.db"
        self.down: list[tuple[float, float]] = []
        self.problems: list[str] = []
        self.began = 0.0
        self._back: list[float] = []
        self._early: set[str] = set()  # events of the time in which the scene was learned

    def __enter__(self) -> Stage:
        try:
            self.served.start()
            time.sleep(LEARNING)
            self.rest()
            self.began = time.time()
            self._early = {event.id for event in self.events()}
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.served.end()
        self.camera.close()

    # --- in time -----------------------------------------------------------------------------

    def next_passage(self) -> Passage:
        """The next that has not begun."""
        now = time.time()
        return next(p for p in self.camera.passages(now, now + 20) if p.enter > now + 0.2)

    def rest(self, n: int = 1) -> None:
        """Let `n` whole passages go by, the last of them into the store."""
        for _ in range(n):
            time.sleep(max(self.next_passage().leave + TOLD - time.time(), 0))
        self.served.check_alive()

    def note_down(self, begin: float, end: float, *, timeout: float = 90.0) -> None:
        """From `begin` to `end` camera or service were not well: waits until frames are looked at again."""
        back = self.served.wait_for_frames(timeout=timeout)
        self.down.append((begin, back))
        self._back.append(back - end)

    def expect(self, truth: Any, what: str) -> None:
        if not truth:
            self.problems.append(what)

    def expect_alike(self, before: Sequence[Stored]) -> None:
        """What has been closed is still there, as it was."""
        self.problems += [f"changed: {what}" for what in changed(before, self.events())]

    def events(self) -> list[Stored]:
        return read_store(self.store)[0]

    # --- the end -----------------------------------------------------------------------------

    def result(self, *, after: float = 1.5, learns: bool = False, jumps: Sequence[tuple[float, float]] = ()) -> Row:
        """Let two passages go by without fault, judge, and stop the service.

        Parameters
        ----------
        after : float
            Seconds that are excused after what was down.
        learns : bool
            See :func:`judge`.
        jumps : sequence of (float, float)
            Since when (seconds since 1970) the service's clock is how many seconds ahead; the first is since ever.
        """
        self.rest(2)
        until = time.time()
        events, problems = read_store(self.store)
        passages = [p for p in self.camera.passages(self.began, until - TOLD + 0.5) if p.enter >= self.began]
        events = [event for event in events if event.id not in self._early]
        up = up_between(self.began, until, self.down, after=after)
        if jumps:
            shifts = [next(ahead for since, ahead in reversed(jumps) if since <= p.enter) for p in passages]
            passages = [
                replace(p, enter=p.enter + ahead, leave=p.leave + ahead)
                for p, ahead in zip(passages, shifts, strict=True)
            ]
            up, until = list(_shifted(up, jumps)), float("inf")  # now is when nothing is open
        findings = judge(passages, events, up, until, learns=learns)
        self.served.stop()
        self.problems += problems + [f"changed by the stop: {what}" for what in changed(events, self.events())]
        self.problems += shared_tracks(events, passages)
        row = findings.row()
        row["other"] = len(self.problems)
        row["list"] = (row["list"] + self.problems)[:_MOST]
        if self._back:
            row |= {"back_median_s": statistics.median(self._back), "back_max_s": max(self._back)}
        return {**row, "ok": findings.are_good and not self.problems}


def _shifted(up: Sequence[tuple[float, float]], jumps: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """`up` by a clock that was set now and then. What goes on over a jump goes on by the clock it began with."""
    ends = [since for since, _ in jumps[1:]] + [float("inf")]
    for begin, end in up:
        for (since, ahead), until in zip(jumps, ends, strict=True):
            first, last = max(begin, since), min(end, until + LONGEST / 2)
            if first < min(last, until):
                yield first + ahead, last + ahead


def with_problems(row: Row, problems: list[str]) -> Row:
    """`row` with more problems."""
    return {
        **row,
        "other": row["other"] + len(problems),
        "list": (row["list"] + problems)[:_MOST],
        "ok": row["ok"] and not problems,
    }
