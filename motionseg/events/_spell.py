"""What the detector remembers: of each condition that holds, and of each track."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from motionseg.core.types import Event

__all__ = ["MOST_TRACKS", "Key", "Spell", "TrackMemory"]

MOST_TRACKS = 100  # that an event names
Key = tuple[str, str, int]
"""Rule, zone, and track (0: the rule is none for single tracks)."""


@dataclass
class Spell:
    """A time for which a condition holds; once it is told, an open event."""

    onset: float
    onset_clock: float  # on the detector's clock, which stands during gaps
    last: float = 0.0  # when it held for the last time
    last_clock: float = 0.0
    off: bool = False  # now, though not for long enough to be over
    silent: bool = False  # not to be told
    id: str = ""  # "" as long as it is not told
    peak_area: float = 0.0
    score: float = 0.0
    tracks: list[int] = field(default_factory=list)
    reason: dict[str, Any] = field(default_factory=dict)

    def note(self, time: float, clock: float, area: float, score: float, tracks: list[int]) -> None:
        """It holds now."""
        self.last, self.last_clock, self.off = time, clock, False
        self.peak_area, self.score = max(self.peak_area, area), max(self.score, score)
        if tracks != self.tracks:
            known = set(self.tracks)
            room = MOST_TRACKS - len(self.tracks)
            self.tracks = sorted([*self.tracks, *[track for track in tracks if track not in known][:room]])

    def event(self, camera: str, key: Key, end: float | None = None, ended: str | None = None) -> Event:
        """As it is told."""
        reason = dict(self.reason) if ended is None else {**self.reason, "ended": ended}
        facts = (self.id, camera, *key[:2], tuple(self.tracks), self.onset)
        return Event(*facts, end, self.peak_area, self.score, reason)


@dataclass
class TrackMemory:
    """Where a track was."""

    size: float
    first: list[float]
    trusted: bool  # False: it began while motion was suppressed, and has not moved since
    fresh: bool = True  # it counts for the first time
    points: dict[str, list[float]] = field(default_factory=dict)
    sides: dict[str, list[int]] = field(default_factory=dict)
    """By rule and line: whether it has been off the line, and its crossings since."""
