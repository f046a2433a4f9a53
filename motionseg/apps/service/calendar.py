"""The date, for those who delete what is old."""

from __future__ import annotations

import time

__all__ = ["Calendar"]

_FASTEST = 2.0  # seconds that may pass on it in a second


class Calendar:
    """The wall clock, but for leaps ahead, which it follows slowly: a clock set wrong makes nothing old at once."""

    def __init__(self) -> None:
        self._now, self._looked = time.time(), time.monotonic()

    def now(self) -> float:
        """Seconds since 1970."""
        before, self._looked = self._looked, time.monotonic()
        self._now = min(time.time(), self._now + _FASTEST * (self._looked - before))
        return self._now
